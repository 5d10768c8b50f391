"""Right and wrong counted: Wilson's interval, the exact McNemar test, Tango's interval for paired rows."""

from __future__ import annotations

import math
from statistics import NormalDist

from kshot.errors import MetricError

Interval = tuple[float, float]


def normal_quantile(share: float) -> float:
    """The standard normal quantile: 1.96 for 0.975.

    >>> round(normal_quantile(0.975), 4)
    1.96
    """
    return NormalDist().inv_cdf(share)


def two_sided(confidence: float) -> float:
    """The normal deviate of a two-sided confidence: 1.96 for 0.95.

    Raises:
        MetricError: The confidence is not between 0 and 1.

    >>> round(two_sided(0.95), 4)
    1.96
    """
    if not 0 < confidence < 1:
        raise MetricError(f"confidence is {confidence!r}, expected a number between 0 and 1")
    return normal_quantile((1 + confidence) / 2)


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for a share, within 0 and 1, never empty; without continuity correction.

    Source: Wilson 1927, JASA 22, 209-212.

    Raises:
        MetricError: n is below 1, or the successes are not between 0 and n.

    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if n < 1 or not 0 <= successes <= n:
        raise MetricError(f"{successes} right of {n} rows; expected at least one row and 0 to n right")
    z = two_sided(confidence)
    share, square = successes / n, z * z / n
    centre = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == n else min(1.0, centre + half)


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact p for b rows that only the first got right and c rows that only the second did.

    Twice the smaller binomial(b + c, 1/2) tail, at most 1; 1 where no row differs.

    Source: McNemar 1947, Psychometrika 12, 153-157, in its exact binomial form.

    Raises:
        MetricError: A negative count.

    >>> mcnemar_exact(0, 6), mcnemar_exact(3, 3)
    (0.03125, 1.0)
    """
    if b < 0 or c < 0:
        raise MetricError(f"discordant counts {b} and {c}; expected none below 0")
    n, k = b + c, min(b, c)
    term = math.comb(n, k) / (1 << n)  # exact integers: right to the last bit for any n
    total = 0.0
    while k >= 0 and term > total * 1e-17:
        total += term
        term *= k / (n - k + 1)
        k -= 1
    return min(1.0, 2 * total)


def tango(b: int, c: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Score interval for the difference of two paired shares, (b - c) / n; within -1 and 1.

    Holds the differences that the paired score test does not reject. That test at difference 0 is the
    asymptotic McNemar test, so the interval leaves 0 out wherever the exact test rejects at the same
    level; where it leaves 0 out and the exact test does not reject, rows are few.

    Source: Tango 1998, Statistics in Medicine 17, 891-908, equations for the restricted estimate of the
    discordant probability and the score statistic.

    Raises:
        MetricError: n is below 1 or below b + c, or a count is negative.

    >>> [round(end, 4) for end in tango(12, 2, 50)]
    [0.0611, 0.3447]
    """
    if min(b, c) < 0 or n < 1 or b + c > n:
        raise MetricError(f"discordant counts {b} and {c} of {n} rows do not go together")
    z = two_sided(confidence)
    # Upper end: where the statistic falls to -z. Lower end: the upper one of the swapped rows, negated.
    return -_upper_end(c, b, n, z), _upper_end(b, c, n, z)


def _upper_end(b: int, c: int, n: int, z: float) -> float:
    if b == n:
        return 1.0
    low, high = (b - c) / n, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _score(b, c, n, middle) > -z:
            low = middle
        else:
            high = middle
    return high


def _score(b: int, c: int, n: int, delta: float) -> float:
    """The score statistic for a true difference ``delta`` in (-1, 1)."""
    linear = -b - c + (2 * n - b + c) * delta
    constant = -c * delta * (1 - delta)
    restricted = (math.sqrt(max(0.0, linear * linear - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * restricted + delta * (1 - delta))
    return (b - c - n * delta) / math.sqrt(variance) if variance > 0 else 0.0
