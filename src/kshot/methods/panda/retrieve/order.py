"""In which order the records of a pool come into question: by cosine, or by maximal marginal relevance.

A score is the product of two float32 rows, summed in double and rounded to float32 once, so that it hangs
on the two rows alone. A float32 matrix-vector product, whose last bits hang on where a row stands, only rules
out what its rounding error cannot bring back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from kshot.measure.similarity import pair_scores, product_error
from kshot.models.base import Floats, Ints

FIRST: Final = 64  # records that are scored exactly at first


def scores_of(rows: Floats, query: Floats, places: Ints) -> Floats:
    """(P,) float32 scores of some rows with a query.

    >>> scores_of(np.eye(2, dtype=np.float32), np.array([0, 1], np.float32), np.array([1])).tolist()
    [1.0]
    """
    return pair_scores(query[None], rows, np.zeros(len(places), np.int64), places).astype(np.float32)


def by_score(rows: Floats, query: Floats) -> Iterator[tuple[int, float]]:
    """(place, score) of every row, score descending, then place; the far ones are sorted when asked for.

    >>> list(by_score(np.eye(2, dtype=np.float32), np.array([0, 1], np.float32)))
    [(1, 1.0), (0, 0.0)]
    """
    products = rows @ query  # (N,)
    margin = 2 * product_error(rows)
    told, size = 0, FIRST
    while told < len(rows):
        if size < len(rows):
            least = float(np.partition(products, len(rows) - size)[len(rows) - size])
            places = np.flatnonzero(products >= least)
        else:
            least, places = -np.inf, np.arange(len(rows))
        scores = scores_of(rows, query, places)
        order = np.lexsort((places, -scores))
        sure = int((scores >= least + margin).sum())  # no row outside can reach these
        for at in order[told:sure].tolist():
            yield int(places[at]), float(scores[at])
        told, size = max(told, sure), 4 * size


@final
class MarginalOrder:
    """The order of maximal marginal relevance: each next one depends on those that were taken so far.

    Args:
        rows: (N, d).
        query: (d,).
        weight: λ.
        floor: Rows with a lower score do not come.

    Example::

        order = MarginalOrder(rows, query, weight=0.5)
        for place, score in order:
            order.take(place)
    """

    def __init__(self, rows: Floats, query: Floats, *, weight: float, floor: float = -2.0) -> None:
        self._rows = rows
        self._query = query
        self._weight = weight
        self._products = (rows @ query).astype(np.float64)  # (N,)
        self._taken: list[int] = []
        self._nearest: NDArray[np.float64] = np.zeros(len(rows))  # (N,) to the nearest of those counted
        self._counted = 0  # of those taken: the last one's products may never be needed
        self._margin = 2 * product_error(rows)
        near = np.flatnonzero(self._products >= floor - self._margin)
        self._open = np.zeros(len(rows), np.bool_)
        self._open[near[scores_of(rows, query, near) >= floor] if floor > -1 else near] = True

    def __iter__(self) -> Iterator[tuple[int, float]]:
        while self._open.any():
            yield self._next()

    def _next(self) -> tuple[int, float]:
        """Place and score of the best of those that did not come yet."""
        self._count()
        values = self._weight * self._products - (1 - self._weight) * self._nearest
        values[~self._open] = -np.inf
        places = np.flatnonzero(values >= values.max() - self._margin)
        scores = scores_of(self._rows, self._query, places)
        exact = self._weight * scores.astype(np.float64) - (1 - self._weight) * self._repeated(places)
        best = int(np.lexsort((places, -scores, -exact))[0])
        self._open[places[best]] = False
        return int(places[best]), float(scores[best])

    def take(self, place: int) -> None:
        """Tells that this one is chosen."""
        self._taken.append(place)

    def _count(self) -> None:
        for place in self._taken[self._counted :]:
            products = (self._rows @ self._rows[place]).astype(np.float64)
            self._nearest = np.maximum(self._nearest, products) if self._counted else products
            self._counted += 1

    def _repeated(self, places: Ints) -> NDArray[np.float64]:
        """(P,) the highest exact score with one that is taken; 0 where none is."""
        if not self._taken:
            return np.zeros(len(places))
        found = [scores_of(self._rows, self._rows[taken], places) for taken in self._taken]
        highest: NDArray[np.float64] = np.stack(found).max(axis=0).astype(np.float64)
        return highest
