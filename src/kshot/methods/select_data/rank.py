"""The order in which rows of a pool are wanted, by their likeness to the shots; one pass over the pool."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeAlias, final, get_args

import numpy as np

from kshot.errors import DataError
from kshot.measure.similarity import Doubles, nearest, pair_scores, product_error, unit_blocks
from kshot.methods.select_data.pool import Pool, uniform
from kshot.methods.select_data.turns import in_turns
from kshot.models.base import Ints
from kshot.models.embed.rows import PickedRows, Rows

Similarity: TypeAlias = Literal["max", "mean", "round_robin", "kde", "random"]

BLOCK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Selector:
    """How rows are ranked.

    - ``max``: by the best cosine to any shot.
    - ``mean``: by the mean cosine to all shots; favours rows that lie between them.
    - ``round_robin``: shots take turns in their order, each takes its best row not yet taken.
    - ``kde``: drawn without replacement, with chances in proportion to the sum of exp(-gamma d²) over the
      shots, d² = 2 - 2 cosine.
    - ``random``: drawn, all alike: what the others must beat.

    Attributes:
        similarity: One of these.
        gamma: Of ``kde``: the larger, the nearer to the shots.
        seed: Of ``kde`` and ``random``; the draw depends on keys, not on the pool's order.

    Source: arXiv 2408.15915, Eq. 13 (``max``) and its released code (``mean``); arXiv 2503.01807
    (``round_robin``).

    Raises:
        DataError: There is no such selector, or gamma is no positive number.
    """

    similarity: Similarity = "max"
    gamma: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.similarity not in get_args(Similarity):
            known = ", ".join(get_args(Similarity))
            raise DataError(f"similarity is {self.similarity!r}, expected one of {known}")
        if not (isfinite(self.gamma) and self.gamma > 0):
            raise DataError(f"gamma is {self.gamma}, expected a positive number")


def rank_pool(
    shots: Rows,
    pool: Rows | Pool,
    *,
    similarity: Similarity = "max",
    count: int | None = None,
    gamma: float = 2.0,
    seed: int = 0,
) -> Ints:
    """The rows of the pool that are wanted first, best first. Ties: the lower key, which is the index.

    Args:
        shots: (K, D) unit vectors.
        pool: (N, D) unit vectors, with or without keys.
        similarity: See ``Selector``, as for gamma and seed.
        count: How many; all where it is None or larger.
        gamma: See ``Selector``.
        seed: See ``Selector``.

    Raises:
        DataError: There are no shots, widths differ, a row is no unit vector, or an option is out of range.

    >>> shots = np.array([[1, 0], [0, 1]], dtype=np.float32)
    >>> pool = np.array([[0.6, 0.8], [1, 0], [0.8, 0.6]], dtype=np.float32)
    >>> rank_pool(shots, pool).tolist()
    [1, 0, 2]
    """
    ranking = Ranking(
        shots, pool if isinstance(pool, Pool) else Pool.of(pool), Selector(similarity, gamma, seed)
    )
    return ranking.first(len(pool) if count is None else count)


@final
class Ranking:
    """A pool seen once, from which the first rows can be asked for, again and more.

    The pass notes what float32 products say. A row is among the first if its exact value is; exact values
    are computed only for rows that the rounding of those products leaves in doubt.

    Attributes:
        best: (N,) best cosine of each row to any shot, within rounding.
    """

    def __init__(self, shots: Rows, pool: Pool, selector: Selector) -> None:
        if not len(shots):
            raise DataError("there are no shots to be near to; give at least one")
        if shots.shape[1:] != pool.vectors.shape[1:]:
            raise DataError(
                f"shots have shape {shots.shape}, the pool {pool.vectors.shape}; use one embedder for both"
            )
        self._shots = np.concatenate([block for _, block in unit_blocks(shots)])  # (K, D)
        self._pool = pool
        self._selector = selector
        self.best = np.empty(len(pool), dtype=np.float32)
        averages = selector.similarity in ("mean", "kde")
        self._values = np.empty(len(pool)) if averages else self.best
        for start, block in unit_blocks(pool.vectors, block_rows=BLOCK_ROWS):
            span = slice(start, start + len(block))
            products = block @ self._shots.T  # (B, K)
            self.best[span] = np.clip(products.max(axis=1), -1, 1)
            if averages:
                rough = np.clip(products, -1, 1).astype(np.float64)
                self._values[span] = self._combined(rough, pool.keys[span])
        if selector.similarity == "random":
            self._values = uniform(pool.keys, seed=selector.seed)

    def first(self, count: int) -> Ints:
        """The first rows, best first: ``count`` of them, or all.

        Raises:
            DataError: The count is negative.
        """
        if count < 0:
            raise DataError(f"the count is {count}, expected 0 or more")
        count = min(count, len(self._pool))
        if self._selector.similarity == "round_robin":
            return in_turns(self._shots, self._pool, count=count)
        found = np.arange(len(self._pool))
        if count < len(found):
            edge = len(found) - count
            floor = np.partition(self._values, edge)[edge] if count else np.inf
            found = np.flatnonzero(self._values >= floor - 2 * self._error())
        order = np.lexsort((found, self._pool.keys[found], -self._exact(found)))
        return found[order[:count]]

    def _combined(self, scores: Doubles, keys: np.ndarray) -> Doubles:
        """(B,) values of rows from their (B, K) scores."""
        if self._selector.similarity == "mean":
            means: Doubles = scores.mean(axis=1)
            return means
        # the largest of log chance + Gumbel noise are a draw without replacement in proportion to the chances
        chances = np.exp(2 * self._selector.gamma * (scores - 1)).mean(axis=1)
        noise = -np.log(-np.log(uniform(keys, seed=self._selector.seed)))
        drawn: Doubles = np.log(chances) + noise
        return drawn

    def _exact(self, rows: Ints) -> Doubles:
        """(R,) values by which rows are ranked, the same whatever rows stand beside them."""
        if self._selector.similarity == "random":
            return self._values[rows].astype(np.float64)
        picked = PickedRows(self._pool.vectors, rows)
        if self._selector.similarity == "max":
            return nearest(picked, self._shots, k=1)[1][:, 0]
        parts = [np.zeros(0)]
        for start, block in unit_blocks(picked):
            left, right = np.indices((len(block), len(self._shots))).reshape(2, -1)
            scores = pair_scores(block, self._shots, left, right).reshape(len(block), -1)
            parts.append(self._combined(scores, self._pool.keys[rows[start : start + len(block)]]))
        return np.concatenate(parts)

    def _error(self) -> float:
        """What a value of the pass can be off by."""
        slope = {"max": 1.0, "mean": 1.0, "random": 0.0}.get(
            self._selector.similarity, 2 * self._selector.gamma
        )
        return slope * product_error(self._shots) * 1.01 + 1e-9
