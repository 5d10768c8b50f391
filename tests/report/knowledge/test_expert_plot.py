"""The scatter shows every measured expert once, chosen and refused apart."""

import math
from dataclasses import replace

import pytest

from kshot.report.knowledge import ExpertFacts, ExpertRow
from kshot.report.knowledge.expert_plot import expert_figure


def facts(*rows):
    return ExpertFacts(experts=rows, rule="paper", k=20)


def points(figure):
    return {
        trace["name"].split(" (")[0]: list(zip(trace["x"], trace["y"], strict=True))
        for trace in figure["data"]
    }


def test_every_measured_expert_stands_at_its_figures(knowledge):
    found = points(expert_figure(knowledge.experts))
    for state, places in found.items():
        wanted = [
            (row.perplexity, 100 * row.accuracy) for row in knowledge.experts.experts if row.state == state
        ]
        assert sorted(places) == sorted(wanted)
    assert sum(map(len, found.values())) == 27
    assert list(found) == ["chosen", "in the pool", "left"]


def test_bars_are_standard_errors():
    row = ExpertRow(name="a", accuracy=0.5, accuracy_se=0.1, perplexity=2.0, perplexity_se=0.3, chosen=True)
    trace = expert_figure(facts(row))["data"][0]
    assert (trace["error_x"]["array"], trace["error_y"]["array"]) == ([0.3], [10.0])
    bare = expert_figure(facts(replace(row, accuracy_se=None, perplexity_se=math.nan)))["data"][0]
    assert (bare["error_x"]["array"], bare["error_y"]["array"]) == ([0.0], [0.0])


def test_chosen_experts_are_named_first(knowledge):
    named = {text for trace in expert_figure(knowledge.experts)["data"] for text in trace["text"] if text}
    assert {row.name for row in knowledge.experts.experts if row.chosen} <= named


def test_the_axis_says_that_these_are_selection_scores(knowledge):
    layout = expert_figure(knowledge.experts)["layout"]
    assert layout["yaxis"]["title"]["text"] == "selection score: share of the 20 shots right, %"
    assert "on the shots" in layout["xaxis"]["title"]["text"]


@pytest.mark.parametrize(("largest", "log"), [(11.9, False), (12.1, True), (1e9, True)])
def test_the_axis_is_logarithmic_where_perplexities_differ_much(largest, log):
    rows = [ExpertRow(name=str(value), accuracy=0.5, perplexity=value) for value in (2.0, largest)]
    axis = expert_figure(facts(*rows))["layout"]["xaxis"]
    assert ("tickvals" in axis, axis.get("type")) == ((True, "log") if log else (False, None))
    if log:
        assert axis["tickvals"][0] <= 2.0
        assert 3 <= len(axis["tickvals"]) <= 11


def test_what_cannot_be_drawn_is_left_out():
    strange = [
        ExpertRow(name=str(place), accuracy=accuracy, perplexity=perplexity)
        for place, (accuracy, perplexity) in enumerate(
            [
                (None, 2.0),
                (0.5, None),
                (math.nan, 2.0),
                (0.5, math.inf),
                (0.5, 0.0),
                (0.5, -1.0),
                (0.5, math.nan),
            ]
        )
    ]
    assert expert_figure(facts(*strange)) == {}
    one = expert_figure(facts(*strange, ExpertRow(name="one", accuracy=0.0, perplexity=1e300)))
    assert points(one) == {"left": [(1e300, 0.0)]}
    assert expert_figure(facts()) == {}


def test_names_are_harmless():
    row = ExpertRow(name="<b>\u202ex</b>", accuracy=0.5, perplexity=2.0, left="<i>why</i>")
    trace = expert_figure(facts(row))["data"][0]
    assert trace["text"] == ["&lt;b&gt;⟨202E⟩x&lt;/b&gt;"]
    assert "&lt;i&gt;why" in trace["hovertext"][0]
