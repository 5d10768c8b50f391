"""Fine-tunes of one base against models of other origin, by samples of their weights."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest
import torch
from header_folders import BERT, bert_tensors, llama_tensors, write_model
from mix_folders import FAMILIES, family, made
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from small_bank import write_adapter

from kshot.models.checkpoint import lineage as lineage_file
from kshot.models.checkpoint.lineage import lineage, lineage_warnings
from kshot.models.checkpoint.members import open_member
from kshot.models.hf.loading import quiet


def opened(folder, tensors, config=None, **changed):
    return open_member(write_model(folder, tensors, config, **changed))


def noised(tensors, size, *, seed=7):
    rng = np.random.default_rng(seed)
    return {name: value + size * rng.normal(size=value.shape) for name, value in tensors.items()}


@pytest.mark.parametrize("name", FAMILIES)
def test_fine_tunes_are_near_and_another_start_is_not(tmp_path, name):
    (folder,) = family(tmp_path, name, count=1)
    tensors = load_file(folder / "model.safetensors")
    near = {
        key: value + 0.1 * value.std(correction=0) * torch.randn(value.shape)
        for key, value in tensors.items()
    }
    shutil.copytree(folder, tmp_path / "tuned")
    save_file(near, tmp_path / "tuned" / "model.safetensors")
    base, tuned = open_member(folder), open_member(tmp_path / "tuned")
    assert lineage_warnings([base, tuned], base=0) == ()
    start = made(name)
    torch.manual_seed(99)
    other = type(start)(start.config)
    with quiet():
        other.save_pretrained(tmp_path / "other")
    said = lineage_warnings([base, tuned, open_member(tmp_path / "other")], base=0)
    assert len(said) == 1
    assert "DOES NOT LOOK LIKE A FINE-TUNE" in said[0]


def test_distance_and_cosine_are_those_of_the_whole_where_all_is_sampled(tmp_path):
    tensors = bert_tensors()
    other = noised(tensors, 0.1)
    (kin,) = lineage([opened(tmp_path / "a", tensors, BERT), opened(tmp_path / "b", other, BERT)], base=0)
    matrices = [name for name, value in tensors.items() if value.ndim == 2]
    one = np.concatenate([tensors[name].astype(np.float32).ravel() for name in matrices]).astype(np.float64)
    two = np.concatenate([other[name].astype(np.float32).ravel() for name in matrices]).astype(np.float64)
    assert kin.distance == pytest.approx(np.linalg.norm(two - one) / np.linalg.norm(one), rel=1e-12)
    assert kin.cosine == pytest.approx(one @ two / np.linalg.norm(one) / np.linalg.norm(two), rel=1e-12)
    assert kin.name == str(tmp_path / "b")


def test_unrelated_weights_are_a_distance_of_the_square_root_of_two_apart(tmp_path):
    rng = np.random.default_rng(0)
    members = [opened(tmp_path / name, {"x.weight": rng.normal(size=(200, 200))}) for name in "ab"]
    (kin,) = lineage(members, base=0)
    assert kin.distance == pytest.approx(math.sqrt(2), abs=0.02)
    assert kin.cosine == pytest.approx(0, abs=0.02)


def test_changes_in_one_direction_have_a_cosine_of_one(tmp_path):
    tensors = llama_tensors()
    change = noised({name: np.zeros_like(value) for name, value in tensors.items()}, 0.01)
    members = [opened(tmp_path / "base", tensors)]
    for at, factor in enumerate((1.0, 3.0, -1.0)):
        some = {name: value + factor * change[name] for name, value in tensors.items()}
        members.append(opened(tmp_path / f"m{at}", some))
    found = lineage(members, base=0)
    table = np.array([kin.delta_cosines for kin in found])
    assert np.isnan(table[:, 0]).all()
    np.testing.assert_allclose(table[:, 1:], [[1, 1, -1], [1, 1, -1], [-1, -1, 1]], atol=1e-4)


def test_large_matrices_are_sampled_alike_in_all_members(tmp_path, monkeypatch):
    monkeypatch.setattr(lineage_file, "_RUNS", 3)
    monkeypatch.setattr(lineage_file, "_RUN_VALUES", 5)
    tensors = llama_tensors()
    same, near = opened(tmp_path / "a", tensors), opened(tmp_path / "b", noised(tensors, 0.01))
    shifted = {name: np.roll(value, 1) for name, value in tensors.items()}
    other = opened(tmp_path / "c", shifted)
    first, second = lineage([same, near, other], base=0)
    assert first.cosine > 0.99
    assert second.cosine < 0.9
    assert lineage([same, near], base=0) == lineage([same, near], base=0)
    assert lineage([same, near], base=0, seed=1)[0].distance != lineage([same, near], base=0)[0].distance


def test_dtypes_may_differ(tmp_path):
    tensors = llama_tensors()
    half = {name: value.astype(np.float16) for name, value in tensors.items()}
    one = opened(tmp_path / "a", half)
    save_arrays(tensors, write_model(tmp_path / "b", tensors) / "model.safetensors")  # in double
    (kin,) = lineage([one, open_member(tmp_path / "b")], base=0)
    assert 0 < kin.distance < 1e-3


def test_bfloat16_is_read_exactly(tmp_path):
    value = torch.randn(40, 30, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    write_model(tmp_path / "a")
    write_model(tmp_path / "b", {"x.weight": value.double().numpy()})
    save_file({"x.weight": value}, tmp_path / "a" / "model.safetensors")
    (kin,) = lineage([open_member(tmp_path / "a"), open_member(tmp_path / "b")], base=0)
    assert (kin.distance, kin.cosine) == (0.0, pytest.approx(1.0, abs=1e-15))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_told(tmp_path, value):
    tensors = llama_tensors()
    bad = {name: np.full_like(array, value) for name, array in tensors.items()}
    said = lineage_warnings([opened(tmp_path / "a", tensors), opened(tmp_path / "b", bad)], base=0)
    assert len(said) == 1
    assert "cannot be compared" in said[0]


def test_adapters_and_the_base_alone_have_no_lineage(tmp_path):
    base, adapter = opened(tmp_path / "a", llama_tensors()), open_member(write_adapter(tmp_path / "b"))
    assert lineage([base], base=0) == ()
    assert lineage([base, adapter], base=0) == ()
    assert lineage([base, adapter], base=1) == ()


def test_nothing_in_common(tmp_path):
    members = [
        opened(tmp_path / "a", {"x.weight": np.ones((2, 2))}),
        opened(tmp_path / "b", {"y": np.ones(2)}),
    ]
    assert "cannot be compared" in lineage_warnings(members, base=0)[0]
