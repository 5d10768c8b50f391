"""The map shows every point once, by what became of it."""

import math

from kshot.report.knowledge import DataFacts, DataPoint
from kshot.report.knowledge.choice import FATES
from kshot.report.knowledge.data_plot import data_figure


def facts(points, **counts):
    return DataFacts(
        counts={name.replace("_", " "): number for name, number in counts.items()},
        encoder="e", selector="max", asked=9, threshold=0.9, points=tuple(points),
    )  # fmt: skip


def test_every_point_is_drawn_in_its_fate(knowledge):
    figure = data_figure(knowledge.data)
    drawn = sorted((x, y) for trace in figure["data"] for x, y in zip(trace["x"], trace["y"], strict=True))
    assert drawn == sorted((point.x, point.y) for point in knowledge.data.points)
    assert len(drawn) == 2000
    assert len(figure["data"]) == len(FATES)
    assert figure["data"][-1]["name"].startswith("shots (")  # on top


def test_fates_differ_by_symbol_and_not_only_by_colour(knowledge):
    looks = {
        (trace["marker"]["symbol"], trace["marker"]["size"]) for trace in data_figure(knowledge.data)["data"]
    }
    assert len(looks) == len(FATES)


def test_the_legend_says_how_many_of_how_many():
    points = [DataPoint(0.0, 0.0, "kept"), DataPoint(1.0, 0.0, "not chosen")]
    names = [trace["name"] for trace in data_figure(facts(points, kept=1, not_chosen=5000))["data"]]
    assert names == ["not chosen (1 of 5,000)", "kept (1)"]


def test_texts_are_harmless_and_short():
    figure = data_figure(facts([DataPoint(0.0, 0.0, "guard", "<script>\n" + "x" * 500, 0.97654)]))
    text = figure["data"][0]["hovertext"][0]
    assert text.startswith("<b>removed by the guard</b>, score 0.977<br>&lt;script&gt; xxx")
    assert len(text) < 200


def test_places_that_are_no_numbers_are_left_out():
    assert data_figure(facts([])) == {}
    assert data_figure(facts([DataPoint(math.nan, 0.0, "kept"), DataPoint(0.0, math.inf, "shot")])) == {}
