"""Encoder-decoders against the model's own loss, one row at a time."""

import numpy as np
import pytest
import tiny_kinds
import torch

from kshot.data.example import Example
from kshot.data.ranking import Ranking
from kshot.errors import DataError, ModelError
from kshot.models.kinds.open import KindOptions, open_mixable
from kshot.models.kinds.seq2seq import EncoderDecoder

ROWS = [
    Example("Which river?", "Rimac"),
    Example("a long bicycle train", "a cup of tea"),
    Example("tea, or a train ride through the land of tea?", "both"),
]
MAKERS = {"t5": tiny_kinds.t5, "bart": tiny_kinds.bart}


@pytest.mark.parametrize("kind", MAKERS)
def test_against_the_models_own_loss(tmp_path, kind):
    model = open_mixable(MAKERS[kind](tmp_path / kind), "encoder-decoder")
    found = model.losses(ROWS)
    for at, row in enumerate(ROWS):
        inputs = model.tokenizer(row.prompt, return_tensors="pt", truncation=True, max_length=24)
        labels = model.tokenizer(text_target=row.answer, return_tensors="pt")["input_ids"]
        ids = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
        with torch.no_grad():
            expected = float(model.module(**ids, labels=labels).loss)
        assert found.count[at] == labels.shape[1]
        assert labels[0, -1] == model.tokenizer.eos_token_id
        assert found.each[at] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", MAKERS)
def test_batch_and_padding_leave_no_trace(tmp_path, kind):
    folder = MAKERS[kind](tmp_path / kind)
    together = open_mixable(folder, "encoder-decoder").losses(ROWS)
    alone = open_mixable(folder, "encoder-decoder", options=KindOptions(batch_tokens=1)).losses(ROWS)
    np.testing.assert_allclose(together.each, alone.each, atol=1e-5)
    assert len(set(together.each.round(3))) == len(ROWS)


def test_a_tokenizer_without_ends_gets_one_end_token(tmp_path):
    own = open_mixable(tiny_kinds.t5(tmp_path / "own"), "encoder-decoder")
    bare = open_mixable(tiny_kinds.t5(tmp_path / "bare", ends=False), "encoder-decoder")
    np.testing.assert_array_equal(own.losses(ROWS).count, bare.losses(ROWS).count)


def test_what_is_cut_is_noted(tmp_path):
    model = open_mixable(tiny_kinds.bart(tmp_path / "bart"), "encoder-decoder")
    found = model.losses([ROWS[0], Example("tea " * 60, "train " * 60)])
    assert found.notes == ("1 of 2 prompts are cut to 24 tokens", "1 of 2 answers are cut to 24 tokens")
    assert found.count[1] == 24


def test_refusals(tmp_path):
    model = open_mixable(tiny_kinds.t5(tmp_path / "t5"), "encoder-decoder")
    with pytest.raises(DataError, match="there is no example"):
        model.losses([])
    with pytest.raises(DataError, match="encoder-decoder needs prompts"):
        model.losses([Ranking("a", ("b",))])
    tokenizer = tiny_kinds.t5_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="x: the tokenizer names no end token"):
        EncoderDecoder(model.module, tokenizer, KindOptions(), name="x")
    with torch.no_grad():
        model.module.shared.weight[0] = float("nan")
    with pytest.raises(ModelError, match=r"example 0 \(f:1\) has a loss that is no finite number"):
        model.losses([Example("a", "b", source="f:1")])


def test_a_model_without_a_start_token_is_refused(tmp_path):
    model = open_mixable(tiny_kinds.t5(tmp_path / "t5"), "encoder-decoder")
    model.module.config.decoder_start_token_id = None
    with pytest.raises(ModelError, match=r"cannot score an answer: .*decoder_start_token_id"):
        model.losses(ROWS)
