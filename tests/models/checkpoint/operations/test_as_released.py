"""LM-Cocktail's own rounding, step by step in 16 bits."""

from __future__ import annotations

import pytest
import torch
from mix_folders import WEIGHTS, family, tensors
from safetensors.torch import save_file

from kshot.models.checkpoint import plan_mix, write_mix
from kshot.models.checkpoint.operations import operation_of


def test_the_golden_rounding(tmp_path):
    for at, value in enumerate((0.9375, 1.0078125, 0.9375)):
        folder = tmp_path / f"m{at}"
        folder.mkdir()
        (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
        save_file({"x": torch.tensor([value], dtype=torch.bfloat16)}, folder / "model.safetensors")
    plan = plan_mix([tmp_path / f"m{at}" for at in range(3)], lineage=False)
    write_mix(plan, WEIGHTS, tmp_path / "out", operation=operation_of("as_released"))
    assert tensors(tmp_path / "out")["x"].item() == 0.9609375


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_every_element(tmp_path, dtype):
    folders = family(tmp_path, "bert", dtype=dtype)
    plan = plan_mix(folders, lineage=False)
    write_mix(plan, WEIGHTS, tmp_path / "out", operation=operation_of("as_released"))
    parts = [tensors(folder) for folder in folders]
    for name, value in tensors(tmp_path / "out").items():
        wanted = WEIGHTS[0] * parts[0][name]
        for weight, part in zip(WEIGHTS[1:], parts[1:], strict=True):
            wanted = wanted + weight * part[name]
        assert torch.equal(value, wanted), name
