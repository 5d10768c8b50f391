"""Selection: what was kept, what was dropped, and the reason for each drop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from kshot.errors import DataError


@dataclass(frozen=True, slots=True)
class Drop:
    """One dropped row.

    Attributes:
        index: Its place in the input.
        reason: Why, in the same words for the same reason: reasons are counted.
        score: The number that decided, where one did.
        neighbour: Place of the row that it repeats or resembles, in whatever list the method compared with.
    """

    index: int
    reason: str
    score: float | None = None
    neighbour: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Both sides of a choice among rows: every place of the input is kept or dropped, exactly once.

    ``kept`` is in the method's own order of preference, ``dropped`` in the order in which rows fell.

    >>> chosen = Selection(kept=(2, 0), dropped=(Drop(1, "repeats a row", score=0.97, neighbour=2),))
    >>> len(chosen), chosen.counts()
    (3, {'repeats a row': 1})

    Raises:
        DataError: A place is missing, named twice, or outside the input.
    """

    kept: tuple[int, ...]
    dropped: tuple[Drop, ...] = ()

    def __post_init__(self) -> None:
        places = [*self.kept, *(drop.index for drop in self.dropped)]
        if sorted(places) != list(range(len(places))):
            twice = sorted(place for place, count in Counter(places).items() if count > 1)[:3]
            missing = sorted(set(range(len(places))) - set(places))[:3]
            raise DataError(
                f"a selection of {len(places)} rows must name each of 0 to {len(places) - 1} once; "
                f"named twice: {twice or 'none'}, missing: {missing or 'none'}"
            )

    def __len__(self) -> int:
        """How many rows there were to choose from."""
        return len(self.kept) + len(self.dropped)

    def counts(self) -> dict[str, int]:
        """How many rows fell for each reason; most frequent first, ties by name."""
        found = Counter(drop.reason for drop in self.dropped)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def rows(self) -> list[dict[str, Any]]:
        """One plain object for each row of the input, in input order, for reports."""
        kept = [{"index": index, "kept": True, "rank": rank} for rank, index in enumerate(self.kept)]
        dropped = [
            {"index": d.index, "kept": False, "reason": d.reason, "score": d.score, "neighbour": d.neighbour}
            for d in self.dropped
        ]
        return sorted([*kept, *dropped], key=lambda row: row["index"])
