"""Where intervals stand on a shared axis: the geometry of the forest plot beside the leaderboard."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from kshot.report.result import RunReport, SystemResult
from kshot.report.wording import Scale


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of a scale, with the values at which lines are drawn."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Percent of the way from low to high, held within 0 to 100."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 3)


@dataclass(frozen=True, slots=True)
class Bar:
    """One interval on an axis, in percent of its width: where it starts, how wide it is, where its point is."""

    left: float
    width: float
    point: float


def axis_over(values: Iterable[float], *, share: bool = False, tick_count: int = 5) -> Axis:
    """An axis with round ends around the finite values; within 0 to 1 where they are shares.

    >>> axis_over([0.31, 0.58], share=True)
    Axis(low=0.3, high=0.6, ticks=(0.3, 0.4, 0.5, 0.6))
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if high - low <= abs(high) * 1e-9:
        pad = 0.05 if share else abs(high) * 0.1 or 1.0
        low, high = low - pad, high + pad
    if share:
        low, high = max(0.0, low), min(1.0, high)
    step = _round_step((high - low) / tick_count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(float(f"{place * step:.12g}") for place in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def leaderboard_axis(report: RunReport, scale: Scale) -> Axis:
    """The axis that holds every value and bound of the leaderboard."""
    values = [bound for system in report.systems for bound in (system.value, *system.interval)]
    return axis_over(values, share=scale.percent)


def bar(system: SystemResult, axis: Axis) -> Bar | None:
    """Where a system stands; None where its value is no number. Without interval the bar has no width."""
    if not math.isfinite(system.value):
        return None
    low, high = system.interval
    if math.isnan(low) or math.isnan(high):
        low = high = system.value
    left = axis.place(low)
    return Bar(left, round(axis.place(high) - left, 3), axis.place(system.value))


def _round_step(step: float) -> float:
    """The next of 1, 2, 5, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(unit * power for unit in (1.0, 2.0, 5.0, 10.0) if step <= unit * power * (1 + 1e-9))
