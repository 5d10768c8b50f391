"""The section of the report and the pages of their own: whole, offline, deaf to what names try."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from parsed_page import Page

from kshot.errors import DataError
from kshot.report.cocktail import CocktailFacts, alpha_page, mix_from, mix_page
from kshot.report.cocktail.plots import alpha_figure, weights_figure
from kshot.report.page import html_page

EVIL = "</script><script>boom()</script><img src=x onerror=boom()>\"'&{{ 7 * 7919 }}\u202e"


def check(text):
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    terms = {value for _, name, value in page.attributes if name == "data-term"}
    assert {f"def-{term}" for term in terms} <= set(page.ids)
    assert not [item for item in page.attributes if item[1] in ("src", "onerror", "action", "srcset")]
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    bodies = [body for kind, body in page.scripts if kind is None]
    found = {base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies}
    assert found == set(re.findall(r"'sha256-([^']+)'", policy))
    return page


def test_the_report_has_a_section(sample, cocktail):
    text = html_page(replace(sample, cocktail=cocktail))
    page = check(text)
    assert {"cocktail", "plot-weights", "def-mixweight"} <= set(page.ids)
    assert 'href="#cocktail"' in text
    assert "cocktail" not in Page(html_page(sample)).ids


def test_names_do_nothing(sample, mix_json, sweep):
    mix_json["members"][0]["name"] = mix_json["system"] = mix_json["reason"] = EVIL
    mix_json["left"] = {EVIL: EVIL}
    sweep["target"]["name"] = sweep["reason"] = EVIL
    texts = [
        html_page(replace(sample, cocktail=CocktailFacts(mixes=(mix_from(mix_json),), note=EVIL))),
        mix_page(mix_json | {"alpha_sweep": sweep}),
        alpha_page(sweep),
    ]
    for text in texts:
        check(text)
        assert "<script>boom()" not in text
        assert str(7 * 7919) not in text
        assert "\u202e" not in text


def test_a_mix_has_a_page_of_its_own(mix_json, sweep):
    page = check(mix_page(mix_json))
    assert "plot-weights" in page.ids
    assert "plot-alpha" not in page.ids
    assert {"plot-weights", "plot-alpha"} <= set(check(mix_page(mix_json | {"alpha_sweep": sweep})).ids)


def test_the_alpha_page_shows_every_point_and_the_recommendation(sweep):
    text = alpha_page(sweep)
    page = check(text)
    assert "plot-alpha" in page.ids
    assert text.count(">recommended<") == 2  # the heading of the column and one cell
    assert "Within one standard error." in text
    assert "40 target rows and 60 general rows" in text
    assert "selection scores and prove nothing" in text
    assert "selection scores" not in alpha_page(sweep | {"selection": False})


def test_losses_are_no_percent(sweep):
    assert alpha_figure(sweep)["layout"]["yaxis"]["tickformat"] == ".0%"
    plain = alpha_figure(sweep | {"higher_is_better": False})["layout"]["yaxis"]
    assert "tickformat" not in plain
    assert plain["title"]["text"] == "lower is better"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"alphas": [0.0]}, "target has 5 mean values for 1 alphas"),
        ({"general": {"mean": None}}, "general has no mean"),
        ({"target": {"mean": [0] * 5, "error": [0.1]}}, "target has 1 error"),
    ],
)
def test_curves_that_do_not_fit_are_refused(sweep, change, says):
    with pytest.raises(DataError, match=says):
        alpha_page(sweep | change)
    with pytest.raises(DataError, match="'general' is missing"):
        alpha_page({key: value for key, value in sweep.items() if key != "general"})


def test_the_picture_of_weights(cocktail):
    figure = weights_figure(cocktail.main)
    trace = figure["data"][0]
    assert trace["x"] == [20.0, 30.0, 50.0]  # the heaviest on top
    assert trace["error_x"]["array"] == pytest.approx([15.0, 15.0, 15.0])
    assert trace["error_x"]["arrayminus"] == pytest.approx([10.0, 10.0, 10.0])
    assert figure["layout"]["shapes"][0]["x0"] == pytest.approx(100 / 3)
