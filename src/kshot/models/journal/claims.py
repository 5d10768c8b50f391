"""Who asks what at this moment: rows that name a key, its owner and an end."""

# ruff: noqa: S608 - conditions are made of this package's own words; what others give travels as values

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence

from kshot.models.journal.owners import Owner, is_dead

PART = 400


def parts(keys: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Question marks and their values, so many at a time that SQLite takes them.

    >>> [marks for marks, _ in parts([b"a", b"b"])]
    ['?,?']
    """
    for start in range(0, len(keys), PART):
        part = list(keys[start : start + PART])
        yield ",".join("?" * len(part)), part


def claimed(
    connection: sqlite3.Connection,
    keys: Sequence[bytes],
    owner: Owner,
    *,
    expires: float,
    again: Collection[bytes] = (),
) -> list[bytes]:
    """Claims what nobody holds and nobody answered, in order; ``again`` may be asked though it is answered.

    Claims that have ended, or whose process has, hold nothing.
    """
    taken: set[bytes] = set()
    for marks, part in parts(keys):
        _free(connection, marks, part, owner)
        taken.update(
            key for (key,) in connection.execute(f"SELECT key FROM claims WHERE key IN ({marks})", part)
        )
        answered = connection.execute(
            "SELECT requests.key FROM requests JOIN calls ON calls.request = requests.id"
            f" AND calls.is_current = 1 WHERE requests.key IN ({marks})",
            part,
        )
        taken.update({key for (key,) in answered} - set(again))
    ours = [key for key in keys if key not in taken]
    connection.executemany(
        "INSERT INTO claims (key, owner, place, pid, started, expires) VALUES (?, ?, ?, ?, ?, ?)",
        ((key, owner.name, owner.place, owner.pid, owner.started, expires) for key in ours),
    )
    return ours


def renewed(
    connection: sqlite3.Connection, keys: Sequence[bytes], owner: Owner, *, expires: float
) -> set[bytes]:
    """Moves the end of the owner's claims; the keys that it still holds."""
    kept: set[bytes] = set()
    for marks, part in parts(keys):
        mine = f"key IN ({marks}) AND owner = ?"
        values = [*part, owner.name]
        connection.execute(f"UPDATE claims SET expires = ? WHERE {mine}", [expires, *values])
        kept.update(key for (key,) in connection.execute(f"SELECT key FROM claims WHERE {mine}", values))
    return kept


def released(connection: sqlite3.Connection, keys: Sequence[bytes], owner: Owner) -> None:
    """Deletes the owner's claims on the keys."""
    for marks, part in parts(keys):
        connection.execute(f"DELETE FROM claims WHERE key IN ({marks}) AND owner = ?", [*part, owner.name])


def all_released(connection: sqlite3.Connection, owner: Owner) -> None:
    """Deletes all claims of the owner, and those that have ended."""
    connection.execute("DELETE FROM claims WHERE owner = ? OR expires <= ?", [owner.name, time.time()])


def _free(connection: sqlite3.Connection, marks: str, keys: list[bytes], owner: Owner) -> None:
    """Deletes claims on the keys that have ended, by time or with their process."""
    connection.execute(f"DELETE FROM claims WHERE key IN ({marks}) AND expires <= ?", [*keys, time.time()])
    holders = connection.execute(
        f"SELECT DISTINCT owner, place, pid, started FROM claims WHERE key IN ({marks})", keys
    ).fetchall()
    for holder in (Owner(*row) for row in holders):
        if is_dead(holder, seen_from=owner.place):
            connection.execute("DELETE FROM claims WHERE owner = ?", [holder.name])
