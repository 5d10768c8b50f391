"""The geometry of the forest plot and of the names in the scatter plots."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.report.forest import axis_over, bar, leaderboard_axis
from kshot.report.labels import GAP, LETTER, LINE, label_sides
from kshot.report.wording import Scale

anything = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(anything, max_size=6))
def test_every_finite_value_lies_on_the_axis(values):
    axis = axis_over(values)
    finite = [value for value in values if math.isfinite(value)]
    assert axis.low < axis.high
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)
    assert all(0 <= axis.place(value) <= 100 for value in finite)
    for low, high in zip(sorted(finite), sorted(finite)[1:], strict=False):
        assert axis.place(low) <= axis.place(high)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_shares_stay_within_zero_and_one(values):
    axis = axis_over(values, share=True)
    assert 0 <= axis.low <= min(values)
    assert max(values) <= axis.high <= 1
    assert 1 <= len(axis.ticks) <= 9


def test_places_are_linear():
    axis = axis_over([0.0, 1.0], share=True)
    assert (axis.low, axis.high) == (0.0, 1.0)
    assert [axis.place(value) for value in (0.0, 0.25, 1.0, 2.0, -1.0)] == [0.0, 25.0, 100.0, 100.0, 0.0]
    assert axis.ticks == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def test_a_bar_spans_its_interval(sample):
    axis = leaderboard_axis(sample, Scale())
    for system in sample.systems:
        place = bar(system, axis)
        assert place.left == pytest.approx(axis.place(system.interval[0]))
        assert place.left + place.width == pytest.approx(axis.place(system.interval[1]))
        assert place.left < place.point < place.left + place.width


def test_no_number_no_bar_and_no_interval_no_width(sample):
    axis = leaderboard_axis(sample, Scale())
    assert bar(replace(sample.systems[0], value=math.nan), axis) is None
    assert bar(replace(sample.systems[0], interval=(math.nan, 0.9)), axis).width == 0


def test_names_never_hide_points_or_names():
    assert label_sides([]) == []
    assert label_sides([(1.0, 1.0, 5)]) == ["middle right"]
    crowd = [(place / 100, 0.0, 12) for place in range(8)] + [(1.0, 1.0, 3)]
    sides = label_sides(crowd)
    assert None in sides
    assert sides[-1] == "middle right"


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(1, 28)), max_size=8))
def test_no_two_names_overlap(points):
    corners = [(0.0, 0.0, 1), (1.0, 1.0, 1)]  # so that the places below are shares of the plot already
    points = [*corners, *points]
    placed = []
    for (x, y, letters), side in zip(points, label_sides(points), strict=True):
        if side is None:
            continue
        wide, high = letters * LETTER, LINE / 2
        middle = {"middle right": x + GAP + wide / 2, "middle left": x - GAP - wide / 2}.get(side, x)
        level = {"top center": y + GAP + high, "bottom center": y - GAP - high}.get(side, y)
        for other_middle, other_level, other_wide in placed:
            apart = abs(middle - other_middle) >= (wide + other_wide) / 2 - 1e-9
            assert apart or abs(level - other_level) >= LINE - 1e-9
        placed.append((middle, level, wide))
