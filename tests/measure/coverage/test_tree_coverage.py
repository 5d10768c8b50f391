"""Rows over tasks, and yields over calls."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import InputError
from kshot.measure.coverage import coverage_of, yield_curve

CALLS = st.lists(st.lists(st.booleans(), max_size=5), max_size=40)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_figures_are_those_of_the_counts(counts):
    found = coverage_of(counts)
    assert (found.nodes, found.rows, found.empty) == (len(counts), sum(counts), counts.count(0))
    assert found.enough_share == pytest.approx(sum(number >= 3 for number in counts) / len(counts))
    assert (found.mean, found.median) == pytest.approx((statistics.mean(counts), statistics.median(counts)))
    shares = [number / sum(counts) for number in counts if number] if sum(counts) else []
    entropy = -sum(share * math.log(share) for share in shares)
    assert found.effective == pytest.approx(math.exp(entropy) if shares else 0.0)


def test_equal_tasks_are_even_and_no_tasks_are_nothing():
    assert coverage_of([7] * 25).even_share == pytest.approx(1)
    assert coverage_of([100, 0, 0, 0]).even_share == pytest.approx(0.25)
    empty = coverage_of([])
    assert (empty.nodes, empty.effective, empty.even_share, empty.enough_share) == (0, 0, 0, 0)
    with pytest.raises(InputError, match="-1 rows"):
        coverage_of([3, -1])


@given(CALLS, st.integers(1, 5))
def test_a_curve_of_all_calls_is_a_running_sum(calls, window):
    curve = yield_curve(calls, window=window, points=1000)
    assert [point.calls for point in curve] == list(range(1, len(calls) + 1))
    for point in curve:
        assert point.kept == sum(map(sum, calls[: point.calls]))
        lately = [fate for call in calls[max(0, point.calls - window) : point.calls] for fate in call]
        assert point.share == (pytest.approx(sum(lately) / len(lately)) if lately else None)


@given(CALLS, st.integers(1, 10))
def test_a_short_curve_tells_points_of_the_long_one_and_the_last(calls, points):
    short, whole = yield_curve(calls, points=points), yield_curve(calls, points=1000)
    assert len(short) == min(points, len(calls))
    assert set(short) <= set(whole)
    assert short[-1:] == whole[-1:]


def test_windows_and_points_are_at_least_one():
    for wrong in ({"window": 0}, {"points": 0}):
        with pytest.raises(InputError, match="expected 1 or more"):
            yield_curve([[True]], **wrong)
