"""Weights by each rule, and what is told of them; the mix is a toy whose loss is known."""

import json

import numpy as np
import pytest

from kshot.errors import InputError
from kshot.methods.cocktail import mixing_weights
from kshot.pipeline.mix.job import RULES, Weighing
from kshot.pipeline.mix.weigh import told_weights, weigh

NAMES = ["base", "left", "right"]
# members stand at 0, -1 and 1.2; the shots want about 0: left and right together undo one another
PLACES = np.array([0.6, -1.0, 1.2])
WANTED = np.array([0.0, 0.1, -0.1, 0.05, 0.0])
TABLE = (PLACES[:, None] - WANTED) ** 2


def toy(weights, rows):
    return (weights @ PLACES - WANTED[list(rows)]) ** 2


def nothing(weights, rows):
    return np.full(len(rows), np.nan)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_weights_and_facts_that_json_holds(rule):
    found = weigh(NAMES, TABLE, toy, Weighing(rule=rule, temperature="auto", evaluations=60))
    assert found.weights.sum() == pytest.approx(1)
    assert (found.weights >= 0).all()
    assert found.told["rule"] == rule
    assert found.told["reason"]
    assert found.told["loss"] == pytest.approx(toy(found.weights, range(5)).mean())
    assert found.told["uniform_loss"] == pytest.approx(toy(np.full(3, 1 / 3), range(5)).mean())
    json.dumps(found.told, allow_nan=False)
    json.dumps(found.rows, allow_nan=False)


def test_a_given_temperature_is_the_softmax_of_the_mean_losses():
    found = weigh(NAMES, TABLE, nothing, Weighing(temperature=0.5))
    np.testing.assert_allclose(found.weights, mixing_weights(TABLE.mean(axis=1), temperature=0.5))
    assert found.told["loss"] is None  # nobody asked the mix
    assert [row["low"] <= row["weight"] <= row["high"] for row in found.rows] == [True] * 3


def test_numbers_of_another_kind_replace_the_mean_over_examples():
    found = weigh(NAMES, TABLE, nothing, Weighing(temperature=1.0), numbers=[3.0, 2.0, 1.0])
    np.testing.assert_allclose(found.weights, mixing_weights([3.0, 2.0, 1.0], temperature=1.0))
    best = weigh(NAMES, TABLE, nothing, Weighing(rule="best"), numbers=[3.0, 2.0, 1.0])
    assert best.weights.tolist() == [0, 0, 1]


def test_the_automatic_temperature_comes_with_its_sweep():
    told = weigh(NAMES, TABLE, toy, Weighing(temperature="auto")).told["temperature"]
    assert told["asked"] == "auto"
    assert [row["temperature"] for row in told["rows"] if row["chosen"]] == [told["chosen"]]
    assert told["crossfit_uniform"] == pytest.approx(toy(np.full(3, 1 / 3), range(5)).mean())


def test_one_shot_has_no_crossfit():
    found = weigh(NAMES, TABLE[:, :1], toy, Weighing(temperature="auto"))
    assert found.told["temperature"]["chosen"] == 5.0
    assert "one example" in found.told["reason"]
    assert found.rows[0]["low"] is None
    searched = weigh(NAMES, TABLE[:, :1], toy, Weighing(rule="simplex"))
    assert searched.weights.tolist() == pytest.approx([1 / 3] * 3)
    assert searched.told["search"]["crossfit"] is None


def test_a_search_finds_what_undoes_one_another_and_is_kept():
    found = weigh(NAMES, TABLE, toy, Weighing(rule="simplex"))
    assert found.told["search"]["kept"]
    assert abs(found.weights @ PLACES) < 0.02
    assert found.told["search"]["crossfit"] < found.told["search"]["crossfit_uniform"]


def test_a_search_that_does_not_carry_over_gives_equal_weights_unless_forced():
    # each shot wants another member, so what serves four of them fails the fifth
    def spoilt(weights, rows):
        return np.array([1 - weights[row % 3] + 4 * (weights[row % 3] < 0.2) for row in rows])

    table = np.array([[float(row % 3 != at) for row in range(6)] for at in range(3)])
    free = weigh(NAMES, table, spoilt, Weighing(rule="simplex", evaluations=40))
    assert free.weights.tolist() == pytest.approx([1 / 3] * 3)
    assert not free.told["search"]["kept"]
    forced = weigh(NAMES, table, spoilt, Weighing(rule="simplex", evaluations=40, forced=True))
    assert forced.told["search"]["kept"]


def test_greedy_steps_carry_names():
    told = weigh(NAMES, TABLE, toy, Weighing(rule="greedy")).told
    assert [step["name"] for step in told["steps"]] == ["base", "left", "right"]
    assert told["steps"][0]["accepted"]


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="finite"):
        weigh(NAMES, np.where(TABLE > 1, np.nan, TABLE), toy, Weighing())


def test_weights_in_words():
    assert told_weights(NAMES, np.array([0.0, 1.0, 0.0])) == "left 1.00"
    assert told_weights(NAMES, np.array([0.2, 0.3, 0.5]), most=1) == "right 0.50, 2 more"
