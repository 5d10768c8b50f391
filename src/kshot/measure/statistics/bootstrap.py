"""Rows drawn again with replacement: how a statistic of rows would vary, vectorised and bounded in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kshot.errors import MetricError

Floats = NDArray[np.float64]
_CELLS = 2_000_000  # numbers in one block of draws: 16 MB


def grouped(rows: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """Distinct rows of an (N, F) array in ascending order, (G, F), and how often each occurs, (G,).

    Equal rows are interchangeable, so that a draw of rows is a draw of counts of groups. The order of
    the rows is thereby forgotten: permuting them changes nothing.

    >>> grouped([[1, 0], [0, 0], [1, 0]])
    (array([[0., 0.],
           [1., 0.]]), array([1, 2]))
    """
    distinct, counts = np.unique(np.asarray(rows, np.float64), axis=0, return_counts=True)
    return distinct, counts.astype(np.int64)


def resampled(
    counts: NDArray[np.int64],
    statistic: Callable[[Floats], Floats],
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> Floats:
    """(R,) a statistic on R draws of N rows with replacement, rows given as counts of G groups.

    ``statistic`` gets (B, G) how often each group was drawn in B draws (each row sums to N) and returns
    (B,) values. Draws depend on ``counts`` and ``seed`` alone.

    Source: Efron 1979, Annals of Statistics 7, 1-26.

    Raises:
        MetricError: There are no rows, or fewer than one draw is asked for.

    >>> resampled(np.array([5]), lambda weights: weights.sum(axis=1), resamples=3).tolist()
    [5.0, 5.0, 5.0]
    """
    total = int(counts.sum())
    if total < 1 or resamples < 1:
        raise MetricError(f"{resamples} draws of {total} rows; expected at least one draw and one row")
    generator = np.random.default_rng(seed)
    block = max(1, _CELLS // max(total, len(counts)))
    values = []
    for start in range(0, resamples, block):
        values.append(statistic(_draw(counts, min(block, resamples - start), generator)))
    return np.concatenate(values)


def _draw(counts: NDArray[np.int64], size: int, generator: np.random.Generator) -> Floats:
    """(size, G) how often each group is drawn; few groups are drawn at once, many row by row."""
    total, groups = int(counts.sum()), len(counts)
    if groups * 8 <= total:
        return generator.multinomial(total, counts / total, size=size).astype(np.float64)
    group_of = np.repeat(np.arange(groups), counts)  # (N,)
    drawn = group_of[generator.integers(0, total, size=(size, total))]  # (size, N)
    drawn += groups * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)


def percentile_interval(values: Floats, *, confidence: float = 0.95) -> tuple[float, float]:
    """The percentile interval of resampled values.

    >>> percentile_interval(np.arange(81.0), confidence=0.5)
    (20.0, 60.0)
    """
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def p_value(values: Floats, observed: float, *, n: int) -> float:
    """Two-sided p for a difference of 0 from resampled differences, centred on the observed one.

    ``(1 + count(|value - observed| >= |observed|)) / (1 + R)``, and at least ``2 ** (1 - n)``: with n
    rows no paired test that swaps the two sides can give less, and the bootstrap of five rows or fewer,
    which knows nothing of what it has not seen, would call anything certain.

    Source: Davison and Hinkley 1997, Bootstrap Methods and their Application, equation 4.11.

    >>> p_value(np.array([0.9, 1.0, 1.1]), 1.0, n=100)
    0.25
    """
    slack = 1e-9 * max(1.0, abs(observed))  # equal values that rounding has set apart
    extreme = int(np.count_nonzero(np.abs(values - observed) >= abs(observed) - slack))
    return max((1 + extreme) / (1 + len(values)), min(1.0, 2.0 ** (1 - n)))
