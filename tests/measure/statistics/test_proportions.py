"""Wilson by enumeration, McNemar against SciPy, Tango against a constrained likelihood."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import MetricError
from kshot.measure.statistics import proportions
from kshot.measure.statistics.proportions import mcnemar_exact, tango, two_sided, wilson

COUNTS = st.integers(0, 60)


def test_examples() -> None:
    assert doctest.testmod(proportions).failed == 0


@pytest.mark.parametrize("n", [1, 2, 5, 10, 30, 100])
def test_wilson_ends_solve_the_score_equation(n: int) -> None:
    z = two_sided(0.95)
    for successes in range(n + 1):
        low, high = wilson(successes, n)
        assert 0 <= low <= successes / n <= high <= 1
        assert low < high
        for end, at_bound in ((low, successes == 0), (high, successes == n)):
            if not at_bound:
                share = successes / n
                assert (share - end) ** 2 == pytest.approx(z * z * end * (1 - end) / n, rel=1e-9)
        mirrored = wilson(n - successes, n)
        assert (1 - high, 1 - low) == pytest.approx(mirrored)


@pytest.mark.parametrize("n", [10, 50, 200])
def test_wilson_covers_the_truth_as_often_as_it_says(n: int) -> None:
    shares = [(i + 0.5) / 200 for i in range(200)]
    coverage = []
    for p in shares:
        covered = 0.0
        for k in range(n + 1):
            low, high = wilson(k, n)
            if low <= p <= high:
                covered += math.comb(n, k) * p**k * (1 - p) ** (n - k)
        coverage.append(covered)
    assert 0.945 < sum(coverage) / len(coverage) < 0.965
    assert min(coverage) > 0.83


@settings(deadline=None)
@given(COUNTS, COUNTS)
def test_mcnemar_equals_scipy_s_binomial_test(b: int, c: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar_exact(b, c) == pytest.approx(expected, rel=1e-10)
    assert mcnemar_exact(b, c) == mcnemar_exact(c, b)


def test_mcnemar_of_huge_counts() -> None:
    assert mcnemar_exact(0, 5000) == 0.0 or mcnemar_exact(0, 5000) < 1e-300
    assert mcnemar_exact(25_000, 25_500) == pytest.approx(
        0.0263825, rel=1e-5
    )  # normal with correction: 0.02638
    assert mcnemar_exact(20_000, 20_000) == 1.0


def likelihood_score(b: int, c: int, n: int, delta: float) -> float:
    """The score statistic with the discordant probabilities that maximise the likelihood under ``delta``."""

    def log_likelihood(q: float) -> float:
        parts = ((b, q + delta), (c, q), (n - b - c, 1 - 2 * q - delta))
        return sum(k * math.log(max(p, 1e-300)) for k, p in parts if k)

    low, high = max(0.0, -delta), (1 - delta) / 2
    for _ in range(200):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (left, high) if log_likelihood(left) < log_likelihood(right) else (low, right)
    q = (low + high) / 2
    return (b - c - n * delta) / math.sqrt(n * (2 * q + delta - delta**2))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 40))
def test_tango_s_ends_are_where_the_score_test_begins_to_reject(b: int, c: int, rest: int) -> None:
    n = b + c + rest
    low, high = tango(b, c, n)
    assert -1 <= low <= (b - c) / n <= high <= 1
    assert low < high
    assert likelihood_score(b, c, n, high) == pytest.approx(-two_sided(0.95), abs=1e-3)
    assert likelihood_score(b, c, n, low) == pytest.approx(two_sided(0.95), abs=1e-3)
    assert tango(c, b, n) == (-high, -low)


def test_tango_where_nothing_or_everything_differs() -> None:
    square = two_sided(0.95) ** 2
    assert tango(0, 0, 200) == pytest.approx((-square / (200 + square), square / (200 + square)))
    assert tango(10, 0, 10)[1] == 1.0
    assert tango(0, 1, 1)[0] == -1.0


def test_tango_and_exact_mcnemar_rarely_contradict() -> None:
    """Never where the exact test rejects; else only where rows are few or p is near 5 %."""
    contradictions = total = 0
    for discordant in range(80):
        for b in range(discordant + 1):
            c = discordant - b
            for n in (discordant + 1, discordant + 300):
                low, high = tango(b, c, n)
                p, without_zero = mcnemar_exact(b, c), low > 0 or high < 0
                assert without_zero or p >= 0.05
                contradictions += without_zero and p >= 0.05
                total += 1
                if without_zero:
                    assert p < 0.13
    assert contradictions / total < 0.025


@pytest.mark.parametrize("arguments", [(-1, 5), (6, 5), (0, 0), (1, -1)])
def test_wilson_refuses(arguments: tuple[int, int]) -> None:
    with pytest.raises(MetricError, match="right of"):
        wilson(*arguments)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, math.nan])
def test_confidence_must_make_sense(confidence: float) -> None:
    with pytest.raises(MetricError, match="confidence"):
        wilson(1, 2, confidence=confidence)


def test_impossible_counts() -> None:
    with pytest.raises(MetricError, match="below 0"):
        mcnemar_exact(-1, 2)
    for counts in ((3, 3, 5), (-1, 0, 5), (0, 0, 0)):
        with pytest.raises(MetricError, match="do not go together"):
            tango(*counts)
