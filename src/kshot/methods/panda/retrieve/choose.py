"""Which records of an order are chosen, and why the others before them are not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import final

from kshot.data.example import normalised
from kshot.measure.overlap import f_measure, tokens
from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.records import Insight
from kshot.methods.panda.retrieve.options import (
    FAR,
    ITSELF,
    OVERLAPS,
    PASSED_OVER,
    SAME_KEY,
    TOO_LONG,
    Retrieval,
    entry_text,
)
from kshot.methods.panda.retrieve.order import MarginalOrder, by_score
from kshot.methods.panda.seams import Chosen, LeftOut, Retrieved
from kshot.models.base import Floats


def choose(
    pool: InsightPool,
    rows: Floats,
    query: Floats,
    options: Retrieval,
    *,
    key: str,
    names: Collection[str] = (),
) -> Retrieved:
    """The insights that one query gets, most similar first, and those that came into question.

    Checks stand in this order: the query itself, equal key, near-duplicate, token budget. Records below the
    floor are not looked at; as many of them are told as are missing to ``k``. With ``mmr``, so are those that
    the plain order would have taken.

    Args:
        pool: N insights.
        rows: (N, d) vectors of their keys.
        query: (d,) the query's vector.
        options: See ``Retrieval``.
        key: The query's key.
        names: Id and source of the query's row, for ``leave_one_out``.

    Example::

        choose(pool, rows, query, Retrieval(k=3), key="a text")
    """
    walk = _Walk(pool, rows, query, options)
    if options.k:
        walk.go(_Checks(options, key=key, names=names))
    ranked = sorted(walk.chosen.items(), key=lambda found: (-found[1], found[0]))
    return Retrieved(
        tuple(Chosen(pool[place], score) for place, score in ranked),
        (*walk.left_out.values(), *walk.passed_over(), *walk.below_the_floor()),
    )


@final
class _Walk:
    """One way through the order: who was chosen, with scores, and who was not."""

    def __init__(self, pool: InsightPool, rows: Floats, query: Floats, options: Retrieval) -> None:
        self._pool, self._rows, self._query, self._options = pool, rows, query, options
        self._floor = -2.0 if options.floor is None else options.floor
        self._stopped = False  # before the order came to its end, or to the floor
        self.chosen: dict[int, float] = {}
        self.left_out: dict[int, LeftOut] = {}

    def go(self, checks: _Checks) -> None:
        options, marginal = self._options, None
        order = by_score(self._rows, self._query)
        if options.mmr is not None:
            marginal = MarginalOrder(self._rows, self._query, weight=options.mmr, floor=self._floor)
            order = iter(marginal)
        for place, score in order:
            if score < self._floor:
                return  # so are all that follow
            reason = checks.reason(self._pool[place])
            if reason:
                self.left_out[place] = LeftOut(self._pool[place], score, reason)
            else:
                self.chosen[place] = score
                checks.take(self._pool[place])
                if marginal is not None:
                    marginal.take(place)
            looked_at = len(self.chosen) + len(self.left_out)
            self._stopped = len(self.chosen) == options.k or looked_at >= max(options.reach, options.k)
            if self._stopped:
                return

    def passed_over(self) -> Iterator[LeftOut]:
        """Those that the plain order would have come to first."""
        if self._options.mmr is None:
            return
        for place, score in islice(by_score(self._rows, self._query), self._options.k):
            if score >= self._floor and place not in self.chosen and place not in self.left_out:
                yield LeftOut(self._pool[place], score, PASSED_OVER)

    def below_the_floor(self) -> Iterator[LeftOut]:
        """The nearest of them, as many as are missing to ``k``."""
        if self._options.floor is None or self._stopped:
            return
        below = (found for found in by_score(self._rows, self._query) if found[1] < self._floor)
        for place, score in islice(below, self._options.k - len(self.chosen)):
            yield LeftOut(self._pool[place], score, FAR)


@final
class _Checks:
    """What speaks against a record, given those that are chosen."""

    def __init__(self, options: Retrieval, *, key: str, names: Collection[str]) -> None:
        self._options = options
        self._query_key = normalised(key) if options.leave_one_out else ""
        self._names = frozenset(name for name in names if name) if options.leave_one_out else frozenset()
        self._keys: set[str] = set()
        self._texts: list[list[str]] = []
        self._left = options.token_budget

    def reason(self, insight: Insight) -> str:
        options = self._options
        if options.leave_one_out and self._is_query(insight):
            return ITSELF
        if options.distinct_keys and insight.key in self._keys:
            return SAME_KEY
        if options.overlap is not None and self._texts:
            words = tokens(insight.explanation)
            if any(f_measure(words, other) > options.overlap for other in self._texts):
                return OVERLAPS
        if self._left is not None and options.count(entry_text(insight)) > self._left:
            return TOO_LONG
        return ""

    def take(self, insight: Insight) -> None:
        self._keys.add(insight.key)
        if self._options.overlap is not None:
            self._texts.append(tokens(insight.explanation))
        if self._left is not None:
            self._left -= self._options.count(entry_text(insight))

    def _is_query(self, insight: Insight) -> bool:
        sources = {insight.source, insight.preference.source if insight.preference else ""}
        return bool(sources & self._names) or normalised(insight.key) == self._query_key
