"""Weights searched on the shots, and adapters summed as LoraHub sums them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import InputError
from kshot.methods.few_shot_weights import BOUND, search_weights, summed_apart
from kshot.models.lora import LoraAdapter, LoraDelta


def adapter(name, rank, scaling=1.0, *, seed=0, module="q"):
    rng = np.random.default_rng(seed)
    delta = LoraDelta(
        rng.standard_normal((rank, 6)).astype(np.float32),
        rng.standard_normal((5, rank)).astype(np.float32),
        scaling,
    )
    return LoraAdapter(name, {module: delta})


@given(st.lists(st.floats(-1.4, 1.4), min_size=1, max_size=3), st.integers(0, 5))
def test_it_comes_nearer_and_stays_in_bounds(aim, seed):
    def loss(weights):
        assert all(abs(weight) <= BOUND for weight in weights)
        return sum((w - a) ** 2 for w, a in zip(weights, aim, strict=True))

    found = search_weights(loss, len(aim), seed=seed, penalty=0.0)
    assert found.loss <= loss([0.0] * len(aim))
    assert found.loss == pytest.approx(loss(found.weights))
    assert len(found.losses) == 40
    assert found.loss == pytest.approx(min(found.losses))


def test_the_penalty_keeps_useless_weights_small():
    assert search_weights(lambda _: 1.0, 3).weights == (0.0, 0.0, 0.0)


def test_a_loss_that_is_no_number_never_wins():
    found = search_weights(lambda w: math.nan if w[0] else 1.0, 1)
    assert found.weights == (0.0,)


def test_wrong_numbers():
    with pytest.raises(InputError, match="expected 1 or more"):
        search_weights(lambda _: 0.0, 0)
    with pytest.raises(InputError, match="one weight for each"):
        summed_apart([adapter("a", 2)], [])


def test_one_adapter_of_weight_one_is_itself():
    one = adapter("a", 3, 0.5)
    assert np.allclose(summed_apart([one], [1.0]).delta("q"), one.delta("q"), atol=1e-6)


def test_factors_are_summed_apart_so_that_cross_terms_appear():
    one, other = adapter("a", 2, 2.0, seed=1), adapter("b", 3, 0.5, seed=2)
    a, b = one.modules["q"], other.modules["q"]
    wide = np.zeros((3, 6)), np.zeros((5, 3))
    left = 0.25 * math.sqrt(2.0) * np.vstack([a.a, np.zeros((1, 6))]) + 0.75 * math.sqrt(0.5) * b.a
    right = 0.25 * math.sqrt(2.0) * np.hstack([a.b, np.zeros((5, 1))]) + 0.75 * math.sqrt(0.5) * b.b
    assert wide[0].shape == left.shape
    assert np.allclose(summed_apart([one, other], [0.25, 0.75]).delta("q"), right @ left, atol=1e-5)


def test_a_module_of_one_adapter_alone_stays():
    found = summed_apart([adapter("a", 2), adapter("b", 2, module="v")], [0.5, 0.5])
    assert list(found.modules) == ["q", "v"]
    assert np.allclose(found.delta("v"), 0.25 * adapter("b", 2, module="v").delta("v"), atol=1e-6)
