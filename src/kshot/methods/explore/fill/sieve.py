"""What repeats: exact repeats and near ones, judged against all kept rows, mostly before their commit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from kshot.data.example import normalised
from kshot.measure.overlap import DistinctTexts
from kshot.methods.explore.fill.options import Scope
from kshot.methods.explore.records import Item, Row

REPEAT: Final = "repeat"
OVERLAP: Final = "overlap"
_Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Why a row is not new.

    Attributes:
        rule: ``repeat`` for the same instruction and input but for case and blanks; else ``overlap``.
        score: ROUGE-L F, where it is an overlap.
        near: Id of the kept row.
    """

    rule: str
    score: float | None = None
    near: str = ""


@final
class Sieve:
    """Decides which rows are new, in the order in which they are offered.

    The comparison with what was kept before a round is the costly one. It can be made as soon as a reply
    is there, while others are under way: ``known`` before the first ``offer`` of a round gives the same
    answers at any time. What a round keeps is compared within the round, in ``offer``, and joins the rest
    with ``settle``; the index takes it in when it is next asked, when requests are under way again.

    Args:
        rows: Kept already.
        overlap: ROUGE-L F of instructions above which a row repeats another.
        scope: ``tree`` compares with all rows, ``per_node`` with those of the same task.
        seeds: Instructions that are nobody's row and may not be repeated either.

    >>> sieve = Sieve([], overlap=0.7)
    >>> item = Item("Name a red fruit.")
    >>> sieve.offer("a1", item, "row-1", known=sieve.known("a1", item)) is None
    True
    >>> sieve.offer("b2", Item("Name a round red fruit."), "row-2").near
    'row-1'
    """

    def __init__(
        self, rows: Iterable[Row], *, overlap: float, scope: Scope = "tree", seeds: Iterable[str] = ()
    ) -> None:
        self._overlap = overlap
        self._is_split = scope == "per_node"
        self._exact: dict[_Key, str] = {}
        self._settled: dict[str, _Named] = {}
        self._round: dict[str, _Named] = {}
        for number, text in enumerate(seeds):
            self._of(self._settled, "").add(text, f"seed:{number}")
        for row in rows:
            self._exact.setdefault(self._key(row.node, row.item), row.id)
            self._of(self._settled, row.node).add(row.item.instruction, row.id)

    def known(self, node: str, item: Item) -> Repeat | None:
        """What a row repeats of what was kept before this round."""
        if same := self._exact.get(self._key(node, item)):
            return Repeat(REPEAT, near=same)
        return self._of(self._settled, node).near(item.instruction)

    def offer(self, node: str, item: Item, row: str, *, known: Repeat | None = None) -> Repeat | None:
        """Keeps a row that is new, and returns None; else what it repeats.

        Args:
            node: The row's task.
            item: The row.
            row: Its id.
            known: What ``known`` said of it.
        """
        key = self._key(node, item)
        if same := self._exact.get(key):
            return Repeat(REPEAT, near=same)
        fresh = self._of(self._round, node)
        found = fresh.near(item.instruction)
        if known is not None:  # the earlier one of two that come equally near
            return known if found is None or (known.score or 1.0) >= (found.score or 0.0) else found
        if found is None:
            self._exact[key] = row
            fresh.add(item.instruction, row)
        return found

    def settle(self) -> None:
        """Ends a round: what it kept counts as kept before."""
        for scope, fresh in self._round.items():
            settled = self._settled.setdefault(scope, _Named(self._overlap))
            for text, row in fresh.all():
                settled.add(text, row)
        self._round = {}

    def _key(self, node: str, item: Item) -> _Key:
        return (node if self._is_split else "", normalised(item.instruction), normalised(item.input))

    def _of(self, indexes: dict[str, _Named], node: str) -> _Named:
        return indexes.setdefault(node if self._is_split else "", _Named(self._overlap))


@final
class _Named:
    """Distinct texts with the ids of their rows; texts join the index when it is asked."""

    def __init__(self, overlap: float) -> None:
        self._texts = DistinctTexts(threshold=overlap)
        self._rows: list[tuple[str, str]] = []

    def add(self, text: str, row: str) -> None:
        self._rows.append((text, row))

    def all(self) -> list[tuple[str, str]]:
        return self._rows

    def near(self, text: str) -> Repeat | None:
        for place in range(len(self._texts), len(self._rows)):
            self._texts.add(self._rows[place][0])
        found = self._texts.near(text)
        return None if found is None else Repeat(OVERLAP, found.score, self._rows[found.index][1])
