"""Hidden states as vectors: by the equation, and alone as in a batch."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch

from kshot.errors import DataError, ModelError
from kshot.models.base import Embedder
from kshot.models.embed.hidden import HiddenStateEmbedder, Pooling
from kshot.models.hf import HfModel

TEXTS = ["The capital of France", "x", "Žluťoučký kůň 🐎 東京", "", "forty plus two makes forty-two " * 5]


def model(kind: str = "llama", **options: object) -> HfModel:
    return HfModel(tiny.loaded(kind, **options), None, id=f"tiny-{kind}")


def slow(hf: HfModel, text: str, pooling: Pooling) -> np.ndarray:
    ids = [*hf.text.prefix_ids, *hf.text.backend.encode(text, add_special_tokens=False).ids]
    with torch.no_grad():
        out = hf.model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    states = out.hidden_states[-1][0].double().numpy()  # (T, d)
    weights = np.ones(len(ids)) if pooling == "mean" else np.arange(1.0, len(ids) + 1)
    pooled = (weights[:, None] * states).sum(axis=0) / weights.sum()
    return pooled / np.linalg.norm(pooled)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen3", "mistral"])
@pytest.mark.parametrize("pooling", ["mean", "position"])
def test_rows_follow_the_equation(kind: str, pooling: Pooling) -> None:
    hf = model(kind)
    embedder = HiddenStateEmbedder(hf, pooling=pooling)
    rows = embedder.encode(TEXTS)
    assert isinstance(embedder, Embedder)
    assert (rows.shape, rows.dtype, embedder.dim) == ((5, 32), np.float32, 32)
    assert not rows[3].any()
    for text, row in zip(TEXTS, rows, strict=True):
        if text:
            np.testing.assert_allclose(row, slow(hf, text, pooling), atol=1e-5)


def test_a_row_alone_is_the_row_in_any_batch() -> None:
    many = HiddenStateEmbedder(model()).encode(TEXTS)
    small = HiddenStateEmbedder(model(batch_tokens=8)).encode(TEXTS[::-1])[::-1]
    alone = np.concatenate([HiddenStateEmbedder(model()).encode([text]) for text in TEXTS])
    np.testing.assert_allclose(small, many, atol=1e-5)
    np.testing.assert_allclose(alone, many, atol=1e-5)


def test_what_is_beyond_the_positions_is_cut() -> None:
    embedder = HiddenStateEmbedder(model(positions=16))
    long, longer = embedder.encode(["one two three " * 30, "one two three " * 60])
    np.testing.assert_allclose(long, longer, atol=1e-6)


def test_the_two_poolings_are_two_encoders() -> None:
    hf = model()
    mean, position = HiddenStateEmbedder(hf, pooling="mean"), HiddenStateEmbedder(hf)
    assert (mean.id, position.id) == ("hidden-mean-v1:tiny-llama", "hidden-position-v1:tiny-llama")
    assert np.abs(mean.encode(TEXTS[:1]) - position.encode(TEXTS[:1])).max() > 1e-3


def test_no_texts_give_no_rows() -> None:
    assert HiddenStateEmbedder(model()).encode([]).shape == (0, 32)


def test_bad_input_is_refused() -> None:
    embedder = HiddenStateEmbedder(model())
    with pytest.raises(DataError, match="expected a list of texts"):
        embedder.encode("one text")
    with pytest.raises(DataError, match="text 1 is int"):
        embedder.encode(["fine", 3])  # type: ignore[list-item]
    with pytest.raises(DataError, match="text 0 holds half a character"):
        embedder.encode(["\ud800"])
    with pytest.raises(ModelError, match="pooling is 'last'"):
        HiddenStateEmbedder(model(), pooling="last")  # type: ignore[arg-type]


def test_values_that_are_no_numbers_are_refused() -> None:
    hf = model()
    with torch.no_grad():
        hf.model.model.norm.weight[0] = float("nan")
    with pytest.raises(ModelError, match="hidden states overflow"):
        HiddenStateEmbedder(hf).encode(["x"])
