"""The temperature by cross-fit: against a slow restatement, ties, losses that are no numbers, and cost."""

import json
import math

import numpy as np
import pytest

from kshot.errors import InputError
from kshot.methods.cocktail import (
    GRID,
    Remembered,
    choose_temperature,
    folds_of,
    mixing_weights,
    settle,
    sweep_weights,
    uniform,
)


@pytest.mark.parametrize("count", [6, 24])
def test_against_a_slow_restatement(points, count):
    plain = points(4, count, seed=1)
    table = plain.table
    choice = choose_temperature(table, plain, seed=3)
    for at, temperature in enumerate(GRID):
        slow = np.zeros(count)
        for fold in folds_of(count, seed=3):
            rest = [row for row in range(count) if row not in fold]
            weights = mixing_weights(table[:, rest].mean(axis=1), temperature=temperature)
            slow[list(fold)] = plain(weights, fold)
        assert np.allclose(choice.fits[at].each, slow, rtol=1e-4)
        weights = mixing_weights(table.mean(axis=1), temperature=temperature)
        assert np.allclose(choice.grid_weights[at], weights, atol=1e-12)
        assert choice.fitted[at] == pytest.approx(plain(weights, range(count)).mean(), rel=1e-4)
    assert choice.temperature == GRID[int(np.argmin(choice.crossfit))]
    assert choice.weights.tolist() == choice.grid_weights[GRID.index(choice.temperature)].tolist()
    assert choice.crossfit_uniform == pytest.approx(plain(uniform(4), range(count)).mean())
    assert choice.n == count


def test_the_choice_lies_inside_the_grid_where_the_truth_does():
    # the best mix has weights 3 : 1, the losses lie 1 nat apart: temperature 1 / ln 3 = .91
    def objective(weights, rows):
        return np.full(len(rows), (weights[0] - 0.75) ** 2)

    choice = choose_temperature([[1.0] * 5, [2.0] * 5], objective)
    assert choice.temperature == 1.0
    assert choice.weights.round(3).tolist() == [0.731, 0.269]
    assert settle(choice.weights, choice.chosen).kept
    assert "temperature 1 has the lowest cross-fit loss" in choice.reason
    assert ", below the " in choice.reason


def test_ties_go_to_the_higher_temperature():
    flat = choose_temperature([[1.0, 2.0], [2.0, 1.0]], lambda weights, rows: np.ones(len(rows)))
    assert flat.temperature == max(GRID)
    assert "not below" in flat.reason
    assert not settle(flat.weights, flat.chosen).kept


def test_the_order_of_the_grid_and_repeats_do_not_matter(points):
    plain = points(3, 5)
    one = choose_temperature(plain.table, plain, grid=(0.1, 1, 10))
    other = choose_temperature(plain.table, plain, grid=(10, 0.1, 1, 1.0))
    assert one.grid == other.grid == (0.1, 1.0, 10.0)
    assert one.temperature == other.temperature
    assert one.crossfit.tolist() == other.crossfit.tolist()


def test_infinity_stands_for_equal_weights(points):
    plain = points(3, 5)
    choice = choose_temperature(plain.table, plain, grid=(math.inf,))
    assert choice.crossfit[0] == pytest.approx(choice.crossfit_uniform)
    assert choice.weights.tolist() == [1 / 3] * 3


def test_a_mix_without_a_finite_loss_loses():
    def objective(weights, rows):
        return np.full(len(rows), np.nan if weights[0] > 0.9 else 1.0 + weights[1])

    table = [[1.0] * 4, [2.0] * 4]
    choice = choose_temperature(table, objective, grid=(0.1, 1, 10))
    assert choice.crossfit[0] == np.inf
    assert choice.temperature == 1.0
    assert choice.rows()[0]["crossfit"] is None
    with pytest.raises(InputError, match=r"no mix at temperatures 0.1, 1 has a finite loss"):
        choose_temperature(table, lambda weights, rows: np.full(len(rows), np.inf), grid=(0.1, 1))


def test_what_it_costs(points):
    plain = points(3, 8)
    choice = choose_temperature(plain.table, plain)
    assert choice.evaluations == len(plain.asked)
    assert choice.evaluations <= len(GRID) * 9 + 1
    cold = points(3, 8)
    table = cold.table + np.array(
        [[0], [1000], [1000]]
    )  # every weight is all or nothing at every temperature
    joint = Remembered(cold, 8, joint=True)
    assert choose_temperature(table, joint).evaluations == len(cold.asked) == 2


def test_joint_losses_are_always_asked_for_all_examples(points):
    plain = points(3, 6)
    choose_temperature(plain.table, Remembered(plain, 6, joint=True))
    assert {rows for _, rows in plain.asked} == {tuple(range(6))}


def test_permuting_models_changes_nothing_but_the_order():
    rng = np.random.default_rng(4)
    models, targets = rng.normal(size=(3, 9)), rng.normal(size=(7, 9))
    order = [2, 0, 1]

    def of(points):
        return lambda weights, rows: ((weights @ points - targets[list(rows)]) ** 2).sum(axis=1)

    table = ((models[:, None] - targets[None]) ** 2).sum(axis=2)
    one = choose_temperature(table, of(models))
    other = choose_temperature(table[order], of(models[order]))
    assert one.temperature == other.temperature
    assert np.allclose(other.weights, one.weights[order])


def test_the_sweep_of_weights():
    found = sweep_weights([1.0, 1.2, 2.0, 4.0])
    assert found.shape == (10, 4)
    assert found[GRID.index(5.0)].tolist() == mixing_weights([1.0, 1.2, 2.0, 4.0]).tolist()
    assert (np.diff(found.max(axis=1)) < 0).all()  # flatter and flatter


def test_rows_are_plain_data(points):
    plain = points(3, 5)
    rows = choose_temperature(plain.table, plain).rows()
    assert json.loads(json.dumps(rows)) == rows
    assert [row["temperature"] for row in rows] == list(GRID)
    assert sum(row["chosen"] for row in rows) == 1


@pytest.mark.parametrize(
    ("table", "grid", "said"),
    [
        ([[1.0], [2.0]], GRID, "two or more"),
        ([[1.0, np.nan]], GRID, "model 0 on example 1"),
        ([[1.0, 2.0]], (), "grid of temperatures is empty"),
        ([[1.0, 2.0]], (0.0, 1.0), "temperature is 0.0"),
    ],
)
def test_refusals(table, grid, said):
    with pytest.raises(InputError, match=said):
        choose_temperature(table, lambda weights, rows: np.ones(len(rows)), grid=grid)
