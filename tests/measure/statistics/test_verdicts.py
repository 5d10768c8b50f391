"""Words for a comparison, Holm's correction, and what n rows can show."""

from __future__ import annotations

import doctest
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import MetricError
from kshot.measure.statistics import verdicts
from kshot.measure.statistics.proportions import mcnemar_exact
from kshot.measure.statistics.verdicts import Comparison, holm, smallest_difference, verdict

P_VALUES = st.lists(st.floats(0, 1), max_size=12)


def test_examples() -> None:
    assert doctest.testmod(verdicts).failed == 0


@pytest.mark.parametrize(
    ("difference", "interval", "p", "expected"),
    [
        (0.10, (0.05, 0.15), 0.001, "better"), (-0.10, (-0.15, -0.05), 0.001, "worse"),
        (0.01, (0.005, 0.015), 0.001, "better"),  # small, but sure
        (0.10, (0.05, 0.15), 0.05, "too few rows to tell"),
        (0.10, (0.0, 0.15), 0.001, "too few rows to tell"),
        (0.01, (0.005, 0.015), 0.2, "tied"), (0.0, (-0.02, 0.02), 1.0, "tied"),
        (0.0, (0.0, 0.0), 1.0, "tied"),
        (0.0, (-0.03, 0.02), 1.0, "too few rows to tell"),
        (0.0, (-0.02, 0.03), 1.0, "too few rows to tell"),
    ],
)  # fmt: skip
def test_verdict(difference: float, interval: tuple[float, float], p: float, expected: str) -> None:
    assert verdict(difference, interval, p, margin=0.02) == expected
    mirrored = verdict(-difference, (-interval[1], -interval[0]), p, margin=0.02)
    assert mirrored == {"better": "worse", "worse": "better"}.get(expected, expected)


def test_a_corrected_p_takes_the_verdict_anew() -> None:
    plain = Comparison(0.1, (0.02, 0.18), 0.01, "better", 200, "exact McNemar", 0.08, 0.02)
    corrected = plain.with_p(0.06)
    assert (corrected.p, corrected.verdict) == (0.06, "too few rows to tell")
    assert corrected.with_p(0.01) == plain


def slow_holm(p_values: list[float]) -> list[float]:
    """The adjusted p: max over smaller-or-equal ranks j of min(1, (m - j) p_(j))."""
    order = sorted(range(len(p_values)), key=lambda i: (p_values[i], i))
    adjusted = {}
    for rank, place in enumerate(order):
        steps = [min(1.0, (len(order) - j) * p_values[order[j]]) for j in range(rank + 1)]
        adjusted[place] = max(steps)
    return [adjusted[i] for i in range(len(order))]


@given(P_VALUES)
def test_holm_equals_the_slow_form_is_monotone_and_never_helps(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert adjusted == slow_holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    pairs = sorted(zip(p_values, adjusted, strict=True))
    assert all(x[1] <= y[1] for x, y in itertools.pairwise(pairs))
    assert holm(p_values[::-1]) == adjusted[::-1]


def test_holm_at_the_edges() -> None:
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
    assert holm([0.01] * 4) == [0.04] * 4
    assert holm([0.9, 0.9]) == [1.0, 1.0]
    for bad in (-0.1, 1.1, math.nan):
        with pytest.raises(MetricError, match="between 0 and 1"):
            holm([0.5, bad])


@pytest.mark.parametrize(("n", "share"), [(100, 0.3), (400, 0.2), (1000, 0.1)])
def test_the_smallest_difference_is_found_four_times_in_five(n: int, share: float) -> None:
    """Simulated: exact McNemar tests on rows with that true difference."""
    difference = smallest_difference(n, discordant_share=share)
    generator = np.random.default_rng(0)
    parts = [(share + difference) / 2, (share - difference) / 2, 1 - share]
    found = [mcnemar_exact(int(b), int(c)) < 0.05 for b, c, _ in generator.multinomial(n, parts, size=4000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)  # the exact test is a little behind the formula


def test_the_smallest_difference_of_scores() -> None:
    assert smallest_difference(100, sd=1.0) == pytest.approx((1.959964 + 0.841621) / 10, rel=1e-6)
    assert smallest_difference(100, sd=0.0) == 0.0


@given(st.integers(4, 5000), st.floats(0, 1))
def test_more_rows_show_less(n: int, share: float) -> None:
    one = smallest_difference(n, discordant_share=share)
    assert 0 < smallest_difference(2 * n, discordant_share=share) <= one <= 1
    assert one >= smallest_difference(n, discordant_share=share / 2) - 1e-9


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"sd": 1.0, "discordant_share": 0.5}, {"sd": -1.0}, {"sd": math.nan}, {"sd": math.inf},
        {"discordant_share": 1.5}, {"discordant_share": math.nan}, {"sd": 1.0, "power": 1.0},
        {"sd": 1.0, "alpha": 0.0},
    ],
)  # fmt: skip
def test_what_makes_no_sense(arguments: dict[str, float]) -> None:
    with pytest.raises(MetricError, match="expected"):
        smallest_difference(10, **arguments)
    with pytest.raises(MetricError, match="expected"):
        smallest_difference(0, sd=1.0)
