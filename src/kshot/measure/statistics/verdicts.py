"""What a comparison says: the difference n rows could show, Holm's correction, a verdict in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from kshot.errors import MetricError
from kshot.measure.statistics.proportions import Interval, normal_quantile, two_sided

Verdict: TypeAlias = Literal["better", "worse", "tied", "too few rows to tell"]
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the same rows.

    Attributes:
        difference: Score of a minus score of b.
        interval: 95 % interval of the difference.
        p: Two-sided p for no difference.
        verdict: What that says of a: better, worse, tied, or too few rows to tell.
        n: Rows.
        test: ``exact McNemar`` (with Tango's interval) or ``paired bootstrap`` (percentile interval).
        smallest_difference: What these n rows could have shown (power 80 %, level 5 %).
        margin: Within it the two count as tied.
    """

    difference: float
    interval: Interval
    p: float
    verdict: Verdict
    n: int
    test: str
    smallest_difference: float
    margin: float

    def with_p(self, p: float) -> Comparison:
        """The same with a p that was corrected for several comparisons, and the verdict taken anew.

        >>> from kshot.measure.statistics.paired import compare
        >>> compare([1] * 12, [0] * 12).with_p(0.2).verdict
        'too few rows to tell'
        """
        return replace(self, p=p, verdict=verdict(self.difference, self.interval, p, margin=self.margin))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p of several comparisons, in the order given; each at least its p, at most 1.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    Raises:
        MetricError: A p is not between 0 and 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    if wrong := [p for p in p_values if not 0 <= p <= 1]:
        raise MetricError(f"p is {wrong[0]!r}, expected a number between 0 and 1")
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def smallest_difference(
    n: int,
    *,
    discordant_share: float | None = None,
    sd: float | None = None,
    power: float = 0.8,
    alpha: float = ALPHA,
) -> float:
    """The smallest true difference that a paired test of n rows would find with this power.

    For right and wrong, give the share of rows on which the two differ (raised to the difference itself
    where it is less, as a difference needs discordant rows); 1.0 where n rows could show none. For other
    scores, give the standard deviation of the row differences.

    Source: Connor 1987, Biometrics 43, 207-211 (McNemar); the normal approximation otherwise.

    Raises:
        MetricError: Not exactly one of the two is given, or a number makes no sense.

    >>> round(smallest_difference(400, discordant_share=0.2), 3), round(smallest_difference(400, sd=0.5), 3)
    (0.062, 0.07)
    """
    if n < 1 or not 0 < power < 1 or not 0 < alpha < 1 or (discordant_share is None) == (sd is None):
        raise MetricError(
            "expected n >= 1, power and alpha between 0 and 1, and one of discordant_share and sd"
        )
    level, reach = two_sided(1 - alpha), normal_quantile(power)
    if sd is not None:
        if not 0 <= sd < math.inf:
            raise MetricError(f"sd is {sd!r}, expected a number from 0")
        return (level + reach) * sd / math.sqrt(n)
    if discordant_share is None or not 0 <= discordant_share <= 1:
        raise MetricError(f"discordant_share is {discordant_share!r}, expected a number from 0 to 1")
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        share = max(discordant_share, middle)
        needed = (level * math.sqrt(share) + reach * math.sqrt(share - middle**2)) ** 2 / middle**2
        low, high = (middle, high) if needed > n else (low, middle)
    return high


def verdict(difference: float, interval: Interval, p: float, *, margin: float) -> Verdict:
    """A comparison in words. Better or worse: p below 5 % and the interval on one side of 0; else tied
    where the interval lies within the margin on both sides; else too few rows to tell.

    >>> verdict(0.1, (0.05, 0.15), 0.001, margin=0.02), verdict(0.0, (-0.01, 0.01), 1.0, margin=0.02)
    ('better', 'tied')
    """
    low, high = interval
    if p < ALPHA and difference > 0 and low > 0:
        return "better"
    if p < ALPHA and difference < 0 and high < 0:
        return "worse"
    return "tied" if -margin <= low and high <= margin else "too few rows to tell"
