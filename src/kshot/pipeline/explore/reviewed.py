"""What a person said of rows on the review page: rejected ones stay out of product and exports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kshot.errors import DataError
from kshot.methods.explore.records import Row

REVIEWS = "reviews.jsonl"
REJECT = "reject"


def without_rejected(place: Path, rows: Sequence[Row]) -> tuple[tuple[Row, ...], int]:
    """The rows that nobody rejected, and how many were; the last line of an id counts.

    Raises:
        DataError: The file of reviews was damaged.

    >>> from pathlib import Path
    >>> without_rejected(Path("nowhere"), ())
    ((), 0)
    """
    verdicts = _verdicts(place / REVIEWS)
    kept = tuple(row for row in rows if verdicts.get(row.id) != REJECT)
    return kept, len(rows) - len(kept)


def _verdicts(file: Path) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return found
    for number, line in enumerate(lines, start=1):
        try:
            vote = json.loads(line)
            found[vote["id"]] = vote["verdict"]
        except (ValueError, KeyError, TypeError):
            if number == len(lines):
                break  # half a line: a page that died while it wrote
            raise DataError(
                f"{file}:{number}: no verdict; expected id and verdict, as the page writes"
            ) from None
    return found
