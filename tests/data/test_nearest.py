"""What an error message proposes: a name that is alike, never the one that was asked for."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from kshot.data import nearest as module
from kshot.data.nearest import nearest, no_such_path, proposal


def test_examples() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("jugde.py", ["a.py", "judge.py"], "judge.py"),
        ("task.yml", ["task.yaml", "shots.jsonl"], "task.yaml"),
        ("Label", ["label"], "label"),
        ("m.py", ["m.py"], None),  # the very name
        ("label", ["label", "labels"], "labels"),
        ("x.jsonl", ["shots.jsonl", "y.jsonl"], None),  # nothing but the ending
        ("abcd", ["abce", "abcf"], "abce"),  # ties: the first
        ("abcd", ["abcf", "abce"], "abcf"),
        ("", ["a", ""], None),
        ("a", [], None),
    ],
)
def test_the_nearest_name(name: str, known: list[str], found: str | None) -> None:
    assert nearest(name, known) == found
    assert proposal(name, known) == (f"; did you mean {found!r}?" if found else "")


def test_a_path_is_answered_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").touch()
    assert no_such_path(tmp_path / "tset.jsonl").endswith("; did you mean 'test.jsonl'?")
    assert no_such_path(tmp_path / "q.jsonl") == "there is no such file or folder"
