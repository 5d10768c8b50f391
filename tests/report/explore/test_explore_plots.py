"""The pictures say what the tables say."""

import json

import pytest

from kshot.report.explore import ExploreFacts, MapPoint
from kshot.report.explore.plots import MOST_GROUPS, MOST_POINTS, explore_figures, map_figure


def test_the_sunburst_adds_up(facts):
    (trace,) = explore_figures(facts)["plot-tree"]["data"]
    assert trace["ids"] == ["r", "a", "aa", "b"]
    assert trace["parents"] == ["", "r", "a", "r"]
    assert trace["branchvalues"] == "remainder"
    assert trace["values"] == pytest.approx([0, 60, 61 / 40, 61 / 40])  # a tenth of the mean for the smallest
    assert trace["marker"]["colors"] == pytest.approx([51 / 84, 51 / 84, 0.25, None])
    assert "30 refused (overlap 25, repeat 5)" in trace["hovertext"][1]


def test_curves_of_evenness_and_overlap(facts):
    drawn = explore_figures(facts)
    ours, theirs = drawn["plot-pairs"]["data"]
    assert ours["x"] == [1, 2, 3, 4]
    assert ours["y"] == [25.0] * 4
    assert (theirs["x"], theirs["y"]) == ([1], [100.0])
    for bars, one in zip(drawn["plot-overlap"]["data"], facts.datasets, strict=True):
        assert bars["name"] == one.name
        assert bars["y"] == pytest.approx([100 * share for share in one.overlap.nearest_tenths], abs=1e-3)
    kept, lately = drawn["plot-yield"]["data"]
    assert kept["y"] == [1, 3, 3]
    assert lately["y"] == pytest.approx([50.0, 75.0, 60.0])


def test_a_map_draws_some_of_many_points_and_folds_small_groups():
    points = [MapPoint(x=at, y=0, group=f"g{at % 30}", text="<b>t</b>") for at in range(3 * MOST_POINTS)]
    figure = map_figure(points)
    assert sum(len(trace["x"]) for trace in figure["data"]) == MOST_POINTS
    assert [trace["name"] for trace in figure["data"]][:2] == ["g0", "g1"]
    assert len(figure["data"]) == MOST_GROUPS + 1
    assert {len(trace["x"]) for trace in figure["data"][:-1]} <= {MOST_POINTS // 30, MOST_POINTS // 30 + 1}
    assert figure["data"][-1]["name"] == "18 others"
    assert "&lt;b&gt;t" in figure["data"][0]["hovertext"][0]


def test_figures_are_plain_json_and_absent_without_figures(facts):
    json.dumps(explore_figures(facts), allow_nan=False)
    assert explore_figures(ExploreFacts(domain="d")) == {}
