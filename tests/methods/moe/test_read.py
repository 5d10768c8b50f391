"""Mixture folders that were damaged: told, never read as something else."""

import json

import pytest
import torch
from mixture_folders import mixture
from safetensors.torch import load_file, save_file

from kshot.errors import AdapterError, ModelError
from kshot.methods.moe import MixtureSettings, export_lora, read_mixture

HUGE = {"in": 4, "out": 4, "ranks": [10**12, 1, 1], "scalings": [1, 1, 1]}
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


@pytest.mark.parametrize("part", ["router", "_A_0", "_B_1"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path, part, value):
    folder = mixture(tmp_path, gates="static", train="static")
    tensors = load_file(folder / WEIGHTS)
    name = next(name for name in sorted(tensors) if part in name)
    tensors[name] = torch.full_like(tensors[name], value)
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(AdapterError, match=f"{name} holds NaN or infinity"):
        read_mixture(folder)
    with pytest.raises(AdapterError, match="NaN or infinity"):
        export_lora(folder, tmp_path / "plain")
    assert not (tmp_path / "plain").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"experts": "abc"}, "experts"),
        ({"modules": [1]}, "modules"),
        (
            {"modules": {"q": {"in": 4, "out": 4, "ranks": [10**12, 1, 1], "scalings": [1, 1, 1]}}},
            "a rank is",
        ),
    ],
)
def test_a_configuration_that_says_nonsense(tmp_path, change, sentence):
    from kshot.methods.moe.config import KshotMoeConfig

    folder = mixture(tmp_path)
    config = json.loads((folder / CONFIG).read_text()) | change
    known = {name: config[name] for name in ("experts", "modules", "top_k")}
    with pytest.raises(AdapterError, match=sentence):
        KshotMoeConfig(**known)


@pytest.mark.parametrize("seed", [-1, True, 0.5])
def test_a_seed_that_is_none(seed):
    with pytest.raises(ModelError, match="mixture setting seed"):
        MixtureSettings(seed=seed)
