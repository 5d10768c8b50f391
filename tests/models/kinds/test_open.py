"""Opening folders: dtypes, kinds that do not fit, options out of range."""

import shutil

import pytest
import tiny
import tiny_kinds
import torch
from safetensors.torch import load_file, save_file

from kshot.errors import ModelError
from kshot.models.kinds.base import KINDS
from kshot.models.kinds.open import KindOptions, open_mixable

MAKERS = {
    "decoder": lambda place: tiny.save(place / "decoder"),
    "encoder": lambda place: tiny_kinds.encoder(place / "encoder"),
    "reranker": lambda place: tiny_kinds.reranker(place / "reranker"),
    "encoder-decoder": lambda place: tiny_kinds.t5(place / "t5"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_in_each_dtype(tmp_path, kind):
    folder = MAKERS[kind](tmp_path)
    for name in ("float64", "bfloat16"):
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        tensors = load_file(folder / "model.safetensors")
        cast = {key: value.to(getattr(torch, name)) for key, value in tensors.items()}
        save_file(cast, copy / "model.safetensors", {"format": "pt"})
        own = open_mixable(copy, kind)
        assert {value.dtype for value in own.module.parameters()} == {getattr(torch, name)}
        asked = open_mixable(copy, kind, dtype="float32")
        assert {value.dtype for value in asked.module.parameters()} == {torch.float32}
    made = open_mixable(folder, kind)
    assert made.kind == kind
    assert not made.module.training
    with pytest.raises(ModelError, match="dtype 'int8' is none of"):
        open_mixable(folder, kind, dtype="int8")


def test_a_folder_of_another_kind(tmp_path):
    with pytest.raises(ModelError, match="weights are missing or of another shape"):
        open_mixable(tiny.save(tmp_path / "decoder"), "reranker")
    with pytest.raises(ModelError, match="cannot be loaded with AutoModelForSeq2SeqLM"):
        open_mixable(tmp_path / "decoder", "encoder-decoder")
    with pytest.raises(ModelError, match="kind 'embedder' is none of decoder, encoder"):
        open_mixable(tmp_path / "decoder", "embedder")
    for kind in KINDS:
        with pytest.raises(ModelError, match=r"missing|no .*file"):
            open_mixable(tmp_path / "nothing", kind)


@pytest.mark.parametrize("kind", KINDS)
def test_pickles_stay_closed(tmp_path, kind):
    folder = MAKERS[kind](tmp_path)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(ModelError):
        open_mixable(folder, kind)


@pytest.mark.parametrize(
    "options",
    [
        {"max_input_length": 0}, {"neg_number": 0}, {"batch_tokens": 0}, {"scale": 0.0},
        {"scale": float("nan")}, {"boundary": "about"}, {"pooling": "mean"}, {"positive_class": 2},
    ],
)  # fmt: skip
def test_options_out_of_range(options):
    with pytest.raises(ModelError, match=next(iter(options))):
        KindOptions(**options)
