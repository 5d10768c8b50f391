"""Weights by softmax: the figures of the specification, and what holds for any losses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import InputError
from kshot.methods.cocktail import final_weights, loss_table, mean_losses, mixing_weights, uniform
from kshot.methods.cocktail.weights import check_rows, shares

LOSSES = [1.0, 1.2, 2.0, 4.0]
CONSTANTS = np.array([1.0, 2.0, 3.0, 4.0])
some_losses = st.lists(st.floats(-50, 50), min_size=1, max_size=12)
temperatures = st.floats(1e-3, 1e3)


@pytest.mark.parametrize(
    ("temperature", "weights", "mix", "final"),
    [
        (5.0, [0.300451, 0.288670, 0.245988, 0.164891], 2.275319, 6.137660),
        (1.0, [0.447148, 0.366094, 0.164496, 0.022262], 1.761873, 5.880937),
    ],
)
def test_figures_of_the_specification(temperature, weights, mix, final):
    found = mixing_weights(LOSSES, temperature=temperature)
    assert found.dtype == np.float64
    assert np.abs(found - weights).max() < 5e-7
    assert found @ CONSTANTS == pytest.approx(mix, abs=5e-7)
    assert final_weights(found, 0.5) @ np.append(CONSTANTS, 10.0) == pytest.approx(final, abs=5e-7)


def test_the_default_temperature_is_five():
    assert mixing_weights(LOSSES).tolist() == mixing_weights(LOSSES, temperature=5.0).tolist()


@pytest.mark.parametrize(
    ("gap", "temperature", "ratio"),
    [(0.1, 5, 1.02), (0.5, 5, 1.11), (1, 5, 1.22), (2, 5, 1.49), (5, 5, 2.72), (1, 1, 2.72), (5, 1, 148)],
)
def test_ratios(gap, temperature, ratio):
    low, high = mixing_weights([0.0, gap], temperature=temperature)
    assert low / high == pytest.approx(ratio, rel=5e-3)


@pytest.mark.parametrize(
    ("temperature", "best", "other"), [(5, 0.119, 0.098), (1, 0.232, None), (0.5, 0.451, None)]
)
def test_one_of_ten_models_is_a_nat_better(temperature, best, other):
    found = mixing_weights([1.0] + [2.0] * 9, temperature=temperature)
    assert found[0] == pytest.approx(best, abs=5e-4)
    assert other is None or found[1] == pytest.approx(other, abs=5e-4)


def test_a_reported_case():
    assert mixing_weights([1.0, 1.26]).round(3).tolist() == [0.513, 0.487]


@given(some_losses, temperatures)
def test_weights_sum_to_one_and_fall_with_the_loss(losses, temperature):
    found = mixing_weights(losses, temperature=temperature)
    assert math.fsum(found) == pytest.approx(1, abs=1e-12)
    assert (found >= 0).all()
    assert (np.diff(found[np.argsort(losses, kind="stable")]) <= 0).all()


@given(some_losses, temperatures, st.randoms())
def test_permuting_models_permutes_weights(losses, temperature, random):
    order = list(range(len(losses)))
    random.shuffle(order)
    found = mixing_weights(losses, temperature=temperature)
    again = mixing_weights([losses[at] for at in order], temperature=temperature)
    assert again.tolist() == [found[at] for at in order]


@given(some_losses, st.floats(-100, 100), temperatures)
def test_a_shift_of_all_losses_changes_nothing(losses, shift, temperature):
    found = mixing_weights(losses, temperature=temperature)
    again = mixing_weights(np.array(losses) + shift, temperature=temperature)
    assert np.allclose(found, again, rtol=1e-9 + 1e-13 / temperature, atol=1e-9)


def test_no_temperature_and_no_loss_is_too_extreme():
    assert mixing_weights([3.0, 1.0, 2.0, 1.0], temperature=1e-300).tolist() == [0.0, 0.5, 0.0, 0.5]
    assert mixing_weights([3.0, 1.0], temperature=math.inf).tolist() == [0.5, 0.5]
    assert mixing_weights([1e308, -1e308], temperature=5).tolist() == [0.0, 1.0]
    assert mixing_weights([7.0]).tolist() == [1.0]
    assert mixing_weights([2, 2, 2]).tolist() == [1 / 3] * 3


@pytest.mark.parametrize(
    ("losses", "temperature", "said"),
    [
        ([], 5, "one number for each of 1 or more"),
        ([[1.0]], 5, r"shape \(1, 1\)"),
        ([1.0, math.nan], 5, "model 1 is nan"),
        ([math.inf, 1.0], 5, "model 0 is inf"),
        (["x"], 5, "losses: could not convert"),
        ([1.0], 0, "temperature is 0"),
        ([1.0], -1.0, "temperature is -1.0"),
        ([1.0], math.nan, "temperature is nan"),
    ],
)
def test_refusals(losses, temperature, said):
    with pytest.raises(InputError, match=said):
        mixing_weights(losses, temperature=temperature)


def test_the_ends_of_alpha_are_exact():
    weights = mixing_weights(LOSSES)
    assert final_weights(weights, 1).tolist() == [0.0] * 4 + [1.0]
    assert final_weights(weights, 0).tolist() == [*weights, 0.0]
    assert final_weights([1.0], 0.3).tolist() == [0.7, 0.3]


@given(some_losses, st.floats(0, 1))
def test_final_weights_sum_to_one(losses, alpha):
    assert math.fsum(final_weights(mixing_weights(losses), alpha)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_an_alpha_out_of_range(alpha):
    with pytest.raises(InputError, match="alpha is"):
        final_weights([1.0], alpha)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([0.2], "sum to 0.2;"),
        ([0.6, 0.6], "sum to 1.2;"),
        ([1.5, -0.5], "weight 1 is -0.5"),
        ([math.nan, 1.0], "weight 0 is nan"),
        ([], "weights have shape"),
    ],
)
def test_weights_that_are_no_shares(weights, said):
    with pytest.raises(InputError, match=said):
        shares(weights)
    with pytest.raises(InputError, match=said):
        final_weights(weights, 0.5)


def test_a_table_names_the_loss_that_is_not_finite():
    with pytest.raises(InputError, match=r"model 1 on example 2 is nan.*2 of 9"):
        loss_table([[1, 2, 3], [4, 5, math.nan], [math.inf, 6, 7]])
    for given_ in ([], [1.0, 2.0], np.zeros((2, 0))):
        with pytest.raises(InputError, match="models by examples"):
            loss_table(given_)
    with pytest.raises(InputError, match="table of losses"):
        loss_table([[1, 2], [3]])


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=6), st.integers(1, 30))
def test_equal_columns_have_exactly_their_mean(losses, count):
    assert mean_losses(np.repeat(np.array(losses)[:, None], count, axis=1)).tolist() == losses


def test_mean_losses_are_means():
    table = np.random.default_rng(0).normal(size=(3, 7))
    assert np.allclose(mean_losses(table), table.mean(axis=1), atol=1e-15)


def test_uniform_and_rows():
    with pytest.raises(InputError, match="0 models"):
        uniform(0)
    for rows in ([], [0, 0], [-1]):
        with pytest.raises(InputError, match="rows are"):
            check_rows(rows)
