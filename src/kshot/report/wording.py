"""How figures are put in words: one place, so that page, Markdown and terminal say the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kshot.report.result import Interval, RunReport

ABSENT = "–"
_BYTES = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Scale:
    """How values of a metric are shown: shares as percent with one decimal, anything else as it is."""

    percent: bool = True

    def number(self, value: float | None) -> str:
        """The figure without its unit; a dash where there is none.

        >>> Scale().number(0.613), Scale(percent=False).number(1234.5678), Scale().number(None)
        ('61.3', '1,235', '–')
        """
        if value is None or math.isnan(value):
            return ABSENT
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        text = f"{value * 100:,.1f}" if self.percent else f"{value:,.4g}"
        return text.replace("-", "−") if float(text.replace(",", "")) else text.replace("-", "")

    def score(self, value: float | None) -> str:
        """The figure with its unit."""
        text = self.number(value)
        return text if text == ABSENT or not self.percent else f"{text} %"

    def signed(self, value: float | None) -> str:
        """A difference, with its sign."""
        text = self.number(value)
        return f"+{text}" if text[0].isdigit() and value and value > 0 and text.strip("0.") else text

    def interval(self, bounds: Interval | None, *, signed: bool = False) -> str:
        """Two bounds in brackets.

        >>> Scale().interval((0.5, 0.625))
        '[50.0, 62.5]'
        """
        if bounds is None or any(math.isnan(bound) for bound in bounds):
            return ABSENT
        show = self.signed if signed else self.number
        return f"[{show(bounds[0])}, {show(bounds[1])}]"

    @property
    def points(self) -> str:
        """The unit of a difference, as a word after the figure."""
        return "points" if self.percent else "units"


def scale_of(report: RunReport) -> Scale:
    """Percent if every value and bound on the leaderboard lies within 0 to 1."""
    found = [bound for system in report.systems for bound in (system.value, *system.interval)]
    return Scale(percent=all(0 <= value <= 1 for value in found if not math.isnan(value)))


def p_value(p: float | None) -> str:
    """Three decimals, or a bound where that says more.

    >>> p_value(0.0004), p_value(0.04), p_value(1.0), p_value(None)
    ('< 0.001', '0.040', '1', '–')
    """
    if p is None or math.isnan(p):
        return ABSENT
    if p < 0.001:
        return "< 0.001"
    return "1" if p >= 0.9995 else f"{p:.3f}"


def duration(seconds: float | None) -> str:
    """Two significant parts at most.

    >>> duration(0.0123), duration(4.6), duration(200), duration(7500)
    ('12 ms', '4.6 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    if 0 < seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "< 1 ms"
    if seconds < 59.5:
        return f"{seconds:.1f}".removesuffix(".0") + " s" if seconds < 9.95 else f"{seconds:.0f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [(hours, "h"), (minutes, "min"), *([] if hours else [(rest, "s")])]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def size(byte_count: int | float | None) -> str:
    """Decimal units.

    >>> size(0), size(999), size(16_000_000)
    ('0 B', '999 B', '16 MB')
    """
    if byte_count is None or not math.isfinite(byte_count):
        return ABSENT
    value, unit = float(byte_count), 0
    while value >= 999.5 and unit < len(_BYTES) - 1:
        value, unit = value / 1000, unit + 1
    text = f"{value:.1f}".removesuffix(".0") if unit and value < 9.95 else f"{value:.0f}"
    return f"{text} {_BYTES[unit]}"


def count(number: int | None) -> str:
    """Thousands apart by commas; a dash for none."""
    return ABSENT if number is None else f"{number:,}"


def money(usd: float | None) -> str:
    """US dollars, to the cent above ten cents, else two significant digits.

    >>> money(0), money(0.00123), money(12.5)
    ('$0', '$0.0012', '$12.50')
    """
    if usd is None or not math.isfinite(usd):
        return ABSENT
    if usd == 0:
        return "$0"
    return f"${usd:,.2f}" if usd >= 0.1 else f"${usd:.{1 - math.floor(math.log10(usd))}f}"


def nats(value: float | None) -> str:
    """A loss or a perplexity: three significant digits."""
    if value is None or math.isnan(value):
        return ABSENT
    if math.isinf(value):
        return "∞"
    return f"{value:.2e}" if value >= 1e5 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested facts as (dotted key, text), in the given order.

    >>> list(flat({"seed": 0, "versions": {"kshot": "0.1.0"}, "files": ["a", "b"]}))
    [('seed', '0'), ('versions.kshot', '0.1.0'), ('files', 'a, b')]
    """
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield f"{prefix}{key}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{key}", ABSENT if value is None else str(value)
