"""Choice scores against transformers' own logits, one choice at a time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft_folders import peft_folder

from kshot.data.example import Example, Message
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.models.hf.choices import choice_scores
from kshot.models.hf.model import HfModel


def own_nats(loaded, encoded):
    """The slow restatement: softmax in float64, token by token, nothing shared."""
    with torch.no_grad():
        logits = loaded.model(input_ids=torch.tensor([encoded.ids])).logits[0].double()
    shares = logits.log_softmax(-1)
    return np.array([-shares[t - 1, encoded.ids[t]].item() for t in range(encoded.start, len(encoded.ids))])


def restated(loaded, turns, texts):
    """The choices of a row as they are scored: with end token if one begins another, token by token."""
    targets = [Target(text, (0, len(text))) for text in texts]
    plain = [loaded.text.encode(turns, target, end=False) for target in targets]
    begins = any(
        len(one.ids) < len(other.ids) and other.ids[: len(one.ids)] == one.ids
        for one in plain
        for other in plain
    )
    return [loaded.text.encode(turns, target) for target in targets] if begins else plain


CHOICES = [
    ["Paris", "Rome", "a much longer choice"],
    ["Lima", "東京"],
    ["A", "B", "C", "D"],
    ["x", "xx"],
    ["?", "!"],
]


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
@pytest.mark.parametrize("batch_tokens", [1, 200, 10_000])
def test_choice_scores_are_sums_of_log_likelihoods(kind, batch_tokens):
    loaded = tiny.loaded(kind, batch_tokens=batch_tokens)
    found = choice_scores(loaded, tiny.conversations(), CHOICES)
    for turns, texts, scores in zip(tiny.conversations(), CHOICES, found, strict=True):
        for i, (text, encoded) in enumerate(zip(texts, restated(loaded, turns, texts), strict=True)):
            nats = own_nats(loaded, encoded)
            assert scores.log_likelihood[i] == pytest.approx(-nats.sum(), abs=1e-4)
            assert scores.token_count[i] == len(nats) == encoded.target_count
            assert scores.char_count[i] == len(text)
        sums = [scores.log_likelihood[i] for i in range(len(texts))]
        assert scores.best() == int(np.argmax(sums))


def test_choices_with_shots_in_the_prompt_score_the_same():
    loaded = tiny.loaded(positions=512)
    turns = tiny.conversations(tiny.ROWS[:1], shots=tiny.ROWS[1:])
    texts = ["Paris", "Pisa", "Paris in France"]
    scores = choice_scores(loaded, turns, [texts])[0]
    for i, encoded in enumerate(restated(loaded, turns[0], texts)):
        assert scores.log_likelihood[i] == pytest.approx(-own_nats(loaded, encoded).sum(), abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.text("abParis 東", min_size=1, max_size=9), min_size=1, max_size=5),
        min_size=1,
        max_size=5,
    )
)
def test_any_choices_score_alike_shared_and_alone(rows):
    loaded = LOADED
    turns = [(Message("user", "word " * (i + 1)),) for i in range(len(rows))]
    for turn, texts, scores in zip(turns, rows, choice_scores(loaded, turns, rows), strict=True):
        for i, encoded in enumerate(restated(loaded, turn, texts)):
            assert scores.log_likelihood[i] == pytest.approx(-own_nats(loaded, encoded).sum(), abs=1e-4)


LOADED = tiny.loaded()


class TestOneChoiceBeginsAnother:
    """Without an end token a choice never beats its own beginning."""

    @pytest.mark.parametrize("batch_tokens", [1, 10_000])
    @pytest.mark.parametrize("texts", [["1", "10"], ["10", "1"], ["B", "10", "A", "1"]])
    def test_all_choices_of_that_row_are_scored_with_end_token(self, texts, batch_tokens):
        loaded = tiny.loaded(batch_tokens=batch_tokens)
        turns = tiny.conversations()[:2]
        scores, other = choice_scores(loaded, turns, [texts, ["A", "B"]])
        for i, text in enumerate(texts):
            encoded = loaded.text.encode(turns[0], Target(text, (0, len(text))), end=True)
            assert encoded.ids[-1] == loaded.text.end_id
            assert scores.log_likelihood[i] == pytest.approx(-own_nats(loaded, encoded).sum(), abs=1e-4)
            assert scores.token_count[i] == len(text) + 1
            assert scores.char_count[i] == len(text)
        assert other.token_count.tolist() == [1, 1]

    @pytest.mark.parametrize("known", [0, 1])
    def test_the_one_that_a_model_learned_wins(self, known):
        loaded = tiny.loaded()
        turns, texts = tiny.conversations()[0], ["1", "10"]
        row = loaded.text.encode(turns, Target(texts[known], (0, known + 1)))
        ids = torch.tensor([row.ids])
        labels = torch.where(torch.arange(len(row.ids)) < row.start, -100, ids)
        steps = torch.optim.Adam(loaded.model.parameters(), lr=0.01)
        for _ in range(10):
            steps.zero_grad()
            loaded.model(input_ids=ids, labels=labels).loss.backward()
            steps.step()
        assert choice_scores(loaded, [turns], [texts])[0].best() == known

    @pytest.mark.parametrize("texts", [["A", "B"], ["A", "A"], ["10", "20"], ["A"]])
    def test_other_rows_are_scored_without(self, texts):
        loaded = tiny.loaded()
        turns = tiny.conversations()[0]
        scores = choice_scores(loaded, [turns], [texts])[0]
        for i, text in enumerate(texts):
            encoded = loaded.text.encode(turns, Target(text, (0, len(text))), end=False)
            assert scores.log_likelihood[i] == pytest.approx(-own_nats(loaded, encoded).sum(), abs=1e-4)
            assert scores.token_count[i] == len(text)

    def test_a_model_without_end_token_scores_as_ever(self):
        loaded = tiny.loaded()
        loaded.text.end_id = None  # cached: from here on the tokenizer names none
        scores = choice_scores(loaded, tiny.conversations()[:1], [["1", "10"]])[0]
        assert scores.token_count.tolist() == [1, 2]
        assert scores.best() == 0

    def test_a_choice_that_its_end_token_makes_too_long_is_refused(self):
        turns = tiny.conversations()[:1]
        length = len(tiny.loaded().text.encode(turns[0], Target("10", (0, 2)), end=False).ids)
        choice_scores(tiny.loaded(positions=length), turns, [["20", "10"]])
        choice_scores(tiny.loaded(positions=length + 1), turns, [["1", "10"]])
        with pytest.raises(ModelError, match=f"row 0 has {length + 1} tokens, the model reads {length}"):
            choice_scores(tiny.loaded(positions=length), turns, [["1", "10"]])


@pytest.mark.parametrize("batch_tokens", [1, 10_000])
def test_the_prompts_tokens_are_told(batch_tokens, tmp_path):
    model = HfModel.load(tiny.save(tmp_path / "base"), device="cpu", batch_tokens=batch_tokens)
    peft_folder(tmp_path / "expert", "llama")
    expected = model.count_tokens(tiny.conversations())
    assert len(set(expected)) > 2
    for one in (model, model.adapted(tmp_path / "expert")):
        scores = one.choice_scores(tiny.conversations(), CHOICES)
        assert [score.prompt_tokens for score in scores] == expected
        assert [r.prompt_tokens for r in one.generate(tiny.conversations(), max_new_tokens=1)] == expected


def test_the_prompt_is_read_once():
    loaded = tiny.loaded(positions=512)
    shapes = []
    loaded.model.register_forward_pre_hook(
        lambda _m, _a, options: shapes.append(tuple(options["input_ids"].shape)), with_kwargs=True
    )
    turns = tiny.conversations([Example("word " * 60, "x")])
    choice_scores(loaded, turns, [["Paris", "Lima", "x"]])
    assert len(shapes) == 2
    assert shapes[0][0] == 1
    assert shapes[0][1] > 60
    assert shapes[1][0] == 3
    assert shapes[1][1] < 10


def test_a_choice_that_merges_with_the_prompt_is_scored_as_it_stands_in_the_text():
    loaded = tiny.loaded(chat="{% for m in messages %}{{ m.content }}{% endfor %}")
    turns = ((Message("user", "What is the capit"),),)
    texts = ["al", "?", "al of Peru"]
    encoded = restated(loaded, turns[0], texts)
    assert encoded[0].start < encoded[1].start
    scores = choice_scores(loaded, turns, [texts])[0]
    assert scores.prompt_tokens == len(loaded.text.encode_prompt(turns[0]))
    for i, row in enumerate(encoded):
        assert scores.log_likelihood[i] == pytest.approx(-own_nats(loaded, row).sum(), abs=1e-4)


def test_a_prompt_of_one_token_has_nothing_to_share():
    loaded = tiny.loaded(chat="{% for m in messages %}{{ m.content }}{% endfor %}")
    turns = ((Message("user", "z"),), (Message("user", "What is the capital of Peru?"),))
    texts = [["Q", "7"], ["Lima", "Paris"]]
    for turn, row, scores in zip(turns, texts, choice_scores(loaded, turns, texts), strict=True):
        for i, text in enumerate(row):
            encoded = loaded.text.encode(turn, Target(text, (0, len(text))), end=False)
            assert scores.log_likelihood[i] == pytest.approx(-own_nats(loaded, encoded).sum(), abs=1e-4)


def test_a_model_without_a_cache_to_share_scores_the_same():
    loaded = tiny.loaded()

    class Old(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, input_ids, attention_mask, use_cache):
            return self.inner(input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache)

    old = dataclasses.replace(loaded, model=Old(loaded.model))
    for one, other in zip(
        choice_scores(loaded, tiny.conversations(), CHOICES),
        choice_scores(old, tiny.conversations(), CHOICES),
        strict=True,
    ):
        np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, atol=1e-4)


@pytest.mark.parametrize("fits", [1, 2, 3])
def test_out_of_memory_halves_rows_and_then_choices(fits):
    loaded = tiny.loaded()
    whole = choice_scores(loaded, tiny.conversations(), CHOICES)
    forward = loaded.model.model.forward

    def small(*args, input_ids=None, **options):
        if len(input_ids) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, input_ids=input_ids, **options)

    loaded.model.model.forward = small
    for one, other in zip(whole, choice_scores(loaded, tiny.conversations(), CHOICES), strict=True):
        np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, atol=1e-4)


def test_bfloat16_runs():
    loaded = tiny.loaded()
    loaded.model.to(torch.bfloat16)
    assert len(choice_scores(loaded, tiny.conversations(), CHOICES)) == len(CHOICES)


class TestRefusals:
    def test_lists_of_different_length(self):
        with pytest.raises(ModelError, match="5 conversations but 1 rows of choices"):
            choice_scores(tiny.loaded(), tiny.conversations(), [["a"]])

    def test_a_row_without_choices(self):
        with pytest.raises(ModelError, match="row 1: has no choices"):
            choice_scores(tiny.loaded(), tiny.conversations()[:2], [["a"], []])

    def test_an_empty_choice(self):
        with pytest.raises(ModelError, match="no token to score"):
            choice_scores(tiny.loaded(), tiny.conversations()[:1], [["a", ""]])

    def test_a_row_longer_than_the_model_is_named(self):
        loaded = tiny.loaded(positions=80)
        with pytest.raises(ModelError, match=r"row 1 has \d+ tokens, the model reads 80"):
            choice_scores(loaded, tiny.conversations([tiny.ROWS[0]] * 2), [["a", "b"], ["b " * 40, "a"]])

    def test_a_loss_that_is_no_number_names_its_row(self):
        loaded = tiny.loaded()
        with torch.no_grad():
            loaded.model.model.embed_tokens.weight[loaded.text.backend.token_to_id("?")] = np.nan
        rows = [Example("France", "x"), Example("Is it ?", "x")]
        with pytest.raises(ModelError, match="row 1 has a loss that is no finite number"):
            choice_scores(loaded, tiny.conversations(rows), [["a", "b"]] * 2)


def test_nothing_in_nothing_out():
    assert choice_scores(tiny.loaded(), [], []) == []
