"""Where intervals stand on a shared axis: the geometry of the forest plot beside the leaderboard."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from kshot.report.result import RunReport, SystemResult
from kshot.report.wording import Scale

_HUGE, _TINY = 1e300, 1e-280  # beyond these, sums and steps leave what a float holds


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
    """One interval on an axis, in percent of its width: its start, its width, its point."""

    left: float
    width: float
    point: float


def axis_over(values: Iterable[float], *, share: bool = False, tick_count: int = 7) -> Axis:
    """An axis a little wider than the finite values, with ticks at round places; shares stay within 0 to 1.

    >>> axis_over([0.3, 0.7], share=True)
    Axis(low=0.276, high=0.724, ticks=(0.3, 0.4, 0.5, 0.6, 0.7))
    """
    finite = [min(_HUGE, max(-_HUGE, value)) for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    pad = (high - low) * 0.06
    if pad <= max(abs(low), abs(high), _TINY) * 1e-9:
        pad = 0.05 if share else max(abs(high) * 0.1, _TINY) if high else 1.0
    low, high = round_to(low - pad), round_to(high + pad)
    if share:
        low, high = max(0.0, low), min(1.0, high)
    step = _round_step((high - low) / tick_count)
    places = range(math.floor(low / step), math.ceil(high / step) + 1)
    ticks = (round_to(place * step) for place in places)
    return Axis(low, high, tuple(tick for tick in ticks if low <= tick <= high))


def round_to(value: float, *, digits: int = 12) -> float:
    """The value without the last digits, where sums of decimals leave dust; minus zero becomes zero."""
    return float(f"{value:.{digits}g}") + 0.0


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
