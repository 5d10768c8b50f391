"""The sum of adapters under any weights against the folder that holds it, attached by PEFT."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny
import torch

from kshot.errors import AdapterError, InputError
from kshot.models.hf.adapted import AdaptedModel
from kshot.models.hf.group.factors import linear_shapes
from kshot.models.hf.group.weighted import WeightedAdapters, can_weigh
from kshot.models.lora import LoraAdapter, LoraDelta, concatenated

TURNS, TARGETS = tiny.conversations(), tiny.targets()
PARTS = {
    "llama": ("q_proj", "down_proj v_proj"),
    "llama-tied": ("q_proj", "up_proj"),
    "gpt2": ("c_attn", "c_fc"),
}


def save_adapters(model, out, kind, *, value=0.2):
    folders = []
    for seed, parts in enumerate(PARTS[kind]):
        rng = np.random.default_rng(seed)
        modules = {
            name: LoraDelta(
                rng.normal(0, value, (seed + 2, columns)).astype(np.float32),
                rng.normal(0, value, (rows, seed + 2)).astype(np.float32),
                0.5 + seed,
            )
            for name, (rows, columns) in linear_shapes(model).items()
            if any(part in name for part in parts.split())
        }
        folders.append(LoraAdapter(f"a{seed}", modules, fan_in_fan_out=kind == "gpt2").save(out / f"a{seed}"))
    return folders


@pytest.mark.parametrize("kind", PARTS)
def test_a_sum_answers_as_the_written_sum(kind, tmp_path):
    loaded = tiny.loaded(kind)
    folders = save_adapters(loaded.model, tmp_path, kind)
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    sums = WeightedAdapters(loaded, folders)
    for weights in ([0.7, 0.3], [1.0, 0.0], [-0.5, 1.5]):
        written = concatenated([LoraAdapter.load(folder) for folder in folders], weights)
        folder = written.save(tmp_path / f"sum{weights[0]}")
        wanted = AdaptedModel(loaded, folder, base_id="").token_losses(TURNS, TARGETS)
        found = sums.token_losses(weights, TURNS, TARGETS)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one.nats, other.nats, atol=2e-5)
            assert (one.answer == other.answer).all()
    after = loaded.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_no_weight_is_the_base(tmp_path):
    loaded = tiny.loaded("llama")
    sums = WeightedAdapters(loaded, save_adapters(loaded.model, tmp_path, "llama"))
    base = AdaptedModelFree(loaded).token_losses(TURNS, TARGETS)
    for one, other in zip(sums.token_losses([0.0, 0.0], TURNS, TARGETS), base, strict=True):
        np.testing.assert_array_equal(one.nats, other.nats)


class AdaptedModelFree:
    """The base itself."""

    def __init__(self, loaded):
        self.loaded = loaded

    def token_losses(self, conversations, targets):
        from kshot.models.hf.losses import token_losses

        return token_losses(self.loaded, conversations, targets)


def test_a_half_precision_base_is_not_rounded(tmp_path):
    loaded = tiny.loaded("llama")
    folders = save_adapters(loaded.model, tmp_path, "llama")
    loaded.model.to(torch.bfloat16)
    folder = concatenated([LoraAdapter.load(folder) for folder in folders], [0.6, 0.4]).save(tmp_path / "sum")
    wanted = AdaptedModel(loaded, folder, base_id="").token_losses(TURNS, TARGETS)
    found = WeightedAdapters(loaded, folders).token_losses([0.6, 0.4], TURNS, TARGETS)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.nats.mean(), other.nats.mean(), rtol=0.02)


def test_the_base_is_put_back_when_a_row_is_too_long(tmp_path):
    loaded = dataclasses.replace(tiny.loaded("llama"), limit=3)
    sums = WeightedAdapters(loaded, save_adapters(loaded.model, tmp_path, "llama"))
    before = [id(module.weight) for module in loaded.model.modules() if isinstance(module, torch.nn.Linear)]
    with pytest.raises(InputError, match="the model reads 3"):
        sums.token_losses([0.5, 0.5], TURNS, TARGETS)
    after = [id(module.weight) for module in loaded.model.modules() if isinstance(module, torch.nn.Linear)]
    assert before == after


@pytest.mark.parametrize("weights", [[1.0], [0.5, float("nan")], [0.1, 0.2, 0.7]])
def test_weights_are_as_many_finite_numbers_as_adapters(weights, tmp_path):
    loaded = tiny.loaded("llama")
    sums = WeightedAdapters(loaded, save_adapters(loaded.model, tmp_path, "llama"))
    with pytest.raises(InputError, match="expected 2 finite numbers"):
        sums.token_losses(weights, TURNS, TARGETS)


def test_what_does_not_fit_is_refused(tmp_path):
    loaded, other = tiny.loaded("llama"), tiny.loaded("gpt2")
    folders = save_adapters(other.model, tmp_path / "other", "gpt2")
    assert not can_weigh(loaded, folders)
    with pytest.raises(AdapterError, match="no plain LoRA of this base"):
        WeightedAdapters(loaded, folders)
    broken = save_adapters(loaded.model, tmp_path / "nan", "llama", value=float("nan"))
    assert can_weigh(loaded, broken)
    with pytest.raises(AdapterError, match="NaN or infinity"):
        WeightedAdapters(loaded, broken)
