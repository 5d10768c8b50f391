"""The compiled loops against the torch path, bit for bit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from mix_folders import WEIGHTS, contents, family
from safetensors.torch import save_file

from kshot.errors import ModelError
from kshot.models.checkpoint import plan_mix, stream, write, write_mix


def only_torch(monkeypatch):
    monkeypatch.setattr(stream, "suits", lambda source: False)
    monkeypatch.setattr(write, "suits", lambda source: False)


def folders_of(tmp_path, *values):
    """Models of one tensor."""
    places = []
    for at, value in enumerate(values):
        place = tmp_path / f"m{at}"
        place.mkdir()
        (place / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
        save_file({"x": value}, place / "model.safetensors")
        places.append(place)
    return places


def mix(folders, out, weights):
    write_mix(plan_mix(folders, lineage=False), weights, out)
    return contents(out)


@pytest.mark.parametrize("weights", [WEIGHTS, (1.0, 0.0, 0.0), (-0.5, 1.75, -0.25), (1 / 3, 1 / 3, 1 / 3)])
def test_the_same_bytes_as_torch(tmp_path, monkeypatch, weights):
    folders = family(tmp_path, "llama", dtype=torch.bfloat16)
    compiled = mix(folders, tmp_path / "compiled", weights)
    only_torch(monkeypatch)
    assert mix(folders, tmp_path / "torch", weights) == compiled


def test_every_pair_of_exponents(tmp_path, monkeypatch):
    """All finite bfloat16 numbers beside each other: subnormal, huge, zero of both signs."""
    every = torch.arange(-32768, 32768, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    every = every[every.isfinite() & (every.abs() < 1e38)]
    rng = np.random.default_rng(0)
    other = every[torch.from_numpy(rng.permutation(len(every)))]
    folders = folders_of(tmp_path, every, other)
    compiled = mix(folders, tmp_path / "compiled", (0.7, 0.3))
    only_torch(monkeypatch)
    assert mix(folders, tmp_path / "torch", (0.7, 0.3)) == compiled


@pytest.mark.parametrize(
    ("value", "words"), [(float("nan"), "holds NaN"), (float("inf"), "holds NaN or infinity")]
)
def test_what_is_not_finite_is_named(tmp_path, value, words):
    rows = [torch.ones(70_000, dtype=torch.bfloat16) for _ in range(2)]
    rows[1][66_000] = value
    folders = folders_of(tmp_path, *rows)
    with pytest.raises(ModelError, match=rf"m1: tensor x {words}"):
        mix(folders, tmp_path / "out", (0.5, 0.5))
    assert not (tmp_path / "out").exists()


def test_a_sum_that_overflows_is_told(tmp_path):
    huge = torch.full((10,), torch.finfo(torch.bfloat16).max, dtype=torch.bfloat16)
    folders = folders_of(tmp_path, huge, -huge)
    with pytest.raises(ModelError, match="overflows BF16"):
        mix(folders, tmp_path / "out", (1.5, -0.5))


def test_no_torch_is_loaded(tmp_path):
    folders = [str(place) for place in family(tmp_path, "llama", dtype=torch.bfloat16, count=2)]
    code = (
        "import sys\nfrom pathlib import Path\nfrom kshot.models.checkpoint import plan_mix, write_mix\n"
        f"write_mix(plan_mix({folders!r}), [0.5, 0.5], Path({str(tmp_path / 'out')!r}))\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_loops_compile_where_nothing_can_be_kept(monkeypatch):
    from kshot.models.checkpoint import loops

    def without_folder(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(loops, "njit", without_folder)
    assert loops._compiled(len) is len
