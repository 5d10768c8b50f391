"""The journal: find what was paid for, claim what was not, settle what came."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Self, TypeAlias, final, get_args

from kshot.errors import InputError
from kshot.models.journal import claims, reading, writing
from kshot.models.journal.call import Call, Moment, Status, StepUsage
from kshot.models.journal.file import JournalFile
from kshot.models.journal.hits import Hits, write_hits
from kshot.models.journal.keys import key_bytes
from kshot.models.journal.owners import this_process
from kshot.models.journal.selection import Chosen

Mode: TypeAlias = Literal["use", "refresh", "read_only", "off"]


@final
class Journal:
    """Finished replies by the content of their request, for threads and processes at once.

    A reply is written before it is used, so a killed process loses what was in flight and nothing else. Of
    two replies to one request the first stays the one that is found (in mode ``refresh`` the last); all are
    kept for the bill.

    Args:
        path: The file; it and its folder are made where they may be. Not on a network drive: SQLite's
            write-ahead log needs memory that all its processes share.
        mode: ``use`` finds and writes. ``refresh`` finds only what this object wrote and asks the rest anew.
            ``read_only`` finds and never writes. ``off`` does neither; the file is not even made.
        owner: A name that claims carry, to tell runs apart.
        lease_s: A claim that is not renewed ends after so many seconds; that of a dead process of this
            machine ends at once.
        wait_s: How long another process's writing is waited for.

    Raises:
        InputError: An unknown mode, or a file that is no journal of ours.
        RunError: The system refuses the file, or it is damaged.

    >>> import tempfile
    >>> from kshot.models.journal import Call, Journal, request_key
    >>> request = {"model": "m", "messages": [{"role": "user", "content": "2 + 2?"}]}
    >>> key = request_key(request)
    >>> with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "calls.sqlite") as journal:
    ...     ours = journal.claim([key])
    ...     journal.settle(Call(key, "m", request=request, text="4"))
    ...     len(ours), journal.find(key).text, journal.claim([key])
    (1, '4', set())
    """

    def __init__(
        self,
        path: Path | str,
        *,
        mode: Mode = "use",
        owner: str | None = None,
        lease_s: float = 600.0,
        wait_s: float = 30.0,
    ) -> None:
        if mode not in get_args(Mode):
            raise InputError(f"mode {mode!r} of a journal is none of {', '.join(get_args(Mode))}")
        self.path = Path(path).expanduser()
        self.mode: Mode = mode
        self._name = owner
        self._lease_s = lease_s
        self._file: JournalFile | None = None
        if mode != "off":
            self._file = JournalFile(self.path, read_only=mode == "read_only", wait_s=wait_s)
        self._owner = this_process(owner)
        self._written: set[bytes] = set()
        self._hits = Hits()
        self._lock = threading.Lock()

    @property
    def owner(self) -> str:
        """The unique name under which this object claims."""
        self._here()
        return self._owner.name

    def find(self, key: str, *, is_hit: bool = True) -> Call | None:
        """The finished reply to a request, or None. ``is_hit``: it is used, and counted as such."""
        return self.find_many([key], is_hit=is_hit).get(key)

    def find_many(self, keys: Iterable[str], *, is_hit: bool = True) -> dict[str, Call]:
        """Finished replies by key; keys without one are left out."""
        file = self._here()
        if file is None:
            return {}
        wanted = {key_bytes(key): key for key in keys}
        if self.mode == "refresh":
            with self._lock:
                wanted = {key: name for key, name in wanted.items() if key in self._written}
        found = {wanted[key]: call for key, call in reading.finished(file, list(wanted)).items()}
        if is_hit and self.mode != "read_only":
            self._hits.add(found.values())
        return found

    def claim(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are now ours to ask; the others are answered, or being asked by somebody.

        Whoever is told "not ours" waits, looks with ``find``, and claims again: the other may have failed.

        Raises:
            InputError: A reply is missing, and the mode is ``read_only``.
        """
        file = self._here()
        if file is None:
            return set(keys)
        wanted = {key_bytes(key): key for key in keys}
        if self.mode == "read_only":
            missing = len(wanted) - len(self.find_many(keys, is_hit=False))
            if missing:
                raise InputError(
                    f"{self.path}: {missing} of {len(wanted)} replies are not in the journal, and its mode "
                    "is read_only; allow calls (mode use), or run on the journal that holds them"
                )
            return set()
        with self._lock:
            again = set(wanted) - self._written if self.mode == "refresh" else set()
        with file.writing(durable=False) as connection:  # no claim outlives a power cut anyway
            ours = claims.claimed(
                connection, list(wanted), self._owner, expires=time.time() + self._lease_s, again=again
            )
        return {wanted[key] for key in ours}

    def renew(self, keys: Sequence[str]) -> set[str]:
        """Claims held for another lease; those of the keys that are still ours."""
        file = self._here()
        if file is None:
            return set(keys)
        self._may_write()
        wanted = {key_bytes(key): key for key in keys}
        with file.writing(durable=False) as connection:
            kept = claims.renewed(connection, list(wanted), self._owner, expires=time.time() + self._lease_s)
        return {wanted[key] for key in kept}

    def release(self, keys: Sequence[str]) -> None:
        """Gives claims back without a reply, so that anybody may ask."""
        file = self._here()
        if file is None or not keys:
            return
        self._may_write()
        with file.writing(durable=False) as connection:
            claims.released(connection, [key_bytes(key) for key in keys], self._owner)

    def settle(self, call: Call) -> None:
        """Writes a reply or a failure, and ends our claim on it; see ``settle_many``."""
        self.settle_many([call])

    def settle_many(self, calls: Sequence[Call]) -> None:
        """Writes calls in one transaction. When this returns, neither a kill nor a power cut undoes it."""
        file = self._here()
        if file is None or not calls:
            return
        self._may_write()
        packed, hits = writing.packed_calls(calls), self._hits.taken()
        try:
            with file.writing() as connection:
                writing.insert(connection, packed, replaces=self.mode == "refresh")
                claims.released(connection, [key for _, key, _ in packed], self._owner)
                write_hits(connection, hits)
        except BaseException:
            self._hits.put_back(hits)
            raise
        if self.mode == "refresh":
            with self._lock:
                self._written.update(key for call, key, _ in packed if call.status == "done")

    def calls(
        self,
        *,
        step: str | None = None,
        model: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        status: Status | None = None,
        limit: int | None = None,
    ) -> Iterator[Call]:
        """Calls in the order in which they were settled, finished and failed ones.

        ``since`` is the first moment that counts, ``until`` the first that counts no more. ``limit``: at most
        so many, from the first; where it is negative, the last ones.
        """
        chosen = Chosen(step=step, model=model, since=since, until=until, status=status)
        file = self._here()
        return iter(()) if file is None else reading.in_order(file, *chosen.where(), limit=limit)

    def matching(self, key: str, *, limit: int = 100) -> tuple[Call, ...]:
        """All calls whose key begins with these digits, in the order in which they were settled."""
        file = self._here()
        return () if file is None else reading.matching(file, key, limit=limit)

    def usage(self) -> tuple[StepUsage, ...]:
        """What each step paid each model, and how often replies were used again; by step, then model."""
        file = self._here()
        if file is None:
            return ()
        self._write_hits(file)
        return reading.usage(file)

    def export(
        self,
        path: Path,
        *,
        step: str | None = None,
        model: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        status: Status | None = None,
    ) -> int:
        """Writes calls as JSONL, whole or not at all; how many. The file holds prompts and replies.

        Raises:
            InputError: It is the journal itself.
            RunError: It cannot be written.
        """
        if path.resolve() == self.path.resolve():
            raise InputError(f"{path}: this is the journal itself; choose another file for the export")
        chosen = self.calls(step=step, model=model, since=since, until=until, status=status)
        return reading.write_jsonl(path, chosen)

    def clear(
        self,
        *,
        step: str | None = None,
        model: str | None = None,
        before: Moment | None = None,
        keys: Iterable[str] | None = None,
    ) -> int:
        """Deletes calls, gives their room back, and leaves no trace of their texts in the file; how many.

        Raises:
            InputError: The mode is ``read_only``.
        """
        file = self._here()
        if file is None:
            return 0
        self._may_write()
        where, values = Chosen(step=step, model=model, until=before).where()
        if keys is None:
            count = writing.delete(file, where, values)
        else:
            count = sum(
                writing.delete(file, f"{where} AND requests.key IN ({marks})", [*values, *part])
                for marks, part in claims.parts([key_bytes(key) for key in keys])
            )
        if keys is None and before is None:
            writing.forget_hits(file, step=step, model=model)
        file.shrink()
        return count

    def close(self) -> None:
        """Gives back what is still claimed, and ends it; a second time does nothing."""
        file = self._here()
        if file is None or file.is_closed:
            return
        try:
            if self.mode != "read_only":
                self._write_hits(file)
                with file.writing(durable=False) as connection:
                    claims.all_released(connection, self._owner)
        finally:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _write_hits(self, file: JournalFile) -> None:
        """Writes down what was counted since the last transaction."""
        hits = self._hits.taken()
        if hits:
            with file.writing(durable=False) as connection:
                write_hits(connection, hits)

    def _here(self) -> JournalFile | None:
        """The file; None in mode ``off``. After a fork the child is another owner who has counted nothing."""
        if self._owner.pid != os.getpid():
            self._owner = this_process(self._name)
            self._lock = threading.Lock()
            self._hits = Hits()
        return self._file

    def _may_write(self) -> None:
        if self.mode == "read_only":
            raise InputError(f"{self.path}: its mode is read_only, nothing is written; open it with mode use")
