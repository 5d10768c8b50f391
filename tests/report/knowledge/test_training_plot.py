"""Loss curves: thinned without moving, with the kept step marked."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.report.knowledge import TrainingFacts
from kshot.report.knowledge.training_plot import MOST_POINTS, thinned, training_figure


@given(st.lists(st.floats(0, 10), max_size=200), st.integers(1, 50))
def test_thinning_keeps_the_mean_and_the_order(losses, most):
    points = thinned(range(len(losses)), losses, most=most)
    assert len(points) == min(most, len(losses))
    assert [step for step, _ in points] == sorted(step for step, _ in points)
    if losses and len(losses) % most == 0:
        mean = sum(loss for _, loss in points) / len(points)
        assert mean == pytest.approx(sum(losses) / len(losses), abs=1e-9)


def test_losses_that_are_no_numbers_are_left_out():
    assert thinned([1, 2, 3], [1.0, math.nan, math.inf], most=9) == [(1.0, 1.0)]


def test_each_training_has_its_lines(knowledge):
    figure = training_figure(knowledge.training)
    assert [trace["name"].rsplit(": ", 1)[1] for trace in figure["data"]] == [
        "rows trained on", "rows held back", "rows trained on",
    ]  # fmt: skip
    line, held, other = figure["data"]
    assert len(line["x"]) == MOST_POINTS
    assert len(other["x"]) == 300
    assert (held["x"], held["y"]) == (
        list(knowledge.training[0].held_steps), list(knowledge.training[0].held_losses),
    )  # fmt: skip
    stars = [
        step for step, symbol in zip(held["x"], held["marker"]["symbol"], strict=True) if symbol == "star"
    ]
    assert stars == [knowledge.training[0].kept_step]
    assert line["line"]["color"] != other["line"]["color"]


def test_nothing_is_drawn_without_losses():
    assert training_figure(()) == {}
    assert training_figure((TrainingFacts(system="m", trained="r"),)) == {}
