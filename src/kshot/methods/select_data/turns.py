"""Shots take turns: each takes its best row that no other has taken."""

from __future__ import annotations

from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.measure.similarity import Doubles, pair_scores, product_error, unit_blocks
from kshot.methods.select_data.pool import Pool
from kshot.models.base import Floats, Ints

BLOCK_ROWS = 1024
_LISTED = 1 << 22  # entries of all lists in one pass
_WAITING = 1 << 16  # pairs that wait for a place in a list, at least

_Pairs: TypeAlias = tuple[Ints, Ints, Doubles]  # shots, rows, scores


def in_turns(shots: Floats, pool: Pool, *, count: int) -> Ints:
    """The rows that are taken, in the order of the turns; the shots take theirs in their own order.

    Before a shot takes its last row of m listed ones, all shots together have taken m: lists as long as the
    count are long enough. Where these would be too many, the pool is read again for the turns that are left.
    """
    taken = np.zeros(len(pool), dtype=np.bool_)
    order: list[int] = []
    while len(order) < count:
        length = max(1, min(count - len(order), _LISTED // len(shots)))
        lists = _Lists(shots, pool, length).read(~taken)
        order += _turns(lists, taken, first=len(order) % len(shots), turns=length)
    return np.array(order, dtype=np.int64)


def _turns(lists: list[Ints], taken: NDArray[np.bool_], *, first: int, turns: int) -> list[int]:
    """So many turns, begun by the shot ``first``; marks what is taken."""
    rows = [iter(found.tolist()) for found in lists]
    order = []
    for turn in range(turns):
        row = next((row for row in rows[(first + turn) % len(rows)] if not taken[row]), None)
        if row is None:
            break
        taken[row] = True
        order.append(row)
    return order


@final
class _Lists:
    """For every shot its best rows: by exact score, then key, then index.

    Until the end, pairs are told apart by float32 products, and those within their rounding of the last
    place of a list wait beside it; where too many do, exact scores cut the lists.
    """

    def __init__(self, shots: Floats, pool: Pool, length: int) -> None:
        self._shots = shots
        self._pool = pool
        self._length = length
        self._error = product_error(shots)
        self._most = max(_WAITING, 2 * len(shots) * length)
        self._floor = np.full(len(shots), -np.inf)  # (K,) a score below which no row comes into a list
        none = np.zeros(0, dtype=np.int64)
        self._known: _Pairs = (none, none, np.zeros(0))

    def read(self, free: NDArray[np.bool_]) -> list[Ints]:
        """The lists, over the rows that are free."""
        waiting: list[_Pairs] = []
        size = 0
        for start, block in unit_blocks(self._pool.vectors, block_rows=BLOCK_ROWS):
            products = np.clip(block @ self._shots.T, -1, 1)  # (B, K)
            near = products >= self._floor
            near &= free[start : start + len(block), None]
            row, shot = np.nonzero(near)
            waiting.append((shot, row + start, products[row, shot].astype(np.float64)))
            size += len(row)
            if size > self._most:
                self._take_in(waiting)
                waiting, size = [], 0
        self._take_in(waiting)
        self._cut()
        shots, rows, _ = self._known
        return np.split(rows, np.searchsorted(shots, np.arange(1, len(self._shots))))

    def _take_in(self, waiting: list[_Pairs]) -> None:
        """Joins new pairs, and lets go those that rounding cannot bring back into a list."""
        shot, row, score = (np.concatenate(part) for part in zip(self._known, *waiting, strict=True))
        order = np.lexsort((-score, shot))
        last = np.searchsorted(shot[order], np.arange(len(self._shots))) + self._length - 1
        full = np.flatnonzero(np.bincount(shot, minlength=len(self._shots)) >= self._length)
        self._floor[full] = score[order][last[full]] - 2 * self._error
        possible = score >= self._floor[shot]
        self._known = (shot[possible], row[possible], score[possible])
        if len(self._known[0]) > self._most:
            self._cut()

    def _cut(self) -> None:
        """Scores every pair and cuts the lists to their length."""
        shot, row, _ = self._known
        score = pair_scores(self._pool.vectors, self._shots, row, shot)
        order = np.lexsort((row, self._pool.keys[row], -score, shot))
        shot, row, score = shot[order], row[order], score[order]
        kept = np.arange(len(shot)) - np.searchsorted(shot, shot) < self._length
        self._known = (shot[kept], row[kept], score[kept])
