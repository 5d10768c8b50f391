"""The file of votes: nothing lost, nothing doubled, whatever happens to the process."""

import json
import threading
from pathlib import Path

import pytest

from kshot.errors import DataError, RunError
from kshot.measure.judge import read_human
from kshot.serve.review import Vote, VoteFile

KNOWN = ("a", "b", "tie")


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_last_vote_counts_and_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    with VoteFile(path, KNOWN) as votes:
        votes.put("1", "a")
        votes.put("1", "b", "changed my mind")
        votes.put("二", "tie")
        votes.put("3", None, "only a note")
    with VoteFile(path, KNOWN) as votes:
        assert votes["1"] == Vote("b", "changed my mind")
        assert votes["二"] == Vote("tie")
        assert votes["3"] == Vote(None, "only a note")
        assert votes["unknown"] == Vote()
    assert read_human(path) == {"1": "b", "二": "tie"}
    assert all(line["time"].endswith("+00:00") for line in lines(path))


def test_undo_restores_what_was_before_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    with VoteFile(path, KNOWN) as votes:
        votes.put("1", "a")
        votes.put("1", "b")
        assert votes.undo("1") == Vote("a")
    with VoteFile(path, KNOWN) as votes:
        assert votes["1"] == Vote("a")
        assert votes.undo("1") == Vote()
        assert votes.undo("1") == Vote()
        votes.put("2", "tie")
    with VoteFile(path, KNOWN) as votes:
        assert (votes["1"], votes["2"]) == (Vote(), Vote("tie"))
    assert len(lines(path)) == 5  # appended, never rewritten
    assert read_human(path) == {"2": "tie"}


def test_a_line_that_was_cut_off_is_dropped_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    with VoteFile(path, KNOWN) as votes:
        votes.put("1", "a")
    with path.open("ab") as file:
        file.write(b'{"id": "2", "verd')
    with VoteFile(path, KNOWN) as votes:
        votes.put("3", "b")
        assert (votes["1"].verdict, votes["2"].verdict, votes["3"].verdict) == ("a", None, "b")
    assert [line["id"] for line in lines(path)] == ["1", "3"]


def test_many_threads_lose_no_vote(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    with VoteFile(path, KNOWN) as votes:
        threads = [
            threading.Thread(target=lambda t=t: [votes.put(f"{t}-{i}", "a") for i in range(20)])
            for t in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({line["id"] for line in lines(path)}) == len(lines(path)) == 160


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with VoteFile(tmp_path / "v.jsonl", KNOWN), pytest.raises(RunError, match="another process keeps votes"):
        VoteFile(tmp_path / "v.jsonl", KNOWN)
    with VoteFile(tmp_path / "v.jsonl", KNOWN):
        pass
    with pytest.raises(RunError, match="cannot be opened"):
        VoteFile(tmp_path / "absent" / "v.jsonl", KNOWN)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 1, "verdict": "a"}', "expected an object with id and verdict"),
        ('{"id": "1", "verdict": "accept"}', "verdict 'accept'; expected a, b, tie"),
        ("no json", "valid JSON"),
    ],
)
def test_another_file_is_not_written_to(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=said):
        VoteFile(path, KNOWN)
    assert path.read_text(encoding="utf-8") == line + "\n"
    with VoteFile(tmp_path / "w.jsonl", KNOWN) as votes, pytest.raises(DataError, match="verdict 'x'"):
        votes.put("1", "x")


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "v.jsonl"
    with VoteFile(path, KNOWN) as votes:
        votes.put("1", "a")

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", full)
            with pytest.raises(RunError, match="No space left"):
                votes.put("1", "b")
        assert votes["1"] == Vote("a")
        votes.put("2", "tie")
    assert [(line["id"], line["verdict"]) for line in lines(path)] == [("1", "a"), ("2", "tie")]
