"""The folder of an exploration: written whole after each round, so that a process that dies loses none.

::

    DIR/
    ├── .lock            held while a process works here
    ├── state.json       the commit point: settings, tree, spending, how much of the row files counts
    ├── rows.jsonl       kept rows, appended
    ├── refused.jsonl    refused names and rows with their reasons, appended
    ├── tree.json        the tree, to read and to edit between growing and filling
    ├── tree.md          the same as an outline, likewise
    └── pool/, report.*  the product (see ``product``)
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, final

from kshot.data.atomic import write_atomically
from kshot.errors import DataError, InputError, RunError
from kshot.methods.explore.formats import outline_of
from kshot.methods.explore.formats.text import json_text
from kshot.methods.explore.records import Refusal, Row
from kshot.methods.explore.seams import Exploration, Progress
from kshot.methods.explore.spending import Spent
from kshot.methods.explore.tree import DomainTree
from kshot.pipeline.explore.edits import leave_unused, take_edit
from kshot.pipeline.explore.state import digest, state_bytes, state_of

STATE, ROWS, REFUSED = "state.json", "rows.jsonl", "refused.jsonl"
TREES: Final = ("tree.json", "tree.md")
T = TypeVar("T", Row, Refusal)


@dataclass(slots=True)
class Saved:
    """What a folder holds: the working state, and what stands beside it.

    Attributes:
        found: Tree, rows, refusals, spending.
        settings: By stage (``domain``, ``grow``, ``fill``), what it was asked with; plain values.
        rounds: Committed so far, by stage.
        paid: Calls and USD that the endpoint counted, network repeats included; the same by step.
        seconds: That processes worked on it.
        stopped: Why the last process stopped early; empty otherwise.
        notes: What the reader should know: an edited tree, rows of removed tasks.
    """

    found: Exploration
    settings: dict[str, Any] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    paid: dict[str, Any] = field(default_factory=lambda: {"calls": 0, "usd": 0.0, "steps": []})
    seconds: float = 0.0
    stopped: str = ""
    notes: tuple[str, ...] = ()


@final
class ExploreFolder:
    """One exploration on disk, open for work by one process at a time.

    Example::

        with ExploreFolder(Path("out")).open() as folder:
            saved = folder.load()
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lengths = {ROWS: 0, REFUSED: 0}
        self._trees: dict[str, list[str]] = {name: [] for name in TREES}

    @property
    def exists(self) -> bool:
        """Whether an exploration was begun here."""
        return (self.path / STATE).is_file()

    @contextmanager
    def open(self, *, make: bool = False) -> Iterator[ExploreFolder]:
        """The folder, locked; made where asked.

        Raises:
            InputError: It is a file, holds something else, or no exploration and none is to be made.
            RunError: Another process works in it, or it cannot be written.
        """
        self._check(make)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with (self.path / ".lock").open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    raise RunError(
                        f"{self.path}: another process works in this folder; wait, or choose another --out"
                    ) from None
                yield self
        except OSError as error:
            raise _run_error(self.path, error) from error

    def begin(self, tree: DomainTree, settings: Mapping[str, Any]) -> Saved:
        """A new exploration of a tree, written down.

        Raises:
            InputError: There is one already.
        """
        if self.exists:
            raise InputError(f"{self.path}: holds an exploration already; choose another --out")
        saved = Saved(Exploration(tree.without_progress()), dict(settings))
        for name in (ROWS, REFUSED):
            write_atomically(self.path / name, b"")
        self.commit(saved)
        return saved

    def load(self) -> Saved:
        """What stands here, an edited tree taken in.

        Raises:
            InputError: There is no exploration, or one of another version.
            DataError: A file was damaged, or the edited tree cannot be read.
        """
        state = state_of(self.path / STATE)
        try:
            tree = DomainTree.from_json(state["tree"])
            self._lengths = {name: int(state["lengths"][name]) for name in (ROWS, REFUSED)}
            self._trees = {name: list(state["trees"].get(name, [])) for name in TREES}
            rows = [Row.from_json(value) for value in self._lines(ROWS)]
            refused = [Refusal.from_json(value) for value in self._lines(REFUSED)]
            saved = Saved(
                Exploration(tree, rows, refused, Spent(**state["spent"])),
                state["settings"],
                dict(state["rounds"]),
                dict(state["paid"]),
                float(state["seconds"]),
                state["stopped"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{self.path / STATE}: was damaged ({type(error).__name__}: {error}); restore it, or begin "
                "again in another folder: replies in the journal cost nothing"
            ) from None
        self._take_edits(saved)
        return saved

    def settings(self) -> dict[str, Any]:
        """What it was asked with so far; nothing is locked.

        Raises:
            InputError: There is no exploration.
            DataError: The file was damaged.
        """
        found: dict[str, Any] = state_of(self.path / STATE).get("settings", {})
        return found

    def commit(self, saved: Saved, progress: Progress | None = None) -> None:
        """Writes what a round brought: rows and refusals first, then the state that counts them.

        Raises:
            RunError: The disk is full, or refuses; the folder stands as after the last commit.
        """
        try:
            if progress is not None:
                self._append(ROWS, (row.to_json() for row in progress.rows))
                self._append(REFUSED, (one.to_json() for one in progress.refused))
                saved.rounds[progress.stage] = saved.rounds.get(progress.stage, 0) + 1
            plain = saved.found.tree.to_json()
            texts = {"tree.json": _json(plain), "tree.md": outline_of(saved.found.tree)}
            files = {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}
            for name, content in files.items():
                self._trees[name] = [*self._trees[name][-1:], digest(content)]
            write_atomically(self.path / STATE, state_bytes(self._described(saved) | {"tree": plain}))
            for name, content in files.items():
                write_atomically(self.path / name, content)
        except OSError as error:
            raise _run_error(self.path, error) from error

    def _described(self, saved: Saved) -> dict[str, Any]:
        return {
            "settings": saved.settings,
            "rounds": saved.rounds,
            "spent": asdict(saved.found.spent),
            "paid": saved.paid,
            "seconds": round(saved.seconds, 1),
            "stopped": saved.stopped,
            "lengths": self._lengths,
            "trees": self._trees,
        }

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        """The lines that count; what a process that died wrote after them is cut off."""
        file = self.path / name
        size = file.stat().st_size
        if size < self._lengths[name]:
            raise ValueError(f"{name} has {size} of {self._lengths[name]} bytes")
        if size > self._lengths[name]:
            self._cut(file, self._lengths[name])
        with file.open("rb") as stream:
            for line in stream:
                yield json.loads(line)

    def _cut(self, file: Path, length: int) -> None:
        with file.open("r+b") as stream:
            stream.seek(max(0, length - 1))
            if length and stream.read(1) != b"\n":
                raise ValueError(f"{file.name} was changed by hand: no line ends where its last one did")
            stream.truncate(length)

    def _append(self, name: str, values: Iterable[Mapping[str, Any]]) -> None:
        content = "".join(json_text(value) + "\n" for value in values).encode()
        if not content:
            return
        with (self.path / name).open("r+b") as file:
            file.truncate(self._lengths[name])
            file.seek(self._lengths[name])
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._lengths[name] += len(content)

    def _take_edits(self, saved: Saved) -> None:
        """A tree file that is none of the last two that were written here was edited by a person."""
        edited = [name for name in TREES if self._is_edited(name)]
        if len(edited) > 1:
            raise DataError(
                f"{self.path}: both {' and '.join(TREES)} were edited; delete one of them, the other is taken"
            )
        notes = []
        if edited:
            known = digest((self.path / edited[0]).read_bytes())
            gone = take_edit(saved.found, DomainTree.load(self.path / edited[0]))
            self._trees[edited[0]].append(known)  # a process that dies in `commit` must not take it in twice
            notes.append(
                f"{edited[0]} was edited: the tree now has {len(saved.found.tree)} tasks, {gone} were removed"
            )
        if unused := leave_unused(saved.found):
            notes.append(f"{unused} rows of removed tasks stand in {ROWS} and are not used")
        saved.notes = tuple(notes)

    def _is_edited(self, name: str) -> bool:
        try:
            content = (self.path / name).read_bytes()
        except FileNotFoundError:
            return False
        return digest(content) not in self._trees[name]

    def _check(self, make: bool) -> None:
        if "\0" in str(self.path):
            raise InputError(f"{str(self.path)!r}: no folder can have this name; choose another --out")
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: a file stands where the folder should be; choose another")
        if self.exists:
            return
        if not make:
            raise InputError(f"{self.path}: no exploration here; `kshot explore run` or `grow` begins one")
        if self.path.is_dir() and any(entry.name != ".lock" for entry in self.path.iterdir()):
            raise InputError(
                f"{self.path}: the folder is not empty and holds no exploration; choose another --out"
            )


def _json(value: Any) -> str:
    return json_text(value, indent=1) + "\n"


def _run_error(path: Path, error: OSError) -> RunError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return RunError(
            f"{path}: no space is left on the device; free some, and the same command goes on from here"
        )
    return RunError(f"{path}: cannot be read or written ({error.strerror or error})")
