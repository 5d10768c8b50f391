"""Mixes as tables: every part with its sentence and figures, none that is absent."""

import re
from dataclasses import replace

import pytest

from kshot.errors import DataError
from kshot.report.cocktail import CocktailFacts, MixFacts, mix_from
from kshot.report.cocktail.sentences import UNTELLABLE, mix_sentence
from kshot.report.cocktail.tables import cocktail_tables, members_table
from kshot.report.markdown import markdown
from kshot.report.result import RunReport

TITLES = ["Members and weights, in %", "Temperatures tried for cocktail", "Steps of greedy soup", "Not mixed"]


def test_every_part_has_a_table(cocktail):
    tables = list(cocktail_tables(cocktail))
    assert [table.title for table in tables] == TITLES
    for table in tables:
        assert table.lead
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_members_stand_with_loss_weight_interval_change_and_uniform(cocktail):
    table = next(cocktail_tables(cocktail))
    assert table.header[6:] == ("uniform soup", "greedy soup", "searched soup")
    assert table.rows[0] == ("base", "base", "1", "50.0", "[40.0, 65.0]", "0.0", "33.3", "50.0", "33.3")
    assert [row[0] for row in table.rows] == ["base", "smith-lora", "model: weaver"]
    assert (
        "Selection score: the mix has a loss of 0.9 nats on the 5 shots, the uniform soup 1.2" in table.lead
    )
    assert "200 mixes tried; cross-fit loss 1.4, uniform 1.2" in table.lead


def test_the_sweep_ends_with_the_uniform_soup_and_marks_the_chosen(cocktail):
    table = list(cocktail_tables(cocktail))[1]
    assert table.rows[-1] == ("uniform soup", "33.3", "33.3", "1.2", "1.2")
    assert table.rows[2][3] == "–"  # no number
    assert table.marked == {1}
    assert "Lowest: 1.1, below the 1.2 of the uniform soup" in table.lead


def test_weights_that_say_nothing_are_called_so(mix_json):
    facts = mix_from(mix_json | {"tells_apart": False})
    assert UNTELLABLE in mix_sentence(facts)
    assert UNTELLABLE not in mix_sentence(mix_from(mix_json))
    one = mix_from(mix_json | {"tells_apart": False, "examples": ["a"], "apart": "one example: no interval"})
    assert UNTELLABLE not in mix_sentence(one)
    assert "One example: no interval." in mix_sentence(one)


def test_weights_by_hand_need_no_shots():
    members = [{"name": "a", "weight": 0.7}, {"name": "b", "weight": 0.3, "low": None, "high": None}]
    facts = mix_from({"members": members})
    assert (facts.system, facts.rule, facts.k) == ("mix", "given", 0)
    rows = members_table(facts).rows
    assert rows[0] == ("a", "–", "–", "70.0", "–", "–", "50.0")


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        ({}, "field 'members' is missing"),
        ({"members": []}, "has no member"),
        ({"members": [{"name": "a", "weight": "much"}]}, "expected a number"),
        ({"members": [{"weight": 1.0}]}, "expected text"),
    ],
)
def test_damaged_facts_are_refused(plain, says):
    with pytest.raises(DataError, match=says):
        mix_from(plain)


def test_a_cocktail_needs_a_mix():
    with pytest.raises(DataError, match="no mix"):
        CocktailFacts(mixes=())


def test_markdown_and_json_hold_it(sample, cocktail):
    report = replace(sample, cocktail=cocktail)
    text = markdown(report)
    assert "## Cocktail (miniature)" in text
    assert [title for title in re.findall(r"(?m)^### (.*)$", text) if title in TITLES] == TITLES
    back = RunReport.from_json(report.to_json())
    assert back.cocktail == cocktail
    assert isinstance(back.cocktail.main, MixFacts)
    assert "Cocktail" not in markdown(sample)
