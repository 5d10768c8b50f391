"""Calls put into the tables, and taken out of them."""

# ruff: noqa: S608 - conditions are made of this package's own words; what others give travels as values

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from kshot.models.journal.call import Call
from kshot.models.journal.file import JournalFile
from kshot.models.journal.rows import INSERT, SOURCE, call_columns, request_columns

AT_ONCE = 2_000
Packed: TypeAlias = tuple[Call, bytes, str | bytes]


def packed_calls(calls: Iterable[Call]) -> list[Packed]:
    """Calls with key and body of their requests: what takes time, done before others are kept waiting."""
    return [(call, *request_columns(call)) for call in calls]


def insert(connection: sqlite3.Connection, calls: Iterable[Packed], *, replaces: bool) -> None:
    """Adds calls. The one that is found is the first finished one, or with ``replaces`` the last."""
    for call, key, body in calls:
        request = _request(connection, key, body)
        is_current = call.status == "done"
        if is_current and replaces:
            connection.execute(
                "UPDATE calls SET is_current = 0 WHERE request = ? AND is_current = 1", [request]
            )
        elif is_current:
            standing = "SELECT 1 FROM calls WHERE request = ? AND is_current = 1"
            is_current = connection.execute(standing, [request]).fetchone() is None
        connection.execute(INSERT, call_columns(call, request, is_current=is_current))


def delete(file: JournalFile, where: str, values: Sequence[Any]) -> int:
    """Deletes calls, and requests that have no call left; how many calls. Others may write in between."""
    count, last = 0, 0
    while True:
        with file.writing(durable=False) as connection:
            rows = connection.execute(
                f"SELECT calls.id, calls.request FROM {SOURCE} WHERE calls.id > ? AND {where}"
                " ORDER BY calls.id LIMIT ?",
                [last, *values, AT_ONCE],
            ).fetchall()
            if not rows:
                return count
            connection.executemany("DELETE FROM calls WHERE id = ?", ((call,) for call, _ in rows))
            connection.executemany(
                "DELETE FROM requests WHERE id = ? AND NOT EXISTS"
                " (SELECT 1 FROM calls WHERE calls.request = requests.id)",
                ((request,) for request in {request for _, request in rows}),
            )
        count, last = count + len(rows), rows[-1][0]


def forget_hits(file: JournalFile, *, step: str | None, model: str | None) -> None:
    """Deletes the counts of hits of a step, of a model, or all."""
    with file.writing(durable=False) as connection:
        connection.execute(
            "DELETE FROM hits WHERE (?1 IS NULL OR step = ?1) AND (?2 IS NULL OR model = ?2)", [step, model]
        )


def _request(connection: sqlite3.Connection, key: bytes, body: str | bytes) -> int:
    """The number of a request, which is written once."""
    row = connection.execute("SELECT id FROM requests WHERE key = ?", [key]).fetchone()
    if row is not None:
        return int(row[0])
    return int(
        connection.execute("INSERT INTO requests (key, body) VALUES (?, ?)", [key, body]).lastrowid or 0
    )
