"""The state of a half-written mix: what counts, what does not, and who may touch it."""

import subprocess
import sys

import pytest

from kshot.errors import ModelError
from kshot.models.checkpoint.journal import workplace


def test_finished_jobs_are_found_again(tmp_path):
    with workplace(tmp_path / "out") as place:
        assert place.begin("abc") == set()
        place.note([3, 1])
        place.note([7])
    with workplace(tmp_path / "out") as place:
        assert place.begin("abc") == {1, 3, 7}


@pytest.mark.parametrize("tail", [b"12", b"\0\0\0\n", b"x\n"])
def test_a_torn_line_does_not_count(tmp_path, tail):
    with workplace(tmp_path / "out") as place:
        place.begin("abc")
        place.note([3])
        with (place.folder / "journal").open("ab") as file:
            file.write(tail)
        assert place.begin("abc") == {3}


def test_another_mix_starts_afresh(tmp_path):
    with workplace(tmp_path / "out") as place:
        place.begin("abc")
        place.note([3])
        (place.output / "left").write_text("x")
        assert place.begin("abd") == set()
        assert list(place.output.iterdir()) == []
        assert place.begin("abd") == set()


def test_a_second_process_is_refused(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from kshot.models.checkpoint.journal import workplace\n"
        "with workplace(Path(sys.argv[1])): print('in')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with workplace(tmp_path / "out"):
        with pytest.raises(ModelError, match="another process is writing"), workplace(tmp_path / "out"):
            pass
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "another process is writing" in found.stderr
    with workplace(tmp_path / "out") as place:
        place.clear()
    with workplace(tmp_path / "out"):
        pass
