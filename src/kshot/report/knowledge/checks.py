"""Whether names and tables of facts fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from kshot.errors import DataError


def each_once(where: str, names: Iterable[str]) -> None:
    """Names that head columns and rows must be unique.

    Raises:
        DataError: A name stands there twice; ``where`` tells where.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{where}: {twice[0]!r} stands there more than once; names must be unique")


def fits(where: str, table: Sequence[Sequence[float]], shape: tuple[int, int]) -> None:
    """A table must have as many rows and columns as there are names.

    Raises:
        DataError: It does not; ``where`` tells where.
    """
    widths = sorted({len(row) for row in table})
    if len(table) != shape[0] or widths not in ([], [shape[1]]):
        raise DataError(
            f"{where}: found {len(table)} rows of {widths} figures, expected {shape[0]} rows of {shape[1]}"
        )
