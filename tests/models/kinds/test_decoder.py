"""Decoders: where an answer begins and ends, what is cut, and that neither batch nor padding matters."""

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.data.example import Example, Message
from kshot.data.ranking import Ranking
from kshot.errors import DataError, ModelError
from kshot.models.kinds.decoder import Decoder, encoded_pair
from kshot.models.kinds.open import KindOptions, open_mixable
from kshot.models.text.text_format import TextFormat

ROWS = [
    Example("What is the capital of Peru?\n", "Lima"),
    Example("Answer: ", "42, since forty plus two makes forty-two"),
    Example("Žluťoučký kůň 🐎", "東京 🗼"),
    Example("Reply with one of these labels: joy, anger, sadness", "joy"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("models") / "llama", bos=True)


def text_of(tokenizer):
    return TextFormat.of(tokenizer, template="plain")


def slow_loss(model, ids, start):
    """The model alone on one row, in float64."""
    with torch.no_grad():
        logits = model.module(torch.tensor([ids])).logits[0].double()
    logs = torch.log_softmax(logits, dim=-1)
    return -sum(float(logs[at - 1, ids[at]]) for at in range(start, len(ids)))


@pytest.mark.parametrize("boundary", ["exact", "paper"])
def test_against_the_model_row_by_row(folder, boundary):
    model = open_mixable(folder, "decoder", options=KindOptions(boundary=boundary))
    found = model.losses(ROWS)
    tokenizer = tiny.tokenizer(bos=True)
    for at, row in enumerate(ROWS):
        whole = tokenizer(f"{row.prompt} {row.answer}", return_offsets_mapping=True)
        ids = [*whole["input_ids"], tokenizer.eos_token_id]
        if boundary == "paper":
            start = len(tokenizer(row.prompt)["input_ids"])
        else:
            start = next(i for i, (_, stop) in enumerate(whole["offset_mapping"]) if stop > len(row.prompt))
        assert found.count[at] == len(ids) - start
        assert found.total[at] == pytest.approx(slow_loss(model, ids, start), abs=1e-4)
    assert found.right is None
    assert found.notes == ()


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
@pytest.mark.parametrize("pad", [True, False])
def test_batch_and_padding_leave_no_trace(tmp_path, kind, pad):
    folder = tiny.save(tmp_path / kind, kind, pad=pad)
    together = open_mixable(folder, "decoder").losses(ROWS)
    alone = open_mixable(folder, "decoder", options=KindOptions(batch_tokens=1)).losses(ROWS)
    np.testing.assert_allclose(together.each, alone.each, atol=1e-5)
    turned = open_mixable(folder, "decoder").losses(ROWS[::-1])
    np.testing.assert_allclose(together.each, turned.each[::-1], atol=1e-5)


def test_the_end_token_is_scored_even_where_it_is_the_pad_token(tmp_path):
    model, tokenizer = tiny.model(), tiny.tokenizer()
    model.save_pretrained(tmp_path / "a")
    tokenizer.save_pretrained(tmp_path / "a")
    tokenizer.pad_token = tokenizer.eos_token
    model.save_pretrained(tmp_path / "b")
    tokenizer.save_pretrained(tmp_path / "b")
    one, other = (open_mixable(tmp_path / name, "decoder").losses(ROWS) for name in "ab")
    np.testing.assert_array_equal(one.count, other.count)
    np.testing.assert_array_equal(one.total, other.total)


@settings(max_examples=30)
@given(prompt=st.text(min_size=1, max_size=12), answer=st.text(min_size=1, max_size=12))
def test_scored_tokens_spell_the_answer(prompt, answer):
    row = encoded_pair(text_of(tiny.tokenizer(bos=True)), prompt, answer)
    assert row.ids[0] == 1
    assert row.ids[-1] == 2
    spoken = [token for token, mark in zip(row.ids[row.start :], row.answer, strict=True) if mark]
    assert len(spoken) == row.target_count - 1
    assert tiny.tokenizer().decode(spoken).endswith(answer)
    before = tiny.tokenizer().decode(row.ids[1 : row.start])
    assert prompt.startswith(before.rstrip("\ufffd"))


def test_a_tokenizer_that_ends_texts_itself_gives_one_end_token():
    tokenizer = tiny.tokenizer()
    from tokenizers import processors

    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    plain = encoded_pair(text_of(tiny.tokenizer(bos=True)), "a b", "c")
    for boundary in ("exact", "paper"):
        assert encoded_pair(text_of(tokenizer), "a b", "c", boundary=boundary) == plain


def test_answers_are_cut_on_the_right_with_a_note(folder):
    full = encoded_pair(text_of(tiny.tokenizer(bos=True)), ROWS[1].prompt, ROWS[1].answer)
    limit = full.start + 3
    model = open_mixable(folder, "decoder", options=KindOptions(max_input_length=limit))
    found = model.losses([ROWS[1]])
    assert found.count.tolist() == [3]
    assert found.notes == (f"1 of 1 answers are cut: prompt and answer exceed {limit} tokens",)
    ids = list(full.ids[:limit])
    assert found.total[0] == pytest.approx(slow_loss(model, ids, full.start), abs=1e-4)


def test_the_models_own_limit_cuts_too(tmp_path):
    folder = tiny.save(tmp_path / "short", positions=16)
    with pytest.raises(DataError, match=r"example 1 \(a:2\): nothing of the answer is left .* of 16"):
        open_mixable(folder, "decoder").losses([Example("a", "b"), Example("word " * 40, "b", source="a:2")])


@pytest.mark.parametrize("room", [-3, 0])
def test_nothing_left_of_an_answer_is_an_error(folder, room):
    full = encoded_pair(text_of(tiny.tokenizer(bos=True)), ROWS[1].prompt, ROWS[1].answer)
    options = KindOptions(max_input_length=full.start + room)
    with pytest.raises(DataError, match="example 0: nothing of the answer is left"):
        open_mixable(folder, "decoder", options=options).losses([ROWS[1]])


def test_choices_and_turns_stand_in_the_input(folder):
    model = open_mixable(folder, "decoder")
    rich = Example("2 + 2?", "4", ("3", "4"), system="Sums.", history=(Message("user", "Hello"),))
    spelled = Example("Sums.\n\nHello\n2 + 2?\nA. 3\nB. 4\n", "B")
    np.testing.assert_array_equal(model.losses([rich]).total, model.losses([spelled]).total)


def test_no_end_token_is_refused():
    loaded = tiny.loaded()
    tokenizer = tiny.tokenizer()
    tokenizer.eos_token = None
    from dataclasses import replace

    with pytest.raises(ModelError, match="no end token"):
        Decoder(replace(loaded, text=text_of(tokenizer)), KindOptions())


def test_a_model_of_nan_is_refused(tmp_path):
    made = tiny.model()
    with torch.no_grad():
        made.lm_head.weight.fill_(float("nan"))
    made.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="row 0 has a loss that is no finite number"):
        open_mixable(tmp_path, "decoder").losses(ROWS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "there is no example"),
        ([Ranking("a", ("b",))], "1 of 1 examples are of another type; decoder needs prompts"),
        ([Example("a", "b"), Example("a", " ", source="f:2")], r"example 1 \(f:2\): the answer is empty"),
    ],
)
def test_rows_that_cannot_be_scored(folder, rows, message):
    with pytest.raises(DataError, match=message):
        open_mixable(folder, "decoder").losses(rows)
