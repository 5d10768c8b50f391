"""A pool while it is learned: records are appended, and a process that is killed loses none of them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Final, final

from kshot.errors import DataError, RunError
from kshot.methods.panda.pool.folder import (
    HEADER,
    INSIGHTS,
    LOCK,
    check_repeats,
    is_blank,
    read_header,
    write_header,
)
from kshot.methods.panda.pool.header import PoolHeader, now
from kshot.methods.panda.pool.lines import line_of, read_lines
from kshot.methods.panda.records import Insight

SYNC_EVERY: Final = 16  # records that a power cut may cost; a killed process costs none


@final
class PoolWriter:
    """A pool's folder, open for appending by one process and one thread at a time.

    ``open`` makes the folder or opens it again; what a killed process left half-written is cut off, and the
    records that are whole are held. Each record is one line, handed to the system at once and flushed to disk
    with the 16th and at the end.

    Attributes:
        notes: What ``open`` found and mended, in whole sentences.

    Example::

        with PoolWriter.open("pools/irony", header) as writer:
            for insight in learned:
                writer.append(insight)
    """

    def __init__(self, folder: Path, lock: IO[bytes], header: PoolHeader) -> None:
        """Use ``open``."""
        self.folder = folder
        self.notes: tuple[str, ...] = ()
        self._lock: IO[bytes] | None = lock
        self._header = header
        self._ids: set[str] = set()
        self._file: IO[bytes] | None = None
        self._unsynced = 0

    @classmethod
    def open(cls, folder: str | Path, header: PoolHeader) -> PoolWriter:
        """Makes the folder, or goes on where an earlier process ended.

        Raises:
            DataError: The folder is something else than a pool, its header says otherwise how insights
                are learned (both are named), or one of its lines is damaged.
            RunError: Another process learns into it, or it cannot be written.
        """
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder}: is a file; give a folder for the pool")
        if folder.is_dir() and not (folder / HEADER).is_file() and not is_blank(folder):
            raise DataError(f"{folder}: holds other things and no pool; give a new folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            writer = cls(folder, _locked(folder), header)
            try:
                writer._begin()
            except BaseException:
                writer._release()
                raise
        except OSError as error:
            raise _refused(folder, error) from error
        return writer

    @property
    def held(self) -> frozenset[str]:
        """Ids of the records that are in the pool by now."""
        return frozenset(self._ids)

    @property
    def header(self) -> PoolHeader:
        """The pool's, as it stands on the disk."""
        return self._header

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, insight_id: object) -> bool:
        return insight_id in self._ids

    def append(self, insight: Insight) -> bool:
        """Adds one record; False, and nothing is written, where the pool holds its id already.

        Raises:
            DataError: The record cannot be written as JSON.
            RunError: The writer is closed, or the disk refuses.
        """
        if self._file is None:
            raise RunError(f"{self.folder}: the pool is closed; open it again to add insights")
        insight_id = insight.id
        if insight_id in self._ids:
            return False
        line = line_of(insight)
        try:
            _write_whole(self._file, line)
            self._unsynced += 1
            if self._unsynced >= SYNC_EVERY:
                self._sync()
        except OSError as error:
            self._file.close()
            self._file = None  # a half line stands at the end: nothing more is written behind it
            raise _refused(self.folder, error) from error
        self._ids.add(insight_id)
        return True

    def close(self, counts: Mapping[str, int] | None = None) -> None:
        """Flushes everything, and writes counts and date into the header. A second call does nothing.

        Args:
            counts: Added to the header's: what was refused, what fell back.
        """
        if self._lock is None:
            return
        try:
            if self._file is not None:
                self._sync()
            held = dict(self._header.counts) | dict(counts or {}) | {"insights": len(self._ids)}
            self._header = replace(self._header, counts=held, updated=now())
            write_header(self.folder, self._header)
        except OSError as error:
            raise _refused(self.folder, error) from error
        finally:
            self._release()

    def __enter__(self) -> PoolWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        path = self.folder / INSIGHTS
        for leftover in self.folder.glob(".*.partial"):
            leftover.unlink()
        if (self.folder / HEADER).is_file():
            self._resume(read_header(self.folder), is_empty=_is_empty(path))
        else:
            created = now()
            self._header = replace(self._header, created=self._header.created or created, updated=created)
        write_header(self.folder, self._header)
        lines = read_lines(path)
        check_repeats(path, lines)
        if lines.unfinished:
            os.truncate(path, lines.whole)
            self._note(f"{path}: the last record was cut off when its process died; it is removed")
        self._ids = {insight.id for insight in lines.insights}
        self._file = path.open("ab", buffering=0)
        if lines.open_end:
            self._file.write(b"\n")
        self._sync()

    def _resume(self, found: PoolHeader, *, is_empty: bool) -> None:
        different = found.differences(self._header)
        if different and is_empty:  # nothing was learned: a mistyped model's name must not hold the folder
            self._note(f"{self.folder}: held no insight, so it is begun anew")
            self._header = replace(self._header, created=now(), updated=now())
            return
        if different:
            raise DataError(
                f"{self.folder}: the pool was begun otherwise: {'; '.join(different)} (pool, now); "
                "choose another folder, or learn as before"
            )
        if dict(found.endpoint) != dict(self._header.endpoint):
            self._note(f"{self.folder}: another endpoint than before, with the same model")
        asked = self._header
        self._header = replace(
            found,
            encoder=asked.encoder or found.encoder,
            embedder=asked.embedder or found.embedder,
            endpoint=asked.endpoint,
        )

    def _note(self, text: str) -> None:
        self.notes = (*self.notes, text)

    def _sync(self) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
        self._unsynced = 0

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _write_whole(file: IO[bytes], content: bytes) -> None:
    """Unbuffered, so that what was appended outlives this process; the system may take less than all."""
    while content:
        content = content[file.write(content) :]


def _is_empty(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _locked(folder: Path) -> IO[bytes]:
    lock = (folder / LOCK).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        told = "another process learns into this pool"
        raise RunError(f"{folder}: {told}; wait for it, or choose another folder") from None
    return lock


def _refused(folder: Path, error: OSError) -> RunError:
    return RunError(
        f"{folder}: the pool cannot be written ({error.strerror or error}); what is in it stays, "
        "and learning goes on from there"
    )
