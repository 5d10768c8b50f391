"""What the counts of a judgement say: beat rate, net score, sign test, and the pull of the first place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kshot.errors import MetricError
from kshot.measure.judge.records import Tally
from kshot.measure.statistics import mcnemar_exact, wilson
from kshot.measure.statistics.bootstrap import percentile_interval, resampled
from kshot.measure.statistics.proportions import Interval


@dataclass(frozen=True, slots=True)
class Figures:
    """What the counts say; figures that nothing can be said of are None.

    Attributes:
        tally: The counts themselves.
        beat_rate: 100 win / (win + lose), in per cent.
        beat_interval: Wilson's 95 % interval of it.
        net_score: (win - lose) / n, from -1 to 1; n counts all pairs.
        net_interval: 95 % bootstrap interval of it.
        p: Two-sided sign test of win against lose, exact.
        first_place: Share of the verdicts that choose a side which choose the first place; 0.5 is fair.
        first_interval: Wilson's 95 % interval of it; the two verdicts of a pair are taken as apart.
    """

    tally: Tally
    beat_rate: float | None = None
    beat_interval: Interval | None = None
    net_score: float | None = None
    net_interval: Interval | None = None
    p: float | None = None
    first_place: float | None = None
    first_interval: Interval | None = None


def beat_rate(win: int, lose: int) -> tuple[float, Interval]:
    """How often A wins of the pairs that are decided, in per cent, with Wilson's 95 % interval.

    Raises:
        MetricError: No pair is decided, or a count is negative.

    >>> rate, interval = beat_rate(194, 13)
    >>> round(rate, 2), [round(end, 2) for end in interval]
    (93.72, [89.55, 96.29])
    """
    if win + lose < 1:
        raise MetricError(f"{win} wins and {lose} losses: no pair is decided, so there is no beat rate")
    low, high = wilson(win, win + lose)
    return 100 * win / (win + lose), (100 * low, 100 * high)


def net_score(win: int, lose: int, n: int, *, seed: int = 0) -> tuple[float, Interval]:
    """(win - lose) / n with its 95 % bootstrap interval; pairs are drawn, ties and the rest count 0.

    Raises:
        MetricError: The counts do not go together, or there is no pair.

    >>> score, interval = net_score(3, 1, 10)
    >>> score, interval[0] < score < interval[1]
    (0.2, True)
    """
    if n < 1 or min(win, lose) < 0 or win + lose > n:
        raise MetricError(f"{win} wins and {lose} losses of {n} pairs do not go together")
    counts = np.array([win, lose, n - win - lose], np.int64)
    draws = resampled(counts, lambda drawn: (drawn[:, 0] - drawn[:, 1]) / n, seed=seed)
    return (win - lose) / n, percentile_interval(draws)


def figures(tally: Tally, *, places: tuple[int, int, int] = (0, 0, 0), seed: int = 0) -> Figures:
    """All figures of a tally.

    Args:
        tally: The counts.
        places: As ``Judged.places``.
        seed: Of the bootstrap.

    >>> round(figures(Tally(win=114, tie=56, lose=38)).beat_rate or 0, 2)
    75.0
    """
    beat = beat_rate(tally.win, tally.lose) if tally.win + tally.lose else (None, None)
    net = net_score(tally.win, tally.lose, tally.n, seed=seed) if tally.n else (None, None)
    first, chosen = places[0], places[0] + places[1]
    return Figures(
        tally,
        beat_rate=beat[0],
        beat_interval=beat[1],
        net_score=net[0],
        net_interval=net[1],
        p=mcnemar_exact(tally.win, tally.lose) if tally.n else None,
        first_place=first / chosen if chosen else None,
        first_interval=wilson(first, chosen) if chosen else None,
    )
