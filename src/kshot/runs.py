"""A run folder: steps keyed by the hash of their inputs, atomic, resumable, with a manifest.

::

    RUN/
    ├── .lock                     held while a process works here; the system frees it when the process dies
    ├── manifest.json             seeds, versions, hashes, device, wall time
    ├── events.jsonl              what happened, one JSON object a line, over all processes that worked here
    └── steps/NAME/KEY/           what one step wrote; KEY = hash of its inputs; there whole or not at all
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from kshot.data.atomic import write_atomically
from kshot.errors import InputError, RunError

MARK = ".kshot-run"
SIZES = "sizes.json"


class Listener(Protocol):
    """Whoever wants to know how the work goes: the terminal, a JSON stream, a test."""

    def __call__(self, event: str, **fields: Any) -> None:
        """``event`` is a short name; ``fields`` are plain JSON values."""
        ...


def silent(event: str, **fields: Any) -> None:
    """A listener that tells nobody."""


class Run:
    """One run folder, open for work by one process at a time.

    Args:
        folder: Made if absent. A folder that holds other things and no run is refused.
        listener: Told of every step.
    """

    def __init__(self, folder: Path, *, listener: Listener) -> None:
        self.folder = folder
        self._listener = listener

    @contextmanager
    def open(self) -> Iterator[Run]:
        """The folder, locked, and cleared of what a killed process left half-written.

        Raises:
            InputError: The folder is a file, or holds something that is no run.
            RunError: Another process works in it, or it cannot be written.
        """
        try:
            _claim(self.folder)
            with (self.folder / ".lock").open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    where = f"{self.folder}: another process works in this run folder"
                    raise RunError(f"{where}; wait for it, or choose another --out") from None
                for leftover in self.folder.glob("steps/*/.*.partial"):
                    shutil.rmtree(leftover)
                yield self
        except OSError as error:
            raise _as_run_error(self.folder, error) from error

    def step(self, name: str, inputs: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
        """The folder that ``make`` filled for these inputs, now or in an earlier process.

        ``make`` writes into an empty folder, which is flushed to disk and then renamed in one move: a
        process that dies leaves no half a step. Equal inputs (and equal kshot code) give the same folder.
        """
        key = step_key(inputs)
        done = self.step_folder(name, key)
        if done.is_dir() and not is_whole(done):
            shutil.rmtree(done)  # somebody cut it: it is made anew
        if done.is_dir():
            self.event("step", name=name, state="kept", seconds=0.0)
            return done
        self.event("step", name=name, state="begun")
        begun = time.perf_counter()
        partial = done.with_name(f".{key}.{os.getpid()}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            make(partial)
            write_json(partial / "inputs.json", dict(inputs))
            write_json(partial / SIZES, _sizes(partial))
            _flush(partial)
            partial.rename(done)
            _flush_folder(done.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self.event("step", name=name, state="done", seconds=round(time.perf_counter() - begun, 3))
        return done

    def step_folder(self, name: str, key: str) -> Path:
        """Where the step of that name and key lies, or would lie."""
        return self.folder / "steps" / slug(name) / key

    def event(self, event: str, **fields: Any) -> None:
        """Tells the listener, and notes it in ``events.jsonl``."""
        self._listener(event, **fields)
        with (self.folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 3), "event": event, **fields}) + "\n")


def step_key(inputs: Mapping[str, Any]) -> str:
    """16 hexadecimal digits: a hash of the inputs, as canonical JSON, and of kshot's own code."""
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(f"{code_hash()}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


@cache
def code_hash() -> str:
    """A hash of the code that computes results, so that no result outlives the code that made it."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for part in ("data", "models", "measure", "methods", "pipeline"):
        for file in sorted((root / part).rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder: of the relative names and bytes of all its files."""
    digest = hashlib.sha256()
    files = sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def slug(name: str) -> str:
    """A name as part of a path: small letters, digits and dashes; a short hash where that loses something.

    >>> slug("shots in the prompt")
    'shots-in-the-prompt'
    >>> slug("adapter: ../x") == slug("adapter: x")
    False
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if re.fullmatch(r"[a-z0-9]+( [a-z0-9]+)*", name) and len(name) <= 60:
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain[:48]}-{digest}".strip("-")


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file whole or not at all; line ends as they are."""
    write_atomically(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def _sizes(folder: Path) -> dict[str, int]:
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != SIZES)
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in sorted(files)}


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder; 0 where there is none."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0


def is_whole(folder: Path) -> bool:
    """Whether a step's files are there with the sizes they had when it was finished."""
    try:
        listed = json.loads((folder / SIZES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(listed == _sizes(folder))


def _claim(folder: Path) -> None:
    if "\0" in str(folder):
        raise InputError(f"{str(folder)!r}: no folder can have this name; choose another --out")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a file stands where the run folder should be; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / MARK).exists():
        if any(entry.name != ".lock" for entry in folder.iterdir()):
            raise InputError(f"{folder}: the folder is not empty and holds no run; choose another --out")
        (folder / MARK).write_text("a run folder of kshot; see manifest.json\n")


def _flush(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _as_run_error(folder: Path, error: OSError) -> RunError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        hint = (
            "no space is left on the device; free some and give the same command again: it goes on from here"
        )
        return RunError(f"{folder}: {hint}")
    return RunError(f"{folder}: {error.strerror or error}")
