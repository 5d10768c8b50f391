"""One SQLite file for all threads: what is read, and what is written in one go."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from kshot.errors import RunError
from kshot.models.journal.opening import connected, opened
from kshot.models.journal.refusals import ELSEWHERE, explained

PAGES_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class _Held:
    """What one process holds of the file."""

    pid: int
    inode: int
    writer: sqlite3.Connection
    reader: sqlite3.Connection
    writing: threading.Lock = field(default_factory=threading.Lock)
    reading: threading.Lock = field(default_factory=threading.Lock)


# SQLite's connections must be neither used nor closed on the other side of a fork
_of_the_parent: list[_Held] = []


@final
class JournalFile:
    """Two connections to one file, for all threads: one reads while the other writes.

    Raises:
        InputError: It is no journal, or another program's, or a newer kshot's; or it is missing and must
            not be made.
        RunError: The system refuses it, it is damaged, or others hold it for longer than ``wait_s``.

    Example::

        with JournalFile(path).writing() as connection:
            connection.execute("DELETE FROM claims")
    """

    def __init__(self, path: Path, *, read_only: bool = False, wait_s: float = 30.0) -> None:
        self.path = path
        self.is_closed = False
        self._read_only = read_only
        self._wait_s = wait_s
        self._now = self._held()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection that reads; one thread at a time. Every statement sees what is settled by then."""
        held = self._mine()
        with held.reading, self._explained():
            self._check_open()
            yield held.reader

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it or nothing. ``durable`` waits until the disk has it."""
        held = self._mine()
        with held.writing, self._explained():
            self._check_open()
            self._check_place(held)
            writer = held.writer
            writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            writer.execute("BEGIN IMMEDIATE")
            try:
                yield writer
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise

    def shrink(self) -> None:
        """Gives freed pages back to the system, a few at a time, and empties the write-ahead log."""
        held = self._mine()
        before, left = -1, 0
        while left != before:
            before = left
            with held.writing, self._explained():
                self._check_open()
                held.writer.execute(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})").fetchall()
                (left,) = held.writer.execute("PRAGMA freelist_count").fetchone()
        with held.writing, self._explained():
            held.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Ends it; a second time does nothing."""
        held = self._now
        if self.is_closed or held.pid != os.getpid():
            return
        with held.writing, held.reading:
            self.is_closed = True
            held.writer.close()
            held.reader.close()

    def _mine(self) -> _Held:
        """This process's connections: a child that was forked opens its own."""
        if self._now.pid != os.getpid():
            _of_the_parent.append(self._now)
            self._now = self._held()
        return self._now

    def _held(self) -> _Held:
        with self._explained():
            try:
                writer = opened(self.path, read_only=self._read_only, wait_s=self._wait_s)
                reader = writer
                if not self._read_only:
                    reader = connected(self.path, "rw", self._wait_s)
                    reader.execute("PRAGMA query_only = 1")
                return _Held(os.getpid(), self.path.stat().st_ino, writer, reader)
            except OSError as error:
                said = error.strerror or error
                raise RunError(f"{self.path}: cannot be made or opened ({said}); {ELSEWHERE}") from error

    def _check_open(self) -> None:
        if self.is_closed:
            raise RunError(f"{self.path}: this journal is closed; open it anew")

    def _check_place(self, held: _Held) -> None:
        """What is written into a file that was deleted is lost without a word."""
        try:
            is_there = self.path.stat().st_ino == held.inode
        except OSError:
            is_there = False
        if not is_there:
            raise RunError(
                f"{self.path}: the journal was moved or deleted while in use, so nothing is written any "
                "more; put it back, or start anew"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explained(self.path, error, waited_s=self._wait_s) from error
