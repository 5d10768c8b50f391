from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from mix_folders import LLAMAS, WEIGHTS, family, made
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from kshot.data.example import Example
from kshot.errors import ModelError
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.plan import plan_mix
from kshot.models.checkpoint.resident import ResidentMix, joint_rows, score_members
from kshot.models.checkpoint.resident_memory import fits, needed_bytes
from kshot.models.checkpoint.write import write_mix
from kshot.models.hf.loading import quiet
from kshot.models.kinds.open import open_mixable

SHOTS = [Example("The capital of France", "Paris"), Example("of Peru", "Lima"), Example("the answer", "42")]


ADAPTERS = {
    "llama": {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]},
    "llama-tied": {"r": 3, "lora_alpha": 8, "target_modules": "all-linear", "use_rslora": True},
    "gpt2": {"r": 2, "lora_alpha": 7, "target_modules": ["c_attn", "c_fc"], "fan_in_fan_out": True},
}


def lora(place, kind, *, seed=0):
    """A random adapter of that family's base."""
    with quiet():
        model = get_peft_model(made(kind), LoraConfig(**ADAPTERS[kind]))
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_().mul_(0.2)
    model.save_pretrained(place)
    return place


def members(folders):
    return [open_member(one) for one in folders]


def bits(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("kind", LLAMAS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_mix_in_memory_is_the_file_that_the_engine_writes(tmp_path, kind, dtype):
    folders = family(tmp_path, kind, dtype=dtype)
    plan = plan_mix(folders)
    plan.check()
    write_mix(plan, WEIGHTS, tmp_path / "mix")
    written = open_mixable(tmp_path / "mix", "decoder")
    mix = ResidentMix.open(members(folders), "decoder")
    with mix.at(WEIGHTS) as mixable:
        assert_equal(bits(mixable.module), bits(written.module))
        np.testing.assert_array_equal(mixable.losses(SHOTS).each, written.losses(SHOTS).each)


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_models_and_adapters_mix_as_the_engine_does(tmp_path, kind, dtype):
    folders = family(tmp_path, kind, dtype=dtype)[:2]
    for seed in (1, 2):
        folders.append(lora(tmp_path / f"lora-{seed}", kind, seed=seed))
    weights = (0.1, 0.4, 0.3, 0.2)
    plan = plan_mix(folders)
    plan.check()
    write_mix(plan, weights, tmp_path / "mix")
    with ResidentMix.open(members(folders), "decoder").at(weights) as mixable:
        assert_equal(bits(mixable.module), bits(open_mixable(tmp_path / "mix", "decoder").module))


def test_large_matrices_are_changed_by_the_rows_of_the_engine(tmp_path, monkeypatch):
    from kshot.models.checkpoint import arithmetic, resident_tensors

    for module in (arithmetic, resident_tensors):
        monkeypatch.setattr(module, "ROW_VALUES", 5 * 64)
    monkeypatch.setattr(resident_tensors, "_BLOCK_VALUES", 96)
    folders = family(tmp_path, count=2)
    lora(tmp_path / "lora", "llama")
    folders.append(tmp_path / "lora")
    write_mix(plan_mix(folders), WEIGHTS, tmp_path / "mix")
    with ResidentMix.open(members(folders), "decoder").at(WEIGHTS) as mixable:
        assert_equal(bits(mixable.module), bits(open_mixable(tmp_path / "mix", "decoder").module))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_base_stands_as_it_was_after_a_block(tmp_path, dtype):
    folders = family(tmp_path, "llama-tied", dtype=dtype)
    mix = ResidentMix.open(members(folders), "decoder")
    before = bits(mix.mixable.module)
    with mix.at(WEIGHTS), mix.at((0.0, 1.0, 0.0)) as inner:
        assert_equal(bits(inner.module), bits(open_mixable(folders[1], "decoder").module))
    assert_equal(bits(mix.mixable.module), before)
    with pytest.raises(RuntimeError, match="stop"), mix.at(WEIGHTS):
        raise RuntimeError("stop")
    assert_equal(bits(mix.mixable.module), before)


def test_after_an_inner_block_the_outer_mix_stands_again(tmp_path):
    mix = ResidentMix.open(members(family(tmp_path)), "decoder")
    with mix.at(WEIGHTS) as mixable:
        outer = bits(mixable.module)
        with mix.at((0.0, 0.0, 1.0)):
            pass
        assert_equal(bits(mixable.module), outer)


def test_a_base_that_does_not_stand_first(tmp_path):
    folders = family(tmp_path, dtype=torch.bfloat16)
    mix = ResidentMix.open(members(folders), "decoder", base=2)
    assert_equal(bits(mix.mixable.module), bits(open_mixable(folders[2], "decoder").module))
    with mix.at((0.0, 0.0, 1.0)) as mixable:
        assert_equal(bits(mixable.module), bits(open_mixable(folders[2], "decoder").module))


def test_another_dtype_rounds_once_from_what_is_stored(tmp_path):
    folders = family(tmp_path)
    mix = ResidentMix.open(members(folders), "decoder", dtype="bfloat16")
    with mix.at(WEIGHTS) as mixable:
        found = mixable.module.state_dict()
    parts = [load_file(one / "model.safetensors") for one in folders]
    name = "model.layers.0.mlp.down_proj.weight"
    exact = sum(w * part[name].double() for w, part in zip(WEIGHTS, parts, strict=True))
    mix.set(WEIGHTS)
    wrong = (found[name] != exact.to(torch.bfloat16)).float().mean()
    assert found[name].dtype == torch.bfloat16
    assert wrong < 0.005


def test_own_losses_are_those_of_each_model_alone(tmp_path):
    folders = family(tmp_path)[:2]
    lora(tmp_path / "lora", "llama")
    mix = ResidentMix.open(members([*folders, tmp_path / "lora"]), "decoder")
    found = mix.own_losses(SHOTS)
    for one, losses in zip(folders, found, strict=False):
        np.testing.assert_array_equal(losses.each, open_mixable(one, "decoder").losses(SHOTS).each)
    plan = plan_mix([folders[0], tmp_path / "lora"])
    write_mix(plan, (0.0, 1.0), tmp_path / "merged")
    alone = open_mixable(tmp_path / "merged", "decoder").losses(SHOTS)
    np.testing.assert_allclose(found[2].each, alone.each, rtol=1e-6)
    assert abs(found[2].each - found[0].each).min() > 1e-3


def test_one_at_a_time_gives_the_same_losses(tmp_path):
    folders = family(tmp_path)[:2]
    lora(tmp_path / "lora", "llama")
    order = members([tmp_path / "lora", *folders])
    together = ResidentMix.open(order, "decoder", base=1).own_losses(SHOTS)
    apart = score_members(order, "decoder", SHOTS)
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_array_equal(one.each, other.each)


def test_one_at_a_time_holds_one_model(tmp_path, monkeypatch):
    import weakref

    from kshot.models.checkpoint import resident

    living: list[weakref.ref] = []
    most = 0

    def counted(*args, **options):
        nonlocal most
        found = open_mixable(*args, **options)
        living.append(weakref.ref(found.module))
        most = max(most, sum(ref() is not None for ref in living))
        return found

    monkeypatch.setattr(resident, "open_mixable", counted)
    score_members(members(family(tmp_path)), "decoder", SHOTS)
    assert len(living) == 3
    assert most == 1


def test_adapters_alone_hold_only_what_they_change(tmp_path):
    (base,) = family(tmp_path, count=1)
    lora(tmp_path / "lora", "llama")
    mix = ResidentMix.open(members([base, tmp_path / "lora"]), "decoder")
    assert {name.split(".")[-2] for name in mix._into} == {"q_proj", "down_proj"}


def test_the_objective_is_the_loss_of_the_mix_at_the_rows_asked_for(tmp_path):
    mix = ResidentMix.open(members(family(tmp_path)), "decoder")
    objective = mix.objective(SHOTS)
    with mix.at(WEIGHTS) as mixable:
        expected = mixable.losses(SHOTS).each
    np.testing.assert_allclose(objective(np.array(WEIGHTS), [2, 0]), expected[[2, 0]], rtol=1e-5)
    np.testing.assert_allclose(objective(np.array([1.0, 0, 0]), [1]), mix.own_losses(SHOTS)[0].each[[1]])


def test_shared_weights_are_mixed_once(tmp_path):
    folders = family(tmp_path, "llama-tied")
    mix = ResidentMix.open(members(folders), "decoder")
    assert "lm_head.weight" not in mix._into
    with mix.at(WEIGHTS) as mixable:
        assert mixable.module.lm_head.weight is mixable.module.model.embed_tokens.weight


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((0.5, 0.5), "2 weights for 3 models"),
        ((0.5, 0.3, 0.1), "sum to 0.9"),
        ((0.5, float("nan"), 0.5), "nan"),
    ],
)
def test_weights_that_make_no_mix(tmp_path, weights, message):
    mix = ResidentMix.open(members(family(tmp_path)), "decoder")
    before = bits(mix.mixable.module)
    with pytest.raises(ModelError, match=message):
        mix.set(weights)
    assert_equal(bits(mix.mixable.module), before)


def test_members_that_do_not_fit_are_named(tmp_path):
    (base,) = family(tmp_path, count=1)
    other = tiny.save(tmp_path / "wide", vocabulary=432, hidden_size=64)
    with pytest.raises(ModelError, match=r"wide: tensor model.embed_tokens.weight has shape \(432, 64\)"):
        ResidentMix.open(members([base, other]), "decoder")
    lora(tmp_path / "lora", "gpt2")
    with pytest.raises(ModelError, match="lora: changes module transformer"):
        ResidentMix.open(members([base, tmp_path / "lora"]), "decoder")
    with pytest.raises(ModelError, match="needs a full model as its base"):
        ResidentMix.open(members([tmp_path / "lora"]), "decoder")
    with pytest.raises(ModelError, match="1 adapters and no model"):
        score_members(members([tmp_path / "lora"]), "decoder", SHOTS)


def test_a_member_with_nan_is_named(tmp_path):
    folders = family(tmp_path)
    path = folders[1] / "model.safetensors"
    tensors = load_file(path)
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(ModelError, match=r"llama-1: tensor model.norm.weight holds NaN"):
        ResidentMix.open(members(folders), "decoder")
    with pytest.raises(ModelError, match="llama-1"):
        score_members(members(folders), "decoder", SHOTS)


def test_too_little_memory_is_said_before_anything_is_loaded(tmp_path, monkeypatch):
    from kshot.models.checkpoint import resident, resident_memory

    folders = members(family(tmp_path))
    needed = needed_bytes(folders)
    assert needed == 4 * sum(t.end - t.start for t in folders[0].tensors.values())
    monkeypatch.setattr(resident_memory, "free_bytes", lambda device: needed)
    monkeypatch.setattr(resident, "open_mixable", lambda *_, **__: pytest.fail("loaded"))
    assert not fits(folders)
    with pytest.raises(ModelError, match="3 models in memory take"):
        ResidentMix.open(folders, "decoder")
    monkeypatch.setattr(resident_memory, "free_bytes", lambda device: 2 * needed)
    assert fits(folders)
    monkeypatch.setattr(resident_memory, "free_bytes", lambda device: None)
    assert fits(folders)


def test_only_in_batch_negatives_tie_rows_together():
    assert joint_rows("encoder", 2)
    assert not joint_rows("reranker", None)
