"""Every row of the table through the engine: from model folders to a model folder."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from operation_equations import dare, slerp, task_arithmetic, ties
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from kshot.models.checkpoint.operations import operation_of
from kshot.models.checkpoint.plan import plan_mix
from kshot.models.checkpoint.write import write_mix


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A base, two fine-tunes of it in float32, and the base again in three shards."""
    place = tmp_path_factory.mktemp("models")
    base = tiny.model("llama")
    tiny.tokenizer().save_pretrained(place / "base")
    base.save_pretrained(place / "base")
    tiny.tokenizer().save_pretrained(place / "sharded")
    base.save_pretrained(place / "sharded", max_shard_size="60KB")
    for at in (1, 2):
        tuned = tiny.model("llama")
        torch.manual_seed(at)
        with torch.no_grad():
            for parameter in tuned.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        tuned.save_pretrained(place / f"tuned-{at}")
        tiny.tokenizer().save_pretrained(place / f"tuned-{at}")
    return place


def values(folder):
    return {
        name: value
        for path in sorted(folder.glob("*.safetensors"))
        for name, value in load_file(path).items()
    }


def mixed(folders, out, operation, weights, *, base="base", **options):
    names = [base, "tuned-1", "tuned-2"][: len(weights)]
    plan = plan_mix([folders / name for name in names])
    write_mix(plan, weights, out, operation=operation, **options)
    return values(out)


CASES = {
    "task_arithmetic": ({"scale": 0.5}, (0.0, 1.0, -0.4), lambda v, w, _: task_arithmetic(v, w, 0.5)),
    "slerp": ({}, (0.4, 0.6), lambda v, w, _: slerp(v, w)),
    "ties": ({"density": 0.3}, (0.0, 1.0, 0.5), lambda v, w, _: ties(v, w, 0.3)),
    "dare": ({"density": 0.3, "seed": 1}, (0.0, 1.0, 0.5), lambda v, w, n: dare(v, w, 0.3, seed=1, name=n)),
}


@pytest.mark.parametrize("name", CASES)
def test_files_against_the_equation_tensor_by_tensor(folders, tmp_path, name):
    options, weights, equation = CASES[name]
    operation = operation_of(name, **options)
    found = mixed(folders, tmp_path / "one", operation, weights, threads=1)
    stored = [values(folders / place) for place in ("base", "tuned-1", "tuned-2")[: len(weights)]]
    assert set(found) == set(stored[0])
    for tensor, value in found.items():
        whole = [part[tensor].double().numpy().ravel() for part in stored]
        slow = equation(whole, weights, tensor)
        off = np.abs(value.double().numpy().ravel() - slow)
        if name == "ties":  # where a float32 sum and a double one differ in sign, or a magnitude at the edge
            assert (off > 1e-6).mean() < 1e-3
        else:
            assert off.max() < 2e-6
    again = mixed(folders, tmp_path / "two", operation, weights, threads=3)
    sharded = mixed(folders, tmp_path / "three", operation, weights, base="sharded")
    for tensor, value in found.items():
        assert torch.equal(value, again[tensor])
        assert torch.equal(value, sharded[tensor])
    assert len(list((tmp_path / "three").glob("*.safetensors"))) > 1
    AutoModelForCausalLM.from_pretrained(tmp_path / "three")
