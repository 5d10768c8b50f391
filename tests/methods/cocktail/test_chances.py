"""Intervals of the weights: every draw and every example left out, decided as ``mixing_weights`` decides."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kshot.errors import InputError
from kshot.methods.cocktail import mixing_weights, weight_chances

TABLE = np.random.default_rng(5).normal(2, 1, size=(4, 9))


def test_each_draw_is_the_same_for_all_models_and_weighed_alike():
    found = weight_chances(TABLE, temperature=0.5, draws=300, seed=3)
    rng = np.random.default_rng(3)
    draws = []
    for rows in rng.integers(0, 9, size=(300, 9)):
        draws.append(mixing_weights(TABLE[:, rows].mean(axis=1), temperature=0.5))
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    assert np.allclose(found.low, low, atol=1e-12)
    assert np.allclose(found.high, high, atol=1e-12)
    assert (found.low < found.weights).all()
    assert (found.weights < found.high).all()


def test_each_example_is_left_out_once():
    found = weight_chances(TABLE, temperature=0.5)
    slow = [mixing_weights(np.delete(TABLE, row, axis=1).mean(axis=1), temperature=0.5) for row in range(9)]
    assert found.left_out.shape == (9, 4)
    assert np.allclose(found.left_out, slow, atol=1e-12)
    assert np.allclose(found.change, np.abs(np.array(slow) - found.weights).max(axis=0), atol=1e-12)
    assert (found.change > 0).all()


def test_the_default_is_the_paper_and_a_thousand_draws():
    found = weight_chances(TABLE)
    assert (found.temperature, found.draws, found.examples) == (5.0, 1000, 9)
    assert np.allclose(found.weights, mixing_weights(TABLE.mean(axis=1)))
    assert found.low.tolist() == weight_chances(TABLE, draws=1000, seed=0).low.tolist()
    assert found.low.tolist() != weight_chances(TABLE, seed=1).low.tolist()


@given(arrays(np.float64, st.integers(1, 5), elements=st.floats(-3, 3)), st.integers(2, 12))
def test_identical_examples_give_no_width(losses, count):
    found = weight_chances(np.repeat(losses[:, None], count, axis=1), temperature=0.3, draws=50)
    assert found.low.tolist() == found.high.tolist() == found.weights.tolist()
    assert found.change.tolist() == [0.0] * len(losses)
    assert found.tells_apart == (np.abs(found.weights - 1 / len(losses)).max() > 1e-12)


@given(arrays(np.float64, (4, 6), elements=st.floats(0, 5)), st.permutations(range(4)))
def test_permuting_models_permutes_everything(table, order):
    found = weight_chances(table, temperature=0.5, draws=40)
    again = weight_chances(table[order], temperature=0.5, draws=40)
    assert np.allclose(again.low, found.low[order], atol=1e-12)
    assert np.allclose(again.high, found.high[order], atol=1e-12)
    assert np.allclose(again.change, found.change[order], atol=1e-12)


def test_models_that_differ_less_than_examples_do_cannot_be_told_apart():
    rng = np.random.default_rng(0)
    blurred = rng.normal(2, 1, size=(3, 10))
    found = weight_chances(blurred, temperature=1.0)
    assert not found.tells_apart
    assert "cannot be told from uniform ones (0.3333 each) by 10 examples at temperature 1" in found.reason
    clear = weight_chances(blurred + np.array([[0], [3], [3]]), temperature=1.0)
    assert clear.tells_apart
    assert clear.reason.startswith("the weights differ from uniform ones")


def test_one_example_has_no_interval_and_says_so():
    found = weight_chances([[1.0], [2.0]], temperature=1.0)
    assert found.low is found.high is found.left_out is found.change is None
    assert not found.tells_apart
    assert "one example" in found.reason
    assert found.rows()[0] == {
        "loss": 1.0,
        "weight": found.weights[0],
        "low": None,
        "high": None,
        "change": None,
    }


def test_one_model():
    found = weight_chances([[1.0, 2.0, 5.0]])
    assert found.low.tolist() == found.high.tolist() == [1.0]
    assert not found.tells_apart
    assert found.reason == "one model: its weight is 1"


def test_rows_are_plain_data():
    rows = weight_chances(TABLE).rows()
    assert json.loads(json.dumps(rows)) == rows
    assert [row["loss"] for row in rows] == pytest.approx(TABLE.mean(axis=1).tolist())


@pytest.mark.parametrize(
    ("table", "given_", "said"),
    [
        ([[1.0, np.nan]], {}, "model 0 on example 1"),
        ([[1.0]], {"temperature": 0.0}, "temperature is 0.0"),
        ([[1.0]], {"draws": 0}, "0 draws"),
    ],
)
def test_refusals(table, given_, said):
    with pytest.raises(InputError, match=said):
        weight_chances(table, **given_)
