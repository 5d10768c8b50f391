"""Models between a base and its fine-tuned: exact ends, the written mix's values, the base put back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import peft_folders
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from kshot.errors import InputError, ModelError
from kshot.models.hf.model import HfModel
from kshot.models.lora import LoraAdapter
from kshot.pipeline.elastic.between import is_adapter, models_between

TURNS, TARGETS = tiny.conversations(), tiny.targets()


def saved(folder: Path, kind: str = "llama", seed: int = 0, **options) -> Path:
    tiny.model(kind, seed=seed, **options).to(torch.bfloat16).save_pretrained(folder)
    tiny.tokenizer(chat=tiny.CHATML).save_pretrained(folder)
    return folder


def nats(model):
    return np.concatenate([losses.nats for losses in model.token_losses(TURNS, TARGETS)])


@pytest.fixture(params=["llama", "llama-tied", "gpt2"])
def pair(request, tmp_path):
    """A base and what stands for its fine-tuned: another seed's weights."""
    base = HfModel.load(saved(tmp_path / "base", request.param), device="cpu")
    return base, saved(tmp_path / "tuned", request.param, seed=1)


def test_the_ends_are_the_two_models_and_the_base_is_put_back_bit_by_bit(pair):
    base, folder = pair
    before = {name: weight.clone() for name, weight in base.model.state_dict().items()}
    alone, tuned = nats(base), nats(HfModel.load(folder, device="cpu"))
    with models_between(base, folder) as at:
        np.testing.assert_array_equal(nats(at(1)), tuned)
        assert not np.array_equal(nats(at(0.5)), tuned)
        np.testing.assert_array_equal(nats(at(0)), alone)
        at(0.3)
    assert all(torch.equal(before[name], weight) for name, weight in base.model.state_dict().items())
    with pytest.raises(InputError), models_between(base, folder) as at:
        at(at(0.7) and 2.0)
    np.testing.assert_array_equal(nats(base), alone)


def test_a_model_between_has_the_values_of_the_written_mix(pair, tmp_path):
    """Bit by bit."""
    from kshot.models.checkpoint.plan import plan_mix
    from kshot.models.checkpoint.write import write_mix

    base, folder = pair
    plan = plan_mix([Path(base.loaded.name), folder], lineage=False)
    write_mix(plan, (1 - 0.3, 0.3), tmp_path / "mix")
    written = HfModel.load(tmp_path / "mix", device="cpu").model.state_dict()
    with models_between(base, folder) as at:
        found = at(0.3).model.state_dict()
        assert all(torch.equal(written[name], weight) for name, weight in found.items())


def test_an_adapter_is_scaled(tmp_path):
    base = HfModel.load(saved(tmp_path / "base"), device="cpu")
    folder = tmp_path / "lora"
    peft_folders.peft_folder(folder, "llama", r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"])
    assert is_adapter(folder)
    before = nats(base)
    LoraAdapter.load(folder).scaled(0.25).save(tmp_path / "quarter")
    with models_between(base, folder) as at:
        np.testing.assert_array_equal(nats(at(0)), before)
        np.testing.assert_array_equal(nats(at(1)), nats(base.adapted(folder)))
        np.testing.assert_array_equal(nats(at(0.25)), nats(base.adapted(tmp_path / "quarter")))
        np.testing.assert_array_equal(nats(at(0.25)), nats(at(0.25)))
    np.testing.assert_array_equal(nats(base), before)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(pair, alpha):
    base, folder = pair
    with models_between(base, folder) as at, pytest.raises(InputError, match="from 0 to 1"):
        at(alpha)


def test_models_that_do_not_fit_are_refused(tmp_path):
    base = HfModel.load(saved(tmp_path / "base"), device="cpu")
    other = saved(tmp_path / "other", intermediate_size=32)
    with (
        pytest.raises(ModelError, match=r"\(32, 32\), the base's is \(48, 32\)"),
        models_between(base, other),
    ):
        pass
    tied = saved(tmp_path / "tied", "llama-tied")
    with pytest.raises(ModelError, match=r"lm_head\.weight is missing"), models_between(base, tied):
        pass
    broken = saved(tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"model\.norm\.weight holds NaN"), models_between(base, broken):
        pass
