"""The plots show the figures of the report, and nothing that cannot be drawn."""

import json
import math
from dataclasses import replace

import pytest

from kshot.report.plots import bank_figure, cost_figure, difference_figure, figures
from kshot.report.result import BankRow
from kshot.report.wording import Scale

SCALE = Scale()


def with_systems(report, *systems, recommended=None):
    return replace(report, systems=systems, recommended=recommended)


def test_all_three_plots_are_drawn(sample):
    assert list(figures(sample, SCALE)) == ["plot-difference", "plot-bank", "plot-cost"]
    bare = replace(sample, systems=(), bank=(), recommended=None)
    assert figures(bare, SCALE) == {}


def test_differences_keep_values_intervals_and_margin(sample):
    figure = difference_figure(sample, SCALE)
    names = figure["layout"]["yaxis"]["ticktext"]
    assert names[-1] == "LoRA on the shots"  # the first of the leaderboard stands on top
    assert "zero-shot" not in names
    drawn = {}
    for trace in figure["data"]:
        for place, x, up, down in zip(
            trace["y"], trace["x"], trace["error_x"]["array"], trace["error_x"]["arrayminus"], strict=True
        ):
            drawn[names[place]] = (x, x - down, x + up)
    for system in sample.systems:
        if system.difference is not None:
            wanted = (system.difference, *system.difference_interval)
            assert drawn[system.name] == pytest.approx([100 * bound for bound in wanted])
    band = figure["layout"]["shapes"][0]
    assert (band["x0"], band["x1"]) == (-2.0, 2.0)


def test_the_bank_plot_shows_selection_score_against_perplexity(sample):
    figure = bank_figure(sample.bank, SCALE)
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert "selection score" in figure["layout"]["yaxis"]["title"]["text"]
    points = {(x, y) for trace in figure["data"] for x, y in zip(trace["x"], trace["y"], strict=True)}
    assert points == {(row.perplexity, 100 * row.right) for row in sample.bank if row.right is not None}
    assert [trace["name"] for trace in figure["data"]] == ["usable", "usable, with findings"]
    named = [text for trace in figure["data"] for text in trace["text"] if text]
    assert named == ["trade-01-miller"]  # the original, not its copy


def test_points_that_a_log_axis_cannot_hold_are_left_out():
    rows = [BankRow(name=str(p), right=0.5, perplexity=p) for p in (0.0, -1.0, math.inf, math.nan, None)]
    assert bank_figure(rows, SCALE) == {}
    assert bank_figure([*rows, BankRow(name="one", right=None, perplexity=2.0)], SCALE) == {}
    one = bank_figure([*rows, BankRow(name="one", right=0.0, perplexity=1e300)], SCALE)
    assert [trace["x"] for trace in one["data"]] == [[1e300]]


def test_cost_leaves_oracles_and_free_systems_out(sample):
    trace = cost_figure(sample, SCALE)["data"][0]
    assert trace["x"] == [system.seconds for system in sample.systems if not system.oracle]
    free = replace(sample.systems[0], seconds=0.0)
    assert cost_figure(with_systems(sample, free, sample.systems[1]), SCALE) == {}


def test_names_cannot_carry_plotly_markup(sample):
    bad = replace(sample.systems[0], name="<a href='javascript:x'>x</a> & %{x}\nnext")
    figure = difference_figure(with_systems(sample, bad, *sample.systems[1:]), SCALE)
    assert "<a" not in json.dumps(figure)
    assert "&lt;a href" in figure["layout"]["yaxis"]["ticktext"][-1]


def test_nan_differences_are_not_drawn(sample):
    broken = replace(sample.systems[0], difference=math.nan)
    no_interval = replace(sample.systems[1], difference_interval=(math.nan, 1.0))
    figure = difference_figure(with_systems(sample, broken, no_interval), SCALE)
    assert [trace["x"] for trace in figure["data"]] == [[pytest.approx(12.75)]]
    assert figure["data"][0]["error_x"]["array"] == [0.0]
