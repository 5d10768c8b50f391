"""One adapter at a time on a shared base, and every adapter that is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tiny
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from kshot.errors import AdapterError
from kshot.models.base import LanguageModel, LossModel
from kshot.models.hf.adapted import AdaptedModel, untouched
from kshot.models.hf.loading import quiet
from kshot.models.hf.model import HfModel

TURNS, TARGETS = tiny.conversations(), tiny.targets()


def adapter(base_folder, out, *, seed=0, scale=0.3, **options):
    """A random adapter with a B that is not zero, saved by PEFT itself."""
    torch.manual_seed(seed)
    model = HfModel.load(base_folder, device="cpu").model
    settings = {
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ["q_proj", "v_proj", "down_proj"],
        "lora_dropout": 0.5,
    }
    with quiet():
        made = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **(settings | options)))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, scale)
    made.save_pretrained(out)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("base"), chat=tiny.CHATML)


@pytest.fixture(scope="module")
def bank(folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("bank")
    return {
        "one": adapter(folder, root / "one", seed=1),
        "two": adapter(folder, root / "two", seed=2, r=2, use_rslora=True, target_modules="all-linear"),
    }


@pytest.fixture(scope="module")
def base(folder):
    return HfModel.load(folder, device="cpu")


def nats(model):
    return np.concatenate([losses.nats for losses in model.token_losses(TURNS, TARGETS)])


def state(model):
    return {key: tensor.clone() for key, tensor in model.state_dict().items()}


def test_an_adapted_model_gives_what_peft_gives(base, bank, folder):
    for path in bank.values():
        ours = base.adapted(path)
        assert isinstance(ours, LanguageModel)
        assert isinstance(ours, LossModel)
        with quiet():
            peft = PeftModel.from_pretrained(HfModel.load(folder, device="cpu").model, path).eval()
        for turns, target, losses in zip(TURNS, TARGETS, ours.token_losses(TURNS, TARGETS), strict=True):
            encoded = base.text.encode(turns, target)
            ids = torch.tensor([encoded.ids])
            labels = ids.clone()
            labels[:, : encoded.start] = -100
            with torch.no_grad():
                own = peft(input_ids=ids, labels=labels).loss.item()
            assert losses.nats.mean() == pytest.approx(own, abs=1e-5)
        for turns, reply in zip(TURNS, ours.generate(TURNS, max_new_tokens=6), strict=True):
            ids = torch.tensor([base.text.encode_prompt(turns)])
            out = peft.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False,
                eos_token_id=[2, 4], pad_token_id=0,
            )  # fmt: skip
            assert reply.text == base.text.decode(out[0, ids.shape[1] :].tolist())


def test_the_base_is_bit_equal_afterwards_and_adapters_take_turns(base, bank):
    weights, modules = state(base.model), dict(base.model.named_modules())
    before, gradients = nats(base), [p.requires_grad for p in base.model.parameters()]
    one, two = base.adapted(bank["one"]), base.adapted(bank["two"])
    first, second = nats(one), nats(two)
    assert np.abs(first - before).max() > 0.1
    assert np.abs(first - second).max() > 0.1
    for _ in range(2):
        np.testing.assert_array_equal(nats(one), first)
        np.testing.assert_array_equal(nats(base), before)
        np.testing.assert_array_equal(nats(two), second)
    one.generate(TURNS, max_new_tokens=2, temperature=1.0)
    one.choice_scores(TURNS[:1], [["a", "b"]])
    assert dict(base.model.named_modules()) == modules
    assert [p.requires_grad for p in base.model.parameters()] == gradients
    assert not hasattr(base.model, "peft_config")
    assert all(torch.equal(weights[key], tensor) for key, tensor in base.model.state_dict().items())


def test_an_adapter_in_another_dtype_than_the_base(folder, bank):
    rough = HfModel.load(folder, device="cpu", dtype="bfloat16").adapted(bank["one"])
    exact = HfModel.load(folder, device="cpu").adapted(bank["one"])
    np.testing.assert_allclose(nats(rough), nats(exact), atol=0.8)


def test_the_random_state_is_left_alone(base, bank):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    nats(base.adapted(bank["one"]))
    assert torch.equal(torch.rand(3), expected)


def test_the_id_follows_the_content(base, bank, tmp_path):
    model = base.adapted(bank["one"])
    assert model.id.startswith(f"{base.id}+{bank['one']}@")
    copy = shutil.copytree(bank["one"], tmp_path / "one")
    assert base.adapted(copy).id.rpartition("@")[2] == model.id.rpartition("@")[2]
    assert base.adapted(bank["two"]).id.rpartition("@")[2] != model.id.rpartition("@")[2]


def test_an_error_inside_puts_the_base_back(base, bank):
    before = nats(base)
    model = base.adapted(bank["one"])
    with pytest.raises(Exception, match="choices"):
        model.choice_scores(TURNS[:1], [[]])
    np.testing.assert_array_equal(nats(base), before)


def test_untouched_puts_back_hooks_modes_and_gradients(base):
    model = base.model
    with untouched(model):
        model.train()
        model.requires_grad_(False)
        model.get_input_embeddings().register_forward_hook(lambda *_: None)
        model.model.layers[0].mlp = torch.nn.Identity()
        model.peft_config = {}
    assert not any(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not model.get_input_embeddings()._forward_hooks
    assert hasattr(model.model.layers[0].mlp, "up_proj")
    assert not hasattr(model, "peft_config")


def _edit(change):
    def damage(folder):
        tensors = load_file(folder / "adapter_model.safetensors")
        change(tensors)
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})

    return damage


def _config(**values):
    def damage(folder):
        path = folder / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return damage


def _first(tensors, part):
    return next(key for key in sorted(tensors) if part in key)


def _nan(tensors):
    tensors[_first(tensors, "lora_A")][0, 0] = float("nan")


def _inf(tensors):
    tensors[_first(tensors, "lora_B")][1, 1] = float("inf")


def _wide(tensors):
    key = _first(tensors, "q_proj.lora_A")
    tensors[key] = torch.zeros(4, 48)


def _cut(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-40])


def _bin(folder):
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")


DAMAGED = {
    "NaN": (_edit(_nan), "holds NaN or infinity"),
    "infinity": (_edit(_inf), "holds NaN or infinity"),
    "missing": (_edit(lambda t: t.pop(_first(t, "lora_B"))), r"lora_B.weight is missing"),
    "unknown": (_edit(lambda t: t.update(extra=torch.zeros(2))), "tensor extra is unknown"),
    "all gone": (_edit(lambda t: t.clear()), r"and 9 more of 12"),
    "other base": (_edit(_wide), r"is \(4, 48\), expected \(4, 32\)"),
    "other rank": (_config(r=8), r"is \(4, 32\), expected \(8, 32\)"),
    "fewer targets": (_config(target_modules=["q_proj"]), r"is unknown to this base model"),
    "more targets": (_config(target_modules=["q_proj", "v_proj", "down_proj", "up_proj"]), "is missing"),
    "no such target": (_config(target_modules=["nonesuch"]), r"does not fit this base model"),
    "DoRA without magnitudes": (_config(use_dora=True), "lora_magnitude_vector.*is missing"),
    "unknown type": (_config(peft_type="NONESUCH"), "does not fit this base model"),
    "no type": (_config(peft_type=None), "does not fit this base model"),
    "cut short": (_cut, "is cut short or no safetensors file"),
    "pickled": (_bin, r"pickled weights only \(adapter_model.bin\)"),
    "no config": (lambda folder: (folder / "adapter_config.json").unlink(), "adapter_config.json is missing"),
    "no weights": (lambda folder: (folder / "adapter_model.safetensors").unlink(), "safetensors is missing"),
    "config no JSON": (lambda folder: (folder / "adapter_config.json").write_text("{"), "does not fit"),
    "no folder": (shutil.rmtree, "no such folder"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_an_adapter_that_does_not_fit_is_refused_by_name_and_leaves_no_trace(name, base, bank, tmp_path):
    damage, message = DAMAGED[name]
    copy = shutil.copytree(bank["one"], tmp_path / "smith")
    damage(copy)
    before, modules = nats(base), dict(base.model.named_modules())
    with pytest.raises(AdapterError, match=message) as caught:
        base.adapted(copy)
    assert "smith" in str(caught.value)
    assert dict(base.model.named_modules()) == modules
    np.testing.assert_array_equal(nats(base), before)


def test_an_adapter_that_changes_after_the_check_is_refused_at_use(base, bank, tmp_path):
    copy = shutil.copytree(bank["one"], tmp_path / "smith")
    model = base.adapted(copy)
    _edit(_nan)(copy)
    with pytest.raises(AdapterError, match="NaN"):
        nats(model)


def test_weights_are_in_memory_only_during_a_call(base, bank):
    model = AdaptedModel(base.loaded, bank["one"], base_id="b")
    assert not any("lora" in name for name, _ in base.model.named_parameters())
    seen = []
    hook = base.model.register_forward_hook(
        lambda *_: seen.append(sum("lora_A" in name for name, _ in base.model.named_parameters()))
    )
    nats(model)
    hook.remove()
    assert set(seen) == {6}
    assert not any("lora" in name for name, _ in base.model.named_parameters())
