"""Cross-fit: no example is judged by weights that saw it, and equal weights stand beside."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import InputError
from kshot.methods.cocktail import (
    CrossFit,
    Remembered,
    crossfit,
    folds_of,
    mixing_weights,
    search_weights,
    settle,
    uniform,
)


@given(st.integers(2, 60), st.integers(0, 3), st.data())
def test_every_example_is_left_out_once(count, seed, data):
    folds = data.draw(st.none() | st.integers(2, count))
    parts = folds_of(count, folds=folds, seed=seed)
    assert sorted(row for part in parts for row in part) == list(range(count))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == (folds or (count if count <= 20 else 5))
    assert parts == folds_of(count, folds=folds, seed=seed)


def test_the_seed_draws_the_folds():
    assert folds_of(30, seed=0) != folds_of(30, seed=1)
    assert folds_of(20, seed=0) == folds_of(20, seed=1) == tuple((row,) for row in range(20))


@pytest.mark.parametrize(("count", "folds"), [(1, None), (0, None), (5, 1), (5, 6)])
def test_folds_that_cannot_be(count, folds):
    with pytest.raises(InputError, match="expected"):
        folds_of(count, folds=folds)


@pytest.mark.parametrize("count", [7, 23])
def test_against_a_slow_restatement(points, count):
    plain = points(3, count)

    def find(rows):
        return mixing_weights(plain.table[:, list(rows)].mean(axis=1), temperature=2.0)

    found = crossfit(find, plain, count)
    slow = np.zeros(count)
    for fold in folds_of(count):
        weights = find([row for row in range(count) if row not in fold])
        slow[list(fold)] = plain(weights, fold)
    assert np.allclose(found.each, slow, atol=1e-12)
    assert np.allclose(found.uniform_each, plain(uniform(3), range(count)), atol=1e-12)
    assert found.loss == pytest.approx(slow.mean())
    assert found.better == (found.loss < found.uniform_loss)
    difference = slow - found.uniform_each
    assert found.error == pytest.approx(difference.std(ddof=1) / np.sqrt(count))


def test_weights_never_see_the_rows_they_are_judged_on(points):
    seen = []

    def find(rows):
        seen.append(set(rows))
        return [0.5, 0.5]

    found = crossfit(find, points(2, 23), 23, seed=4)
    for used, fold in zip(seen, found.folds, strict=True):
        assert used == set(range(23)) - set(fold)


def test_mixes_are_shared_between_folds(points):
    ask = Remembered(points(2, 10), 10)
    crossfit(lambda rows: [1.0, 0.0], ask, 10)
    assert ask.evaluations == 11  # one for each row of the same mix, one for equal weights
    joint = Remembered(points(2, 10), 10, joint=True)
    crossfit(lambda rows: [1.0, 0.0], joint, 10)
    assert joint.evaluations == 2


def test_a_search_that_finds_something_is_kept(points):
    plain = points(3, 8, noise=0.3, seed=2)
    whole = search_weights(plain, 3, range(8), evaluations=80)
    fit = crossfit(lambda rows: search_weights(plain, 3, rows, evaluations=80).weights, plain, 8, folds=4)
    assert whole.loss < fit.loss < fit.uniform_loss  # fitted flatters, cross-fit does not
    end = settle(whole.weights, fit)
    assert end.kept
    assert end.weights.tolist() == whole.weights.tolist()
    assert end.reason.startswith("kept: the cross-fit loss of ")
    assert "(8 examples, 4 folds)" in end.reason


def test_a_search_that_fits_noise_is_not():
    rng = np.random.default_rng(0)
    models, targets = rng.normal(size=(6, 40)), rng.normal(size=(6, 40))
    models -= models.mean(axis=0)  # equal weights are the truth

    def noise(weights, rows):
        return ((weights @ models - targets[list(rows)]) ** 2).mean(axis=1)

    whole = search_weights(noise, 6, range(6), evaluations=100)
    fit = crossfit(lambda rows: search_weights(noise, 6, rows, evaluations=100).weights, noise, 6)
    assert whole.loss < fit.uniform_loss < fit.loss
    end = settle(whole.weights, fit)
    assert not end.kept
    assert end.weights.tolist() == uniform(6).tolist()
    assert "is not below" in end.reason
    forced = settle(whole.weights, fit, forced=True)
    assert forced.kept
    assert forced.weights.tolist() == whole.weights.tolist()
    assert "forced" in forced.reason
    assert "is not below" in forced.reason


def test_equal_is_not_better_and_lost_is_worse():
    even = np.ones(3)
    folds = folds_of(3)
    assert not CrossFit(even, even, np.full((3, 2), 0.5), folds).better
    lost = CrossFit(np.array([0.0, np.nan, 0.0]), even, np.full((3, 2), 0.5), folds)
    assert lost.loss == np.inf
    assert not lost.better
    assert lost.error is None


def test_without_a_cross_fit_equal_weights_are_used():
    assert settle([0.2, 0.8], None).weights.tolist() == [0.5, 0.5]
    assert settle([0.2, 0.8], None, forced=True).weights.tolist() == [0.2, 0.8]
    with pytest.raises(InputError, match="sum to"):
        settle([0.2, 0.2], None)


def test_rows_are_plain_data(points):
    rows = crossfit(lambda rows: [0.25, 0.75], points(2, 4), 4).rows()
    assert json.loads(json.dumps(rows)) == rows
    assert rows[2]["left_out"] == [2]


def test_weights_that_do_not_sum_to_one_are_refused(points):
    with pytest.raises(InputError, match="sum to 2"):
        crossfit(lambda rows: [1.0, 1.0], points(2, 4), 4)
