"""LoraAdapter: what is read, compared, scaled, added and written equals what PEFT computes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel
from peft_folders import BROKEN, VARIANTS, broken, peft_folder
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file as save_torch
from small_bank import PREFIX, dense, module, random_adapter, tensors, write_adapter

from kshot.errors import AdapterError, ModelError
from kshot.models.hf.loading import quiet
from kshot.models.lora.adapter import LoraAdapter, concatenated, gram

IDS = torch.arange(12).reshape(2, 6) % 7 + 5


def logits_with(kind, adapter):
    """The base's logits once the deltas are added to its weights by hand."""
    base = tiny.model(kind).double()
    with torch.no_grad():
        for name in adapter.modules:
            delta = torch.from_numpy(adapter.delta(name))
            weight = base.get_submodule(name).weight
            weight += (delta.T if adapter.fan_in_fan_out else delta).to(weight.dtype)
        return base(IDS).logits


def reloaded(kind, folder):
    with quiet(), torch.no_grad():
        return PeftModel.from_pretrained(tiny.model(kind), str(folder)).double().eval()(IDS).logits


@pytest.mark.parametrize("variant", VARIANTS)
def test_base_plus_delta_is_the_peft_model(tmp_path, variant):
    """In double, so that nothing but the algebra can differ."""
    kind, options = VARIANTS[variant]
    peft_folder(tmp_path / "a", kind, **options)
    expected = reloaded(kind, tmp_path / "a")
    adapter = LoraAdapter.load(tmp_path / "a")
    assert (logits_with(kind, adapter) - expected).abs().max() < 1e-6
    assert (logits_with(kind, adapter.scaled(1.5)) - expected).abs().max() > 1e-3


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saved_adapter_gives_the_same_output_in_peft(tmp_path, variant):
    kind, options = VARIANTS[variant]
    peft_folder(tmp_path / "a", kind, **options)
    expected = reloaded(kind, tmp_path / "a")
    adapter = LoraAdapter.load(tmp_path / "a")
    adapter.save(tmp_path / "b")
    assert (reloaded(kind, tmp_path / "b") - expected).abs().max() < 1e-6
    again = LoraAdapter.load(tmp_path / "b")
    assert list(again.modules) == list(adapter.modules)
    for name, delta in adapter.modules.items():
        assert again.modules[name].scaling == delta.scaling
        np.testing.assert_array_equal(again.delta(name), adapter.delta(name))
    assert again.sha256 == adapter.scaled(1.0).sha256  # the hash of what would be written


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_sum_of_adapters_in_peft_is_the_sum_of_their_deltas(tmp_path, kind):
    first, second = (
        (["q_proj", "up_proj"], ["q_proj", "o_proj"]) if kind == "llama" else (["c_attn"], ["c_fc", "c_attn"])
    )
    conv = kind == "gpt2"
    peft_folder(tmp_path / "a", kind, r=3, lora_alpha=5, target_modules=first, fan_in_fan_out=conv)
    peft_folder(tmp_path / "b", kind, r=2, seed=1, target_modules=second, fan_in_fan_out=conv)
    one, other = LoraAdapter.load(tmp_path / "a"), LoraAdapter.load(tmp_path / "b")
    whole = concatenated([one, other], [0.7, -0.4])
    shared = next(name for name in one.modules if name in other.modules)
    assert whole.rank(shared) == 5
    assert set(whole.modules) == set(one.modules) | set(other.modules)
    for name in whole.modules:
        slow = sum(w * a.delta(name) for a, w in ((one, 0.7), (other, -0.4)) if name in a.modules)
        np.testing.assert_allclose(whole.delta(name), slow, rtol=2e-6, atol=1e-8)
    whole.save(tmp_path / "sum")
    assert (reloaded(kind, tmp_path / "sum") - logits_with(kind, whole)).abs().max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_read_exactly(tmp_path, dtype):
    peft_folder(tmp_path / "a", "llama", r=2, target_modules=["q_proj"])
    path = tmp_path / "a" / "adapter_model.safetensors"
    half = {name: value.to(dtype) for name, value in load_torch(path).items()}
    save_torch(half, path)
    for name, delta in LoraAdapter.load(tmp_path / "a").modules.items():
        np.testing.assert_array_equal(delta.a, half[f"{PREFIX}{name}.lora_A.weight"].float().numpy())
        np.testing.assert_array_equal(delta.b, half[f"{PREFIX}{name}.lora_B.weight"].float().numpy())


def test_an_adapter_tells_what_it_is(tmp_path):
    adapter = LoraAdapter.load(write_adapter(tmp_path / "smith", rank_pattern={}, lora_alpha=3))
    assert adapter.name == "smith"
    assert adapter.base == "owner/base"
    assert list(adapter.modules) == sorted(adapter.modules)
    assert adapter.rank(module(0, "q_proj")) == 2
    assert adapter.rank("elsewhere") == 0
    assert adapter.parameters == sum(value.size for value in tensors().values())
    a, b = (tensors()[f"{PREFIX}{module(1, 'down_proj')}.lora_{side}.weight"] for side in "AB")
    np.testing.assert_allclose(adapter.delta(module(1, "down_proj")), 1.5 * b @ a, rtol=1e-5, atol=1e-6)
    assert LoraAdapter.load(tmp_path / "smith", name="x").name == "x"
    with pytest.raises(AdapterError, match="smith: has no module 'elsewhere'"):
        adapter.delta("elsewhere")


@settings(max_examples=30)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=4), st.integers(0, 1000))
def test_a_sum_is_linear_in_inner_products(weights, seed):
    parts = [random_adapter(seed + at, dtype=np.float64) for at in range(len(weights))]
    whole, probe = concatenated(parts, weights), random_adapter(seed + 99, dtype=np.float64)
    expected = sum(w * part.inner(probe) for w, part in zip(weights, parts, strict=True))
    assert whole.inner(probe) == pytest.approx(
        expected, abs=1e-9 * (1 + sum(p.norm() for p in parts) * probe.norm())
    )
    np.testing.assert_allclose(
        dense(whole, "ab"), sum(w * dense(p, "ab") for w, p in zip(weights, parts, strict=True)), atol=1e-9
    )


def test_gram_and_inner_agree_on_adapters():
    adapters = [random_adapter(seed) for seed in range(3)]
    assert gram([a.modules for a in adapters])[0, 2] == pytest.approx(adapters[0].inner(adapters[2]))


@pytest.mark.parametrize(
    ("weights", "message"),
    [([1.0], "2 adapters and 1 weights"), ([1.0, float("nan")], "a weight is nan"), ([], "2 adapters and 0")],
)
def test_sums_that_make_no_sense(weights, message):
    with pytest.raises(AdapterError, match=message):
        concatenated([random_adapter(0), random_adapter(1)], weights)
    with pytest.raises(AdapterError, match="0 adapters"):
        concatenated([], [])


def test_other_shapes_are_named():
    one, other = random_adapter(0), random_adapter(1, shape=(6, 4))
    with pytest.raises(
        AdapterError, match=r"adapter-0 and adapter-1: a: deltas of shapes \(5, 4\) and \(6, 4\)"
    ):
        one.cosine(other)
    with pytest.raises(AdapterError, match=r"a: shapes \(5, 4\) and \(6, 4\) in adapter-0, adapter-1"):
        concatenated([one, other], [1, 1])
    with pytest.raises(AdapterError, match="adapter-0: scaled by inf"):
        one.scaled(float("inf"))


def test_nan_is_found_and_never_compared(tmp_path):
    weights = tensors()
    key = f"{PREFIX}{module(1, 'q_proj')}.lora_B.weight"
    weights[key][3, 1] = np.nan
    adapter = LoraAdapter.load(write_adapter(tmp_path / "x", weights))
    assert adapter.non_finite() == (key,)
    with pytest.raises(AdapterError, match="x: the inner product is no finite number"):
        adapter.norm()


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_plain_lora_is_refused_by_name(tmp_path, name):
    with pytest.raises(AdapterError, match=f"brewer: .*{BROKEN[name]}"):
        LoraAdapter.load(broken(tmp_path / "brewer", name))


def test_many_reasons_are_counted(tmp_path):
    with pytest.raises(AdapterError, match=r"(?s)rank 5.*\.\.\. and 1 more of 4"):
        LoraAdapter.load(write_adapter(tmp_path / "x", r=5))


def test_no_folder(tmp_path):
    with pytest.raises(AdapterError, match="no such folder; expected a PEFT adapter folder"):
        LoraAdapter.load(tmp_path / "x")


def test_a_folder_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    adapter = random_adapter(0)
    adapter.save(tmp_path / "x")
    with pytest.raises(ModelError, match="exists and is not empty"):
        adapter.save(tmp_path / "x")
    monkeypatch.setattr(json, "dumps", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        adapter.save(tmp_path / "y")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_reading_does_not_hold_on_to_the_file(tmp_path):
    adapter = LoraAdapter.load(write_adapter(tmp_path / "x"))
    was = adapter.delta(module(0, "q_proj"))
    path = tmp_path / "x" / "adapter_model.safetensors"
    path.write_bytes(bytes(path.stat().st_size))
    np.testing.assert_array_equal(adapter.delta(module(0, "q_proj")), was)
    shutil.rmtree(tmp_path / "x")


def test_equal_content_is_equal_bytes(tmp_path):
    adapter = LoraAdapter.load(write_adapter(tmp_path / "x"))
    for name in "yz":
        adapter.save(tmp_path / name)
    files = ["adapter_config.json", "adapter_model.safetensors"]
    assert [(tmp_path / "y" / f).read_bytes() for f in files] == [
        (tmp_path / "z" / f).read_bytes() for f in files
    ]
    assert set(load_file(tmp_path / "y" / files[1])) == set(tensors())
