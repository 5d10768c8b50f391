"""The starter task appears whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kshot.data.starter import write_starter
from kshot.data.taskfile.file import load_task_file
from kshot.errors import InputError


def test_three_files_that_read(tmp_path: Path) -> None:
    paths = write_starter(tmp_path / "a" / "b")
    assert [path.name for path in paths] == ["task.yaml", "shots.jsonl", "test.jsonl"]
    assert sorted(tmp_path.joinpath("a", "b").iterdir()) == sorted(paths)
    assert load_task_file(paths[0]).name == "support-tickets"


@pytest.mark.parametrize("fails_at", [1, 2, 3])
@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails_at: int, there: bool
) -> None:
    folder = tmp_path / "new" / "starter"
    if there:
        folder.mkdir(parents=True)
    opened: list[Path] = []
    real = Path.open

    def full(path: Path, *args: object, **options: object) -> object:
        opened.append(path)
        file = real(path, *args, **options)  # type: ignore[call-overload]
        if len(opened) == fails_at:
            file.close()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InputError, match="starter: cannot be written: No space left on device"):
        write_starter(folder)
    assert len(opened) == fails_at
    assert list(tmp_path.rglob("*")) == ([folder.parent, folder] if there else [])


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"test\.jsonl: is there already"):
        write_starter(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test.jsonl"]
