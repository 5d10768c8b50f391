"""Greedy soup: one pass in the order of own losses, a model stays if the average gets better."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import InputError
from kshot.methods.cocktail import greedy_soup


def test_against_a_slow_restatement(points):
    for seed in range(10):
        plain = points(6, 5, seed=seed)
        own = plain.table.mean(axis=1)
        soup = greedy_soup(own, plain, range(5))
        kept, best = [], np.inf
        for model in sorted(range(6), key=lambda at: own[at]):
            weights = np.mean([np.eye(6)[at] for at in [*kept, model]], axis=0)
            loss = plain(weights, range(5)).mean()
            if loss < best:
                kept, best = [*kept, model], loss
        assert soup.accepted == tuple(kept)
        assert soup.loss == pytest.approx(best)
        assert np.allclose(soup.weights, np.isin(np.arange(6), kept) / len(kept))
        assert soup.order == tuple(np.argsort(own))


def test_it_asks_once_a_model(points):
    plain = points(4, 3)
    greedy_soup(plain.table.mean(axis=1), plain, [0, 2])
    assert len(plain.asked) == 4
    assert {rows for _, rows in plain.asked} == {(0, 2)}


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=6), st.integers(-9, 9))
def test_it_is_never_worse_than_the_best_single_model(models, target):
    def objective(weights, rows):
        return np.full(len(rows), (float(weights @ models) - target) ** 2)

    own = [float((model - target) ** 2) for model in models]
    soup = greedy_soup(own, objective, [0])
    assert soup.loss <= min(own)
    assert soup.weights.sum() == pytest.approx(1)
    assert set(soup.order) == set(range(len(models)))


def test_ties_keep_the_order_of_the_models_and_change_nothing():
    soup = greedy_soup([2.0, 1.0, 1.0, 1.0], lambda weights, rows: np.ones(len(rows)), [0])
    assert soup.order == (1, 2, 3, 0)
    assert soup.accepted == (1,)  # an average that is as good is not better
    assert soup.weights.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_many_ties_keep_the_order_of_the_models():
    own = [float(model % 2) for model in range(40)]
    soup = greedy_soup(own, lambda weights, rows: np.ones(len(rows)), [0])
    assert soup.order == (*range(0, 40, 2), *range(1, 40, 2))


def test_one_model():
    soup = greedy_soup([3.0], lambda weights, rows: np.full(len(rows), 3.0), [0, 1])
    assert (soup.accepted, soup.weights.tolist(), soup.loss, soup.notes) == ((0,), [1.0], 3.0, ())


def test_mixes_without_a_finite_loss_stay_out_and_are_told():
    def objective(weights, rows):
        return np.full(len(rows), np.nan if weights[1] > 0 else 1.0 - weights[2])

    soup = greedy_soup([1.0, 2.0, 3.0], objective, [0])
    assert soup.accepted == (0, 2)
    assert soup.notes == ("1 of 3 mixes had no finite loss",)
    assert soup.rows()[1] == {"model": 1, "loss": None, "accepted": False}


def test_a_start_without_a_finite_loss_is_left():
    def objective(weights, rows):
        return np.full(len(rows), np.nan if weights[0] > 0 else 1.0)

    soup = greedy_soup([1.0, 2.0], objective, [0])
    assert soup.accepted == (1,)
    assert soup.weights.tolist() == [0.0, 1.0]
    with pytest.raises(InputError, match="none of 2 models"):
        greedy_soup([1.0, 2.0], lambda weights, rows: np.full(len(rows), np.nan), [0])


def test_rows_are_plain_data(points):
    plain = points(3, 3)
    rows = greedy_soup(plain.table.mean(axis=1), plain, [0]).rows()
    assert json.loads(json.dumps(rows)) == rows


def test_refusals(points):
    for losses, said in (([], "losses have shape"), ([1.0, np.inf], "model 1 is inf")):
        with pytest.raises(InputError, match=said):
            greedy_soup(losses, points(2, 2), [0])
