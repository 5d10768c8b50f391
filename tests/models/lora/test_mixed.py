"""Mixed adapters: the exact sum, the best one of a rank, and what PEFT's own combinations give instead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from small_bank import random_adapter
from torch import nn

from kshot.errors import AdapterError
from kshot.models.hf.loading import quiet
from kshot.models.lora import LoraAdapter, LoraDelta, mixed_lora
from kshot.models.lora.mixed import truncated, with_rank


def one_module(name, a, b, scaling=1.0):
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return LoraAdapter(name, {"linear": LoraDelta(a, b, scaling)})


def golden():
    """Section 7's pair of rank 1 on a 2 x 2 matrix."""
    return one_module("one", [[1, 0]], [[1], [0]]), one_module("two", [[0, 1]], [[0], [1]])


def pair(rank=8, width=96):
    """Two random adapters; ``width`` in, 64 out."""
    random = np.random.default_rng(0)
    return [
        one_module(f"e{at}", random.standard_normal((rank, width)), random.standard_normal((64, rank)), 2.0)
        for at in range(2)
    ]


def combined_by_peft(adapters, weights, **options):
    """(out, in) the delta that ``add_weighted_adapter`` makes of adapters of one module."""
    first = adapters[0].modules["linear"]
    model = nn.Sequential()
    model.linear = nn.Linear(first.shape[1], first.shape[0], bias=False)
    made = None
    for adapter in adapters:
        delta = adapter.modules["linear"]
        config = LoraConfig(
            r=delta.rank, lora_alpha=delta.scaling * delta.rank, target_modules=["linear"], lora_dropout=0.0
        )
        with quiet():
            if made is None:
                made = get_peft_model(model, config, adapter_name=adapter.name)
            else:
                made.add_adapter(adapter.name, config)
        layer = made.base_model.model.linear
        with torch.no_grad():
            layer.lora_A[adapter.name].weight.copy_(torch.from_numpy(delta.a))
            layer.lora_B[adapter.name].weight.copy_(torch.from_numpy(delta.b))
    made.base_model.add_weighted_adapter([a.name for a in adapters], list(weights), "mix", **options)
    layer = made.base_model.model.linear
    return layer.get_delta_weight("mix").detach().double().numpy()


def exact(adapters, weights):
    return sum(w * a.delta("linear") for a, w in zip(adapters, weights, strict=True))


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def test_the_golden_pair_and_what_peft_makes_of_it():
    adapters, weights = golden(), (0.5, 0.5)
    whole = mixed_lora(adapters, weights)
    np.testing.assert_array_equal(whole.adapter.delta("linear"), [[0.5, 0], [0, 0.5]])
    assert (whole.exact, whole.kept_energy, whole.adapter.rank("linear")) == (True, 1.0, 2)
    np.testing.assert_allclose(
        combined_by_peft(adapters, weights, combination_type="linear"), np.full((2, 2), 0.5), atol=1e-6
    )
    np.testing.assert_allclose(
        combined_by_peft(adapters, weights, combination_type="cat"), [[0.5, 0], [0, 0.5]], atol=1e-6
    )
    cut = mixed_lora(adapters, weights, rank=1)
    assert (cut.exact, cut.adapter.rank("linear")) == (False, 1)
    assert cut.kept_energy == pytest.approx(0.5)
    by_peft = combined_by_peft(adapters, weights, combination_type="svd", svd_rank=1)
    # both singular values are .5, so which of them stays is free: (.5, 0) or (0, .5) on the diagonal
    assert sorted(np.diag(cut.adapter.delta("linear")).round(6)) == [0, 0.5]
    assert sorted(np.diag(by_peft).round(6)) == [0, 0.5]


def test_random_pairs_the_exact_sum_against_pefts_three():
    """Section 7: exact to rounding; ``linear`` is off by about the sum itself, ``svd`` by half of it."""
    adapters, weights = pair(), (0.5, 0.5)
    expected = exact(adapters, weights)
    assert error(mixed_lora(adapters, weights).adapter.delta("linear"), expected) < 8e-8
    assert error(combined_by_peft(adapters, weights, combination_type="cat"), expected) < 1e-6
    assert error(combined_by_peft(adapters, weights, combination_type="linear"), expected) > 0.8
    cut = mixed_lora(adapters, weights, rank=8)
    by_peft = combined_by_peft(adapters, weights, combination_type="svd", svd_rank=8)
    ours = error(cut.adapter.delta("linear"), expected)
    assert 0.3 < ours < 0.7
    assert ours == pytest.approx(error(by_peft, expected), rel=1e-4)  # there is no better one of this rank
    assert 1 - cut.kept_energy == pytest.approx(ours**2, rel=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=4), st.integers(0, 1000))
def test_the_mix_is_the_sum_of_the_deltas(weights, seed):
    parts = [random_adapter(seed + at, dtype=np.float64) for at in range(len(weights))]
    whole = mixed_lora(parts, weights)
    shuffled = mixed_lora(parts[::-1], weights[::-1])
    assert whole.exact
    for name in set().union(*(part.modules for part in parts)):
        expected = sum(w * p.delta(name) for w, p in zip(weights, parts, strict=True) if name in p.modules)
        for made in (whole, shuffled):
            found = made.adapter.delta(name) if name in made.adapter.modules else 0 * expected
            np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 7))
def test_the_best_approximation_is_that_of_the_whole_matrix(seed, rank, cut):
    random = np.random.default_rng(seed)
    delta = LoraDelta(random.standard_normal((rank, 5)), random.standard_normal((4, rank)), 0.7)
    small, kept, whole = truncated(delta, cut)
    u, values, v = np.linalg.svd(delta.dense(), full_matrices=False)
    best = u[:, :cut] * values[:cut] @ v[:cut]
    assert np.allclose(small.dense(), best if cut < rank else delta.dense(), atol=1e-9)
    assert whole == pytest.approx(np.square(values).sum())
    assert kept == pytest.approx(np.square(values[: cut if cut < rank else None]).sum())
    assert small.rank == (min(cut, 4) if cut < rank else rank)


def test_a_rank_wider_than_the_layer():
    delta = LoraDelta(np.ones((9, 3)), np.ones((2, 9)), 1.0)
    small, kept, whole = truncated(delta, 5)
    assert np.allclose(small.dense(), delta.dense())
    assert kept == pytest.approx(whole)


def test_the_kept_energy_goes_over_all_modules():
    strong, weak = LoraDelta(np.eye(2), np.diag([3.0, 0.0]), 1.0), LoraDelta(np.eye(2), np.eye(2), 1.0)
    cut = with_rank(LoraAdapter("a", {"k": weak, "q": strong}), 1)
    assert cut.kept_energy == pytest.approx((9 + 1) / (9 + 2))
    assert not cut.exact
    assert with_rank(LoraAdapter("a", {"q": strong}), 1).exact


def test_adapters_of_weight_zero_are_left_out_and_others_must_be_finite():
    one, two = golden()
    broken = one_module("broken", [[np.nan, 0]], [[1], [0]])
    found = mixed_lora([one, broken, two], [0.5, 0.0, 0.5]).adapter
    np.testing.assert_array_equal(
        found.delta("linear"), mixed_lora([one, two], [0.5, 0.5]).adapter.delta("linear")
    )
    assert found.rank("linear") == 2
    with pytest.raises(AdapterError, match=r"broken: .*linear.lora_A.weight holds NaN or infinity"):
        mixed_lora([one, broken], [0.5, 0.5])
    assert not mixed_lora([one, two], [0.0, 0.0], rank=1).adapter.delta("linear").any()


@pytest.mark.parametrize(
    ("weights", "rank", "message"),
    [
        ((0.5,), None, "2 adapters and 1 weights"),
        ((0.5, float("nan")), None, "a weight is nan"),
        ((0.5, 0.5), 0, "rank is 0, expected a whole number from 1"),
        ((0.5, 0.5), 1.5, "rank is 1.5"),
    ],
)
def test_mixes_that_make_no_sense(weights, rank, message):
    with pytest.raises(AdapterError, match=message):
        mixed_lora(golden(), weights, rank=rank)
    with pytest.raises(AdapterError, match="0 adapters"):
        mixed_lora([], [])


def test_adapters_of_other_bases_are_refused():
    with pytest.raises(AdapterError, match="one base model is needed"):
        mixed_lora([golden()[0], pair()[0]], [0.5, 0.5])


def test_a_sum_that_overflows_is_refused():
    one = LoraDelta(np.ones((1, 2), np.float32), np.full((2, 1), 1e20, np.float32), 1.0)
    narrow, huge = (
        LoraAdapter("narrow", {"linear": one}),
        LoraAdapter("huge", {"linear": replace(one, scaling=1e30)}),
    )
    with pytest.raises(AdapterError, match=r"mix of huge, narrow: .*linear.lora_B.weight overflows"):
        mixed_lora([huge, narrow], [0.5, 0.5])
