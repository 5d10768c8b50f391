"""Searched weights: near the true lowest loss, never worse than what stands beside, and within the budget."""

import json
import math

import numpy as np
import pytest

from kshot.errors import InputError
from kshot.methods.cocktail import METHODS, mixing_weights, search_weights, uniform
from kshot.methods.cocktail.search import SIMPLEX_MODELS, divergence

ROWS = range(8)


def lowest(plain, count):
    """The lowest loss on the simplex, by gradients: projected steps in the weights themselves."""
    weights = np.full(count, 1 / count)
    gram = plain.models @ plain.models.T
    pull = plain.models @ plain.targets[list(ROWS)].mean(axis=0)
    rate = 1 / np.linalg.eigvalsh(gram).max()
    for _ in range(4_000):
        moved = weights - rate * (gram @ weights - pull)
        ranked = np.sort(moved)[::-1]
        sums = (np.cumsum(ranked) - 1) / np.arange(1, count + 1)
        weights = np.maximum(moved - sums[np.flatnonzero(ranked > sums)[-1]], 0)
    return plain(weights, ROWS).mean()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_it_comes_near_the_lowest_loss(points, method, count):
    for seed in range(3):
        plain = points(count, 8, seed=seed)
        best, even = lowest(plain, count), plain(uniform(count), ROWS).mean()
        found = search_weights(plain, count, ROWS, method=method, evaluations=400)
        assert found.loss - best < {"simplex": 0.005, "cma": 0.05}[method] * (even - best)
        assert found.loss == pytest.approx(plain(found.weights, ROWS).mean())
        assert found.weights.sum() == pytest.approx(1)


def test_the_simplex_is_nearer_on_smooth_losses_within_200_tries(points):
    left = dict.fromkeys(METHODS, 0.0)
    for seed in range(5):
        plain = points(SIMPLEX_MODELS, 8, seed=seed)
        best = lowest(plain, SIMPLEX_MODELS)
        for method in METHODS:
            left[method] += search_weights(plain, SIMPLEX_MODELS, ROWS, method=method).loss - best
    assert left["simplex"] < left["cma"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 4, 12])
def test_it_is_never_worse_than_what_stands_beside(points, method, count):
    for seed in range(3):
        plain = points(count, 8, seed=seed)
        start = mixing_weights(plain.table.mean(axis=1), temperature=1.0)
        found = search_weights(plain, count, ROWS, method=method, start=start, evaluations=count + 2)
        beside = [uniform(count), start, *np.eye(count)]
        assert found.loss <= min(plain(weights, ROWS).mean() for weights in beside) + 1e-12
        assert found.evaluations <= count + 2
        assert {tried.origin for tried in found.path} <= {"uniform", "start", "single", "search"}


@pytest.mark.parametrize("method", METHODS)
def test_each_model_alone_is_asked(method):
    def lonely(weights, rows):  # any other part, however small, spoils the third model
        return np.full(len(rows), 0.0 if weights[2] == 1 else 1.0)

    found = search_weights(lonely, 6, [0], method=method, evaluations=8)
    assert found.weights.tolist() == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert [tried.origin for tried in found.path[:7]] == ["uniform"] + ["single"] * 6


@pytest.mark.parametrize("method", METHODS)
def test_the_budget_holds_and_no_mix_is_asked_twice(points, method):
    plain = points(6, 8)
    found = search_weights(plain, 6, ROWS, method=method, evaluations=60)
    assert found.evaluations == len(plain.asked) == 60
    assert len({tuple(np.round(weights, 6)) for weights, _ in plain.asked}) == 60
    assert found.notes == ("all 60 evaluations were used before the search stood still",)
    assert {rows for _, rows in plain.asked} == {tuple(ROWS)}


@pytest.mark.parametrize("method", METHODS)
def test_a_search_that_stands_still_ends(points, method):
    plain = points(2, 8)
    found = search_weights(plain, 2, ROWS, method=method, evaluations=5000)
    assert found.evaluations < 500
    assert found.notes == ()


@pytest.mark.parametrize("method", METHODS)
def test_a_corner_and_a_flat_loss_end_too(method):
    corner = search_weights(
        lambda w, rows: np.full(len(rows), 1 - w[1]), 3, [0], method=method, evaluations=900
    )
    assert corner.weights.tolist() == [0.0, 1.0, 0.0]
    flat = search_weights(lambda w, rows: np.ones(len(rows)), 3, [0], method=method, evaluations=900)
    assert flat.weights.tolist() == uniform(3).tolist()  # ties: the first, equal weights
    assert flat.evaluations < 300


@pytest.mark.parametrize("method", METHODS)
def test_the_search_can_leave_a_corner(method):
    def inside(weights, rows):  # the best single model is nearly as good as the best mix
        return np.full(len(rows), (weights[0] - 0.9) ** 2)

    found = search_weights(inside, 2, [0], method=method)
    assert found.weights[0] == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_runs_repeat(points, method):
    paths = [
        search_weights(points(4, 8), 4, ROWS, method=method, evaluations=50, seed=s).path for s in (0, 0, 1)
    ]
    assert paths[0] == paths[1]
    assert (paths[0] != paths[2]) == (method == "cma")


@pytest.mark.parametrize("method", METHODS)
def test_a_penalty_draws_towards_equal_weights(points, method):
    plain = points(3, 8)
    found = [
        search_weights(plain, 3, ROWS, method=method, penalty=penalty, evaluations=300)
        for penalty in (0.0, 5.0, 1e6)
    ]
    spread = [divergence(one.weights) for one in found]
    assert spread[0] > spread[1] > spread[2]
    assert np.allclose(found[2].weights, 1 / 3, atol=1e-3)
    for one, penalty in zip(found, (0.0, 5.0, 1e6), strict=True):
        best = min(one.path, key=lambda tried: tried.value)
        assert best.value == pytest.approx(one.loss + penalty * divergence(one.weights))
        assert one.loss == pytest.approx(plain(one.weights, ROWS).mean())


def test_divergence():
    assert divergence(uniform(7)) == pytest.approx(0, abs=1e-15)
    assert divergence([0, 0, 1.0]) == pytest.approx(math.log(3))
    assert divergence([0.75, 0.25]) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


@pytest.mark.parametrize("method", METHODS)
def test_losses_that_are_no_numbers_are_the_worst_and_told(method):
    def holed(weights, rows):
        return np.full(len(rows), np.nan if weights[0] > 0.5 else (weights[0] - 0.4) ** 2)

    found = search_weights(holed, 3, [0], method=method, evaluations=150)
    assert found.weights[0] == pytest.approx(0.4, abs=0.02)
    assert any("no finite loss and counted as the worst" in note for note in found.notes)
    with pytest.raises(InputError, match="has a finite loss"):
        search_weights(lambda w, rows: np.full(len(rows), np.nan), 3, [0], method=method)


def test_one_model_needs_one_evaluation(points):
    plain = points(1, 8)
    found = search_weights(plain, 1, ROWS)
    assert (found.weights.tolist(), found.evaluations) == ([1.0], 1)


def test_rows_are_the_steps_forward(points):
    found = search_weights(points(3, 8), 3, ROWS)
    rows = found.rows()
    assert json.loads(json.dumps(rows)) == rows
    assert [row["value"] for row in rows] == sorted((row["value"] for row in rows), reverse=True)
    assert rows[0]["origin"] == "uniform"
    assert rows[-1]["weights"] == found.weights.tolist()


def test_too_many_models_for_the_simplex_is_told(points):
    count = SIMPLEX_MODELS + 1
    found = search_weights(points(count, 8), count, ROWS, evaluations=20)
    assert any("advised for up to" in note for note in found.notes)


@pytest.mark.parametrize(
    ("count", "given_", "said"),
    [
        (3, {"method": "newton"}, "'newton' is unknown; expected one of simplex, cma"),
        (3, {"evaluations": 4}, "at least 5 evaluations"),
        (0, {}, "search of 0 models"),
        (3, {"penalty": -1.0}, "penalty is -1.0"),
        (3, {"penalty": math.nan}, "penalty is nan"),
        (3, {"start": [0.5, 0.5]}, "2 weights for 3 models"),
        (3, {"start": [0.5, 0.2, 0.2]}, "sum to 0.9"),
    ],
)
def test_refusals(points, count, given_, said):
    with pytest.raises(InputError, match=said):
        search_weights(points(3, 8), count, ROWS, **given_)
    with pytest.raises(InputError, match="rows are"):
        search_weights(points(3, 8), 3, [])
