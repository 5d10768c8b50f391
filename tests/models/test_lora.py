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
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file as save_torch
from small_bank import PREFIX, dense, module, random_adapter, tensors, write_adapter

from kshot.errors import AdapterError, ModelError
from kshot.models.loading import quiet
from kshot.models.lora import LoraAdapter, concatenated, gram

IDS = torch.arange(12).reshape(2, 6) % 7 + 5
VARIANTS = {
    "plain": ("llama", {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]}),
    "rank and alpha patterns": (
        "llama",
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["q_proj", "v_proj", "up_proj"],
            "rank_pattern": {"layers.1.*": 2, "v_proj": 3},
            "alpha_pattern": {"q_proj": 5},
        },
    ),
    "rsLoRA": ("llama-tied", {"r": 3, "lora_alpha": 8, "target_modules": "all-linear", "use_rslora": True}),
    "regular expression": (
        "qwen3",
        {"r": 2, "lora_alpha": 1, "target_modules": r".*layers\.1\..*(k|o)_proj"},
    ),
    "Conv1D": (
        "gpt2",
        {"r": 2, "lora_alpha": 7, "target_modules": ["c_attn", "c_fc"], "fan_in_fan_out": True},
    ),
}


def peft_folder(folder, kind, *, seed=0, **options):
    """A random adapter with a B that is not zero, saved by PEFT itself."""
    with quiet():
        made = get_peft_model(tiny.model(kind), LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape) * 0.2)
    made.save_pretrained(folder)


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


def broken(folder, name):
    """One adapter folder for each way of being wrong."""
    key = f"{PREFIX}{module(0, 'q_proj')}"
    weights, config = tensors(), {}
    if name == "unknown key":
        weights[f"{key}.lora_gate.weight"] = np.ones(4, np.float32)
    elif name == "missing B":
        del weights[f"{key}.lora_B.weight"]
    elif name == "other rank":
        config = {"r": 3}
    elif name == "no target":
        config = {"target_modules": ["down_proj"]}
    elif name == "convolution":
        weights[f"{key}.lora_A.weight"] = np.ones((2, 8, 1, 1), np.float32)
    elif name == "embedding":
        weights[f"{PREFIX}model.embed_tokens.lora_embedding_A"] = np.ones((2, 20), np.float32)
    elif name == "DoRA vectors":
        weights[f"{key}.lora_magnitude_vector"] = np.ones(8, np.float32)
    elif name == "saved module":
        weights[f"{PREFIX}lm_head.modules_to_save.weight"] = np.ones((20, 8), np.float32)
    elif name == "integers":
        weights[f"{key}.lora_A.weight"] = np.ones((2, 8), np.int32)
    elif name == "no tensors":
        weights = {}
    elif name == "DoRA":
        config = {"use_dora": True}
    elif name == "other type":
        config = {"peft_type": "PREFIX_TUNING"}
    write_adapter(folder, weights, **config)
    if name == "cut short":
        path = folder / "adapter_model.safetensors"
        path.write_bytes(path.read_bytes()[:-9])
    elif name == "pickled only":
        (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    elif name == "no weights":
        (folder / "adapter_model.safetensors").unlink()
    elif name == "no configuration":
        (folder / "adapter_config.json").unlink()
    elif name == "configuration no JSON":
        (folder / "adapter_config.json").write_text("{'r': 2}")
    return folder


BROKEN = {
    "unknown key": "lora_gate.weight is no part of a LoRA",
    "missing B": "lora_B.weight is missing",
    "other rank": r"A is \(2, 8\) and B is \(8, 2\), but the configuration says rank 3",
    "no target": "q_proj has weights, but is no target",
    "convolution": "only linear layers",
    "embedding": "adapts an embedding",
    "DoRA vectors": "is a DoRA",
    "saved module": "replaces whole modules",
    "integers": "is I32, expected floating point",
    "no tensors": "no LoRA factor at all",
    "DoRA": "is a DoRA",
    "other type": "peft_type is 'PREFIX_TUNING', expected LORA",
    "cut short": "is cut short",
    "pickled only": "has pickled weights only.*convert it",
    "no weights": "adapter_model.safetensors: is missing",
    "no configuration": "adapter_config.json: is missing",
    "configuration no JSON": "is no JSON",
}


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
