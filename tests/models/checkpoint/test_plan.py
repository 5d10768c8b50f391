"""Plans: what is laid out, what is told, and that nothing is written."""

from __future__ import annotations

import json
import os

import pytest
from mix_folders import contents, family
from peft_folders import VARIANTS, peft_folder
from safetensors import safe_open

from kshot.errors import ModelError
from kshot.models.checkpoint import estimate, plan_mix
from kshot.models.checkpoint.layer_weights import weights_by_tensor
from kshot.models.checkpoint.layout import full_name
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.operations import LINEAR


def test_a_plan_tells_what_will_be_there(tmp_path):
    folders = family(tmp_path, "llama", count=2, shard="60KB")
    plan = plan_mix(folders)
    plan.check()
    assert plan.kind == "decoder"
    assert plan.base == 0
    assert [file.path for file in plan.files] == sorted(
        path.name for path in folders[0].glob("*.safetensors")
    )
    assert sum(file.size for file in plan.files) == plan.write_bytes
    for file in plan.files:
        stored = (folders[0] / file.path).read_bytes()
        assert stored.startswith(file.header)
        assert len(stored) == file.size
    own = contents(folders[0])
    assert plan.side_files.keys() | plan.texts.keys() | {f.path for f in plan.files} == own.keys()
    assert estimate(plan) == (plan.read_bytes + plan.write_bytes) / 1e9
    assert plan.tensors[0].copied is None
    assert plan_mix([open_member(folder) for folder in folders]) == plan


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_another_dtype_is_laid_out_anew(tmp_path, dtype):
    folders = family(tmp_path, "reranker", count=2)
    plan = plan_mix(folders, dtype=dtype, lineage=False)
    text = plan.files[0].header[8:]
    assert len(text) % 8 == 0
    header = json.loads(text)
    with safe_open(folders[0] / "model.safetensors", "pt") as file:
        assert header.pop("__metadata__") == file.metadata()
    ends = 0
    for tensor, entry in zip(plan.tensors, header.values(), strict=True):
        assert entry["data_offsets"][0] == ends
        ends = entry["data_offsets"][1]
        assert tensor.start == ends - (ends - entry["data_offsets"][0]) + len(plan.files[0].header)
    assert plan.files[0].size == len(plan.files[0].header) + ends
    assert json.loads(plan.texts["config.json"])["dtype"] == dtype


def test_what_a_plan_raises(tmp_path):
    folders = family(tmp_path, "llama", count=1)
    with pytest.raises(ModelError, match="no model to mix"):
        plan_mix([])
    with pytest.raises(ModelError, match="base 1: expected a position from 0 to 0"):
        plan_mix(folders, base=1)
    with pytest.raises(ModelError, match="dtype 'int8': expected one of float32, bfloat16, float16"):
        plan_mix(folders, dtype="int8")


def test_refusals_are_told_and_not_raised(tmp_path):
    folders = [*family(tmp_path, "llama", count=1), *family(tmp_path, "bert", count=1)]
    plan = plan_mix(folders)
    assert plan.refusals
    with pytest.raises(ModelError):
        plan.check()
    peft_folder(tmp_path / "adapter", "llama", **VARIANTS["plain"][1])
    plan = plan_mix([tmp_path / "adapter", folders[0]])
    with pytest.raises(ModelError, match="full model"):
        plan.check()
    assert (plan.tensors, plan.write_bytes) == ((), 0)


def test_the_digest_follows_what_the_output_depends_on(tmp_path):
    folders = family(tmp_path, "llama", count=2)
    first = plan_mix(folders).digest
    assert len(first) == 64
    assert plan_mix(folders, lineage=False).digest == first
    others = [
        plan_mix(folders[::-1]).digest,
        plan_mix(folders, base=1).digest,
        plan_mix(folders, dtype="bfloat16").digest,
        plan_mix(folders[:1]).digest,
    ]
    os.utime(folders[1] / "model.safetensors", ns=(1, 1))
    others.append(plan_mix(folders).digest)
    assert len({first, *others}) == 6


def test_rows_of_weights(tmp_path):
    plan = plan_mix(family(tmp_path, "llama", count=2))
    rules = [("lm_head.*", [1, 0]), ("*.layers.[0]*", [0, 1]), ("*", [0.5, 0.5])]
    rows = weights_by_tensor(plan, [0.9, 0.1], operation=LINEAR, layer_weights=rules)
    found = dict(zip((full_name(tensor) for tensor in plan.tensors), rows, strict=True))
    assert found["lm_head.weight"] == (1.0, 0.0)
    assert found["model.layers.0.mlp.up_proj.weight"] == (0.0, 1.0)
    assert found["model.layers.1.mlp.up_proj.weight"] == (0.5, 0.5)
    with pytest.raises(ModelError, match=r"LM_HEAD\.\*' matches no tensor"):
        weights_by_tensor(plan, [0.9, 0.1], operation=LINEAR, layer_weights=[("LM_HEAD.*", [1, 0])])
