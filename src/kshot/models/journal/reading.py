"""Calls read from the tables: one by key, all in order, and their sums."""

# ruff: noqa: S608 - conditions are made of this package's own words; what others give travels as values

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kshot.data.atomic import write_atomically
from kshot.errors import InputError, RunError
from kshot.models.journal.call import Call, StepUsage
from kshot.models.journal.claims import parts
from kshot.models.journal.file import JournalFile
from kshot.models.journal.rows import COLUMNS, SOURCE, call_of

AT_ONCE = 200
LONGEST_KEY = 64
USAGE = """
SELECT step, model, sum(calls), sum(failed), sum(hits), sum(prompt_tokens), sum(completion_tokens), sum(usd),
  sum(unpriced), sum(seconds), sum(saved)
FROM (
  SELECT step, model, count(*) AS calls, sum(status = 'failed') AS failed, 0 AS hits,
    sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens, sum(usd) AS usd,
    sum(price_prompt IS NULL) AS unpriced, sum(latency_s) AS seconds, 0.0 AS saved
  FROM calls GROUP BY step, model
  UNION ALL SELECT step, model, 0, 0, count, 0, 0, 0.0, 0, 0.0, usd FROM hits)
GROUP BY step, model ORDER BY step, model
"""


def finished(file: JournalFile, keys: Sequence[bytes]) -> dict[bytes, Call]:
    """The reply that stands for each key, where there is one."""
    found = {}
    for marks, part in parts(keys):
        with file.reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM requests JOIN calls ON calls.request = requests.id"
                f" AND calls.is_current = 1 WHERE requests.key IN ({marks})",
                part,
            ).fetchall()
        found.update({row[0]: call_of(row) for row in rows})
    return found


def in_order(
    file: JournalFile, where: str, values: Sequence[Any], *, limit: int | None = None
) -> Iterator[Call]:
    """Calls as they were settled, a few at a time, so that a slow reader holds up nobody.

    ``limit``: at most so many, from the first; where it is negative, the last ones.
    """
    last, left = 0, limit
    if limit is not None and limit < 0:
        last, left = _before_the_last(file, where, values, -limit), None
    while left is None or left > 0:
        with file.reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS}, calls.id FROM {SOURCE} WHERE calls.id > ? AND {where}"
                " ORDER BY calls.id LIMIT ?",
                [last, *values, AT_ONCE if left is None else min(left, AT_ONCE)],
            ).fetchall()
        if not rows:
            return
        last, left = rows[-1][-1], None if left is None else left - len(rows)
        yield from (call_of(row[:-1]) for row in rows)


def matching(file: JournalFile, digits: str, *, limit: int) -> tuple[Call, ...]:
    """Calls whose key begins so, as they were settled.

    Raises:
        InputError: These are no digits of a key.
    """
    values = [*key_range(digits), limit]
    with file.reading() as connection:
        rows = connection.execute(  # CROSS JOIN: by the key first, however SQLite guesses
            f"SELECT {COLUMNS} FROM requests CROSS JOIN calls ON calls.request = requests.id"
            " WHERE requests.key BETWEEN ? AND ? ORDER BY calls.id LIMIT ?",
            values,
        ).fetchall()
    return tuple(call_of(row) for row in rows)


def key_range(digits: str) -> tuple[bytes, bytes]:
    """The first and the last key that begin so.

    Raises:
        InputError: These are no digits of a key.

    >>> [key.hex()[:6] for key in key_range("a7f")]
    ['a7f0', 'a7ffff']
    """
    plain = digits.strip().lower()
    if not plain or set(plain) - set("0123456789abcdef") or len(plain) > LONGEST_KEY:
        raise InputError(
            f"{digits!r}: a key is made of the digits 0-9 and a-f; `kshot calls list` shows them"
        )
    return bytes.fromhex(plain + "0" * (len(plain) % 2)), bytes.fromhex(plain.ljust(LONGEST_KEY, "f"))


def usage(file: JournalFile) -> tuple[StepUsage, ...]:
    """Sums by step, then model."""
    with file.reading() as connection:
        return tuple(StepUsage(*row) for row in connection.execute(USAGE).fetchall())


def write_jsonl(path: Path, calls: Iterable[Call]) -> int:
    """One call a line, whole or not at all; how many.

    Raises:
        RunError: It cannot be written.
    """
    count = 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for call in calls:
            count += 1
            yield _line(call.to_json())

    try:
        write_atomically(path, lines())
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
    return count


def _before_the_last(file: JournalFile, where: str, values: Sequence[Any], count: int) -> int:
    """The number after which the last ``count`` calls stand."""
    with file.reading() as connection:
        row = connection.execute(
            f"SELECT calls.id FROM {SOURCE} WHERE {where} ORDER BY calls.id DESC LIMIT 1 OFFSET ?",
            [*values, count],
        ).fetchone()
    return int(row[0]) if row else 0


def _line(plain: dict[str, Any]) -> bytes:
    try:
        return (json.dumps(plain, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # half an emoji is no UTF-8
        return (json.dumps(plain) + "\n").encode()
