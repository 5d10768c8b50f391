"""Verdicts of a person on disk: appended line by line, so that none is lost; the last of an id counts."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, final

from kshot.data.formats.json_rows import parse_row
from kshot.errors import DataError, RunError, collected


@dataclass(frozen=True, slots=True)
class Vote:
    """What a person said of one card; ``verdict`` is None where only a note was written."""

    verdict: str | None = None
    note: str = ""


NONE = Vote()


@final
class VoteFile:
    """One JSON object a line: id, verdict (null where it was taken back), note, time; ``undo`` of an undoing.

    Open for one process at a time; within it for any number of threads. Each line is on the disk when
    ``put`` or ``undo`` returns.

    Args:
        path: Made if absent; its folder is there.
        verdicts: What a verdict may be.

    Raises:
        DataError: The file holds something else.
        RunError: Another process has it open, or it cannot be written.

    Example::

        with VoteFile(Path("reviews.jsonl"), ("accept", "reject")) as votes:
            votes.put("row-7", "accept")
    """

    def __init__(self, path: Path, verdicts: Sequence[str]) -> None:
        self.path = path
        self._verdicts = tuple(verdicts)
        self._lock = threading.Lock()
        self._history: dict[str, list[Vote]] = {}
        self._file = self._opened()
        try:
            self._replay()
        except DataError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets another process open the file."""
        self._file.close()

    def __getitem__(self, identity: str) -> Vote:
        """The vote on a card; an empty one where there is none."""
        found = self._history.get(identity)
        return found[-1] if found else NONE

    def put(self, identity: str, verdict: str | None, note: str = "") -> Vote:
        """Writes a vote down.

        Raises:
            DataError: The verdict is none of those that are known.
            RunError: The file cannot be written; the vote does not count.
        """
        if verdict is not None and verdict not in self._verdicts:
            raise DataError(f"verdict {verdict!r}; expected {', '.join(self._verdicts)}")
        with self._lock:
            vote = Vote(verdict, note)
            self._write(identity, vote)
            self._history.setdefault(identity, []).append(vote)
        return vote

    def undo(self, identity: str) -> Vote:
        """Takes the last vote on a card back; the one before it counts again.

        Raises:
            RunError: The file cannot be written; nothing is taken back.
        """
        with self._lock:
            found = self._history.get(identity, [])
            if not found:
                return NONE
            before = found[-2] if len(found) > 1 else NONE
            self._write(identity, before, undo=True)
            found.pop()
        return before

    def _opened(self) -> IO[bytes]:
        try:
            file = self.path.open("a+b")
        except OSError as error:
            raise RunError(f"{self.path}: cannot be opened ({error.strerror or error})") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise RunError(f"{self.path}: another process keeps votes here; end it first") from None
        return file

    def _write(self, identity: str, vote: Vote, *, undo: bool = False) -> None:
        line: dict[str, Any] = {"id": identity, "verdict": vote.verdict}
        line |= {"note": vote.note} if vote.note else {}
        line |= {"undo": True} if undo else {}
        line["time"] = datetime.now(UTC).isoformat(timespec="seconds")
        data = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        end = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._cut(end)
            raise RunError(f"{self.path}: the vote cannot be written ({error.strerror or error})") from error

    def _cut(self, end: int) -> None:
        """No half line stays behind a full disk."""
        try:
            os.ftruncate(self._file.fileno(), end)
        except OSError:
            return

    def _replay(self) -> None:
        self._file.seek(0)
        wrong: list[str] = []
        whole = 0
        for number, raw in enumerate(self._file, start=1):
            if not raw.endswith(b"\n"):  # of a process that died while it wrote
                break
            whole += len(raw)
            problem = self._take(raw) if raw.strip() else ""
            if problem:
                wrong.append(f"{self.path}:{number}: {problem}")
        if wrong:
            raise DataError(collected(wrong))
        os.ftruncate(self._file.fileno(), whole)

    def _take(self, raw: bytes) -> str:
        """One line; gives what is wrong with it."""
        try:
            values = parse_row(raw.decode("utf-8"))
        except UnicodeDecodeError:
            return "the bytes are no UTF-8"
        if isinstance(values, str):
            return values
        identity, verdict, note = values.get("id"), values.get("verdict"), values.get("note", "")
        if not isinstance(identity, str) or not isinstance(note, str):
            return "expected an object with id and verdict"
        if verdict is not None and verdict not in self._verdicts:
            return f"verdict {verdict!r}; expected {', '.join(self._verdicts)}"
        history = self._history.setdefault(identity, [])
        if values.get("undo") is True:
            del history[-1:]
        else:
            history.append(Vote(verdict, note))
        return ""
