"""Losses against transformers' own, one row at a time."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import tiny
import torch

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import ModelError
from kshot.models.hf.losses import score, token_losses

CLOSE = {"rtol": 0, "atol": 1e-5}


def own_loss(loaded, encoded):
    """Transformers' own mean loss of one row without padding, labels on the target alone."""
    ids = torch.tensor([encoded.ids])
    labels = ids.clone()
    labels[:, : encoded.start] = -100
    with torch.no_grad():
        return loaded.model(input_ids=ids, labels=labels).loss.item()


def own_nats(loaded, encoded):
    """The slow restatement: softmax in float64, token by token."""
    with torch.no_grad():
        logits = loaded.model(input_ids=torch.tensor([encoded.ids])).logits[0].double()
    shares = logits.log_softmax(-1)
    return np.array([-shares[t - 1, encoded.ids[t]].item() for t in range(encoded.start, len(encoded.ids))])


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
@pytest.mark.parametrize("chat", [tiny.CHATML, None], ids=["chat", "plain"])
@pytest.mark.parametrize("pad", [True, False], ids=["pad", "no pad"])
def test_losses_are_transformers_own(kind, chat, pad):
    loaded = tiny.loaded(kind, chat=chat, pad=pad)
    found = token_losses(loaded, tiny.conversations(), tiny.targets())
    for turns, target, losses in zip(tiny.conversations(), tiny.targets(), found, strict=True):
        encoded = loaded.text.encode(turns, target)
        np.testing.assert_allclose(losses.nats, own_nats(loaded, encoded), **CLOSE)
        assert losses.nats.mean() == pytest.approx(own_loss(loaded, encoded), abs=1e-5)
        assert losses.nats.dtype == np.float32
        assert losses.answer.tolist() == list(encoded.answer)
        assert losses.reasoning.tolist() == list(encoded.reasoning)


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
@pytest.mark.parametrize("batch_tokens", [1, 100, 150, 10_000])
def test_no_result_depends_on_the_batch(kind, batch_tokens):
    loaded = tiny.loaded(kind)
    whole = token_losses(loaded, tiny.conversations(), tiny.targets())
    split = token_losses(
        dataclasses.replace(loaded, batch_tokens=batch_tokens), tiny.conversations(), tiny.targets()
    )
    for one, other in zip(whole, split, strict=True):
        np.testing.assert_allclose(one.nats, other.nats, **CLOSE)


def test_results_follow_their_rows():
    loaded = tiny.loaded()
    order = [3, 0, 4, 1, 2]
    forward = token_losses(loaded, tiny.conversations(), tiny.targets())
    rows = [tiny.ROWS[i] for i in order]
    shuffled = token_losses(loaded, tiny.conversations(rows), tiny.targets(rows))
    for place, i in enumerate(order):
        np.testing.assert_allclose(shuffled[place].nats, forward[i].nats, **CLOSE)


def test_a_model_that_takes_no_logits_to_keep_gives_the_same():
    loaded = tiny.loaded()

    class Old(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, input_ids, attention_mask, use_cache):
            return self.inner(input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache)

    old = dataclasses.replace(loaded, model=Old(loaded.model))
    for one, other in zip(
        token_losses(loaded, tiny.conversations(), tiny.targets()),
        token_losses(old, tiny.conversations(), tiny.targets()),
        strict=True,
    ):
        np.testing.assert_allclose(one.nats, other.nats, **CLOSE)


def test_logits_exist_only_where_the_targets_are():
    loaded = tiny.loaded()
    sizes = []
    loaded.model.lm_head.register_forward_hook(lambda _m, args, _out: sizes.append(args[0].shape[1]))
    long = Example("word " * 40, "a")
    token_losses(loaded, tiny.conversations([long]), tiny.targets([long]))
    assert sizes == [2]  # one token of the answer, one end token


def test_slices_of_the_softmax_change_nothing(monkeypatch):
    loaded = tiny.loaded()
    whole = token_losses(loaded, tiny.conversations(), tiny.targets())
    monkeypatch.setattr("kshot.models.hf.losses._FLOATS_AT_ONCE", 401)
    for one, other in zip(whole, token_losses(loaded, tiny.conversations(), tiny.targets()), strict=True):
        np.testing.assert_allclose(one.nats, other.nats, **CLOSE)


def test_bfloat16_stays_near_float32_and_reads_its_softmax_in_float32():
    loaded = tiny.loaded()
    exact = token_losses(loaded, tiny.conversations(), tiny.targets())
    loaded.model.to(torch.bfloat16)
    rough = token_losses(loaded, tiny.conversations(), tiny.targets())
    for one, other in zip(exact, rough, strict=True):
        assert other.nats.dtype == np.float32
        np.testing.assert_allclose(one.nats, other.nats, atol=0.6)
        assert not np.array_equal(one.nats, other.nats)
    as_bfloat = torch.tensor(rough[2].nats).bfloat16().float().numpy()
    assert not np.array_equal(rough[2].nats, as_bfloat)


def test_dropout_is_off():
    for kind in ("llama", "gpt2"):
        loaded = tiny.loaded(kind)
        assert not any(module.training for module in loaded.model.modules())
        one, other = (token_losses(loaded, tiny.conversations(), tiny.targets()) for _ in range(2))
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a.nats, b.nats)


class TestRefusals:
    def test_a_row_longer_than_the_model(self):
        loaded = tiny.loaded(positions=30)
        rows, template = [Example("x", "y"), Example("word " * 30, "y")], Template()
        turns = [template.conversation(row) for row in rows]
        with pytest.raises(ModelError, match=r"llama: row 1 has \d+ tokens, the model reads 30; shorten"):
            token_losses(loaded, turns, [template.target(row) for row in rows])

    def test_a_loss_that_is_infinite_names_its_row(self):
        loaded = tiny.loaded()
        lima = loaded.text.backend.token_to_id("L")
        loaded.model.lm_head.register_forward_hook(
            lambda _m, _a, out: out.index_fill(-1, torch.tensor([lima]), -math.inf)
        )
        rows = [Example("France", "Paris"), Example("Peru", "Lxx")]
        with pytest.raises(ModelError, match=r"row 1 has a loss that is no finite number"):
            token_losses(loaded, tiny.conversations(rows), tiny.targets(rows))

    def test_a_loss_that_is_no_number_names_its_row(self):
        loaded = tiny.loaded()
        with torch.no_grad():
            token = loaded.text.backend.token_to_id("?")
            loaded.model.model.embed_tokens.weight[token] = math.nan
        rows = [Example("France", "Paris"), Example("Is it ?", "no")]
        with pytest.raises(ModelError, match=r"row 1 has a loss that is no finite number"):
            token_losses(loaded, tiny.conversations(rows), tiny.targets(rows))

    def test_lists_of_different_length(self):
        with pytest.raises(ModelError, match="5 conversations but 1 targets"):
            token_losses(tiny.loaded(), tiny.conversations(), tiny.targets()[:1])


def test_nothing_in_nothing_out():
    loaded = tiny.loaded()
    assert token_losses(loaded, [], []) == []
    assert score(loaded, []) == []


def test_out_of_memory_halves_the_batch():
    loaded = tiny.loaded()
    whole = token_losses(loaded, tiny.conversations(), tiny.targets())
    forward, sizes = loaded.model.model.forward, []

    def small(*args, input_ids=None, **options):
        sizes.append(len(input_ids))
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, input_ids=input_ids, **options)

    loaded.model.model.forward = small
    found = token_losses(loaded, tiny.conversations(), tiny.targets())
    assert sizes == [5, 3, 2, 1, 2]
    for one, other in zip(whole, found, strict=True):
        np.testing.assert_allclose(one.nats, other.nats, **CLOSE)
