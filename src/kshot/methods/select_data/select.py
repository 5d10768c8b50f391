"""Rows near the shots, without repeats: candidates first, then a walk that drops the less shot-like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kshot.data.selection import Drop, Selection
from kshot.errors import DataError
from kshot.measure.similarity import Doubles, cosines, duplicate_of, nearest
from kshot.methods.select_data.pool import Pool
from kshot.methods.select_data.rank import Ranking, Selector, Similarity
from kshot.models.base import Floats, Ints
from kshot.models.embed.rows import AnyFloats, PickedRows, Rows

REPEAT = "near-duplicate of a kept row"
NOT_NEAREST = "not among the nearest"


@dataclass(frozen=True, slots=True, eq=False)
class DataSelection:
    """What was chosen from a pool of N rows, and what was not.

    Attributes:
        kept: (C',) places in the pool, the most shot-like first.
        scores: (C',) best cosine of each to any shot.
        nearest: (C',) place of that shot.
        repeats: (R,) candidates that were dropped, the most shot-like first.
        repeat_of: (R,) the kept row that each repeats: the first whose cosine is above the threshold.
        repeat_scores: (R,) that cosine.
        best: (N,) best cosine of every row to any shot, within float32 rounding.
    """

    kept: Ints
    scores: Doubles
    nearest: Ints
    repeats: Ints
    repeat_of: Ints
    repeat_scores: Doubles
    best: Floats

    def selection(self) -> Selection:
        """Both sides over the whole pool; rows that were no candidates fall last, by index."""
        repeated = zip(
            self.repeats.tolist(), self.repeat_scores.tolist(), self.repeat_of.tolist(), strict=True
        )
        drops = [Drop(row, REPEAT, score, owner) for row, score, owner in repeated]
        others = np.ones(len(self.best), dtype=np.bool_)
        others[self.kept] = others[self.repeats] = False
        rest = np.flatnonzero(others).tolist()
        drops += [Drop(row, NOT_NEAREST, float(self.best[row])) for row in rest]
        return Selection(tuple(self.kept.tolist()), tuple(drops))


def select_data(
    shots: Rows,
    pool: Rows | Pool,
    *,
    count: int = 1000,
    threshold: float = 0.9,
    similarity: Similarity | Selector = "max",
    refill: bool = False,
) -> DataSelection:
    """The rows of a pool that are near the shots, no two of them near-duplicates.

    The selector's first ``count`` rows are candidates. They are walked by their best cosine to a shot,
    highest first (ties: the lower key), and a row stays if its cosine to every kept row is at most the
    threshold: of two near-duplicates the less shot-like one falls. With ``refill``, as many further
    candidates as are missing join and the walk begins anew, until ``count`` stay or the pool is used up.

    Args:
        shots: (K, D) unit vectors.
        pool: (N, D) unit vectors; with keys (``Pool``) no result depends on their order.
        count: Candidates; with ``refill``, rows to be kept.
        threshold: Above which cosine two rows repeat each other; 1 keeps all.
        similarity: Name of a selector, or one with options.
        refill: See above.

    Raises:
        DataError: As ``rank_pool``, or the count is below 1, or the threshold is no cosine.

    Source: arXiv 2408.15915, Alg. 2 and Eq. 13. Its deletion inside a loop over pairs depends on their order;
    this walk does not.

    >>> pool = np.array([[1, 0], [0.96, 0.28], [0, 1]], dtype=np.float32)
    >>> select_data(pool[:1], pool, count=2).kept.tolist()
    [0]
    >>> select_data(pool[:1], pool, count=2, refill=True).kept.tolist()
    [0, 2]
    """
    if count < 1:
        raise DataError(f"the count is {count}, expected at least 1")
    pool = pool if isinstance(pool, Pool) else Pool.of(pool)
    selector = similarity if isinstance(similarity, Selector) else Selector(similarity)
    ranking = Ranking(shots, pool, selector)
    asked = count
    while True:
        chosen = ranking.first(asked)
        rows, scores, near = _walk_order(shots, pool, chosen)
        owners = duplicate_of(PickedRows(pool.vectors, rows), threshold=threshold)
        missing = count - int((owners < 0).sum())
        if not refill or missing <= 0 or len(chosen) == len(pool):
            break
        asked = len(chosen) + max(missing, len(chosen) // 8)  # so that a pool of repeats ends soon, too
    last = _last_needed(owners, count)
    rows, scores, near, owners = rows[:last], scores[:last], near[:last], owners[:last]
    stays, falls = np.flatnonzero(owners < 0), np.flatnonzero(owners >= 0)
    return DataSelection(
        kept=rows[stays],
        scores=scores[stays],
        nearest=near[stays],
        repeats=rows[falls],
        repeat_of=rows[owners[falls]],
        repeat_scores=_likeness(pool.vectors, rows[falls], rows[owners[falls]]),
        best=ranking.best,
    )


def _walk_order(shots: Rows, pool: Pool, rows: Ints) -> tuple[Ints, Doubles, Ints]:
    """Candidates by best cosine to a shot, with that cosine and the shot; ties: the lower key."""
    if not len(rows):
        return rows, np.zeros(0), rows
    near, scores = nearest(PickedRows(pool.vectors, rows), shots, k=1)
    order = np.lexsort((rows, pool.keys[rows], -scores[:, 0]))
    return rows[order], scores[order, 0], near[order, 0]


def _last_needed(owners: Ints, count: int) -> int:
    """Where the walk has kept enough: what comes after was asked for in vain."""
    kept = np.flatnonzero(owners < 0)
    return int(kept[count]) if len(kept) > count else len(owners)


def _likeness(rows: Rows, left: Ints, right: Ints, *, step: int = 2048) -> Doubles:
    parts = [np.zeros(0)]
    for at in range(0, len(left), step):
        some: AnyFloats = rows[left[at : at + step]]
        parts.append(cosines(some, rows[right[at : at + step]]))
    return np.concatenate(parts)
