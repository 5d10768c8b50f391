"""A run folder keeps finished steps, drops half-finished ones, and lets in one process at a time."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import InputError, RunError
from kshot.runs import Run, file_hash, slug, step_key, write_json, write_text


def deaf(event: str, **fields: Any) -> None:
    """Hears nothing."""


def write_hello(folder: Path) -> None:
    (folder / "hello.txt").write_text("hello")


def test_a_step_is_made_once(tmp_path: Path) -> None:
    heard: list[tuple[str, Any]] = []
    run = Run(tmp_path / "run", listener=lambda event, **fields: heard.append((event, fields.get("state"))))
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        write_hello(folder)

    with run.open():
        first = run.step("greet", {"a": 1}, make)
        again = run.step("greet", {"a": 1}, make)
        other = run.step("greet", {"a": 2}, make)
    assert first == again != other
    assert (first / "hello.txt").read_text() == "hello"
    assert json.loads((first / "inputs.json").read_text()) == {"a": 1}
    assert len(made) == 2
    assert [state for _, state in heard] == ["begun", "done", "kept", "begun", "done"]
    assert len((tmp_path / "run" / "events.jsonl").read_text().splitlines()) == 5


def test_a_step_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        write_hello(folder)
        raise ValueError("half way")

    run = Run(tmp_path, listener=deaf)
    with run.open(), pytest.raises(ValueError, match="half way"):
        run.step("greet", {}, fail)
    assert list((tmp_path / "steps" / "greet").iterdir()) == []


def test_a_step_that_somebody_cut_is_made_anew(tmp_path: Path) -> None:
    run = Run(tmp_path, listener=deaf)
    with run.open():
        made = run.step("greet", {}, write_hello)
        (made / "hello.txt").write_text("")
        again = run.step("greet", {}, write_hello)
    assert (again / "hello.txt").read_text() == "hello"


def test_kill_leaves_a_run_that_resumes(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from kshot.runs import Run
def make(folder):
    (folder / "half.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
run = Run(Path({str(tmp_path / "run")!r}), listener=lambda event, **fields: None)
with run.open():
    run.step("first", {{}}, lambda folder: (folder / "a").write_text("a"))
    run.step("second", {{}}, make)
"""
    died = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert died.returncode == -signal.SIGKILL
    assert list((tmp_path / "run" / "steps" / "second").glob(".*.partial"))
    run = Run(tmp_path / "run", listener=deaf)
    with run.open():
        assert not list((tmp_path / "run" / "steps" / "second").glob(".*.partial"))
        kept = run.step("first", {}, lambda folder: pytest.fail("made again"))
        made = run.step("second", {}, write_hello)
    assert (kept / "a").read_text() == "a"
    assert sorted(file.name for file in made.iterdir()) == ["hello.txt", "inputs.json", "sizes.json"]


def test_two_processes_cannot_share_a_run(tmp_path: Path) -> None:
    with Run(tmp_path, listener=deaf).open():
        other = Run(tmp_path, listener=deaf)
        with pytest.raises(RunError, match="another process"), other.open():
            pass


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    run = Run(tmp_path, listener=deaf)
    with pytest.raises(InputError, match="not empty and holds no run"), run.open():
        pass
    (tmp_path / "file").write_text("x")
    run = Run(tmp_path / "file", listener=deaf)
    with pytest.raises(InputError, match="a file stands where"), run.open():
        pass


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run = Run(tmp_path, listener=deaf)
    with pytest.raises(RunError, match="no space is left"), run.open():
        run.step("big", {}, full)
    with run.open():
        run.step("big", {}, write_hello)


def test_writes_are_whole_or_not_at_all(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "one\r\ntwo é")
    assert (tmp_path / "a.txt").read_bytes() == "one\r\ntwo é".encode()
    write_json(tmp_path / "a.json", {"é": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"é": 1}
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "three \ud800")
    assert (tmp_path / "a.txt").read_bytes() == "one\r\ntwo é".encode()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.json", "a.txt"]


def test_file_hash_sees_names_and_bytes(tmp_path: Path) -> None:
    for name in ("x", "y", "z"):
        (tmp_path / name).mkdir()
    (tmp_path / "x" / "a").write_text("1")
    (tmp_path / "y" / "a").write_text("1")
    (tmp_path / "z" / "b").write_text("1")
    assert file_hash(tmp_path / "x") == file_hash(tmp_path / "y") != file_hash(tmp_path / "z")


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=4))
def test_the_key_ignores_the_order_of_inputs(inputs: dict[str, int]) -> None:
    assert step_key(inputs) == step_key(dict(reversed(list(inputs.items()))))
    assert step_key(inputs) != step_key(inputs | {"another": 1})


@given(st.text(min_size=1, max_size=80))
def test_a_slug_is_a_safe_file_name(name: str) -> None:
    made = slug(name)
    assert made == made.strip("-") != ""
    assert all(letter in "abcdefghijklmnopqrstuvwxyz0123456789-" for letter in made)
    assert len(made) <= 60


def test_different_names_have_different_slugs() -> None:
    names = ["a b", "a-b", "A b", "a  b", "a/b", "a.b", "a_b", "ä b", " a b", "a b "]
    assert len({slug(name) for name in names}) == len(names)
