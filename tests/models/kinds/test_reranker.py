"""Rerankers: groups of a positive and its negatives, and which output means relevant."""

import numpy as np
import pytest
import tiny_kinds
import torch

from kshot.data.example import Example
from kshot.data.ranking import Ranking
from kshot.errors import DataError, ModelError
from kshot.models.kinds.contrast import drawn
from kshot.models.kinds.open import KindOptions, open_mixable

ROWS = [
    Ranking("tea", ("a cup of tea", "tea in a cup"), ("a bicycle", "a long train ride through Lima")),
    Ranking("which river", ("the Rimac",), ("a train", "a cup", "tea", "a ride")),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_kinds.reranker(tmp_path_factory.mktemp("models") / "one")


def slow_score(model, query, text):
    inputs = model.tokenizer(query, text, return_tensors="pt")
    with torch.no_grad():
        return model.module(**inputs).logits[0].double().numpy()


@pytest.mark.parametrize("wanted", [1, 2, 3, 7])
def test_groups_against_a_slow_restatement(folder, wanted):
    model = open_mixable(folder, "reranker", options=KindOptions(neg_number=wanted, seed=3))
    found = model.losses(ROWS)
    assert found.count.tolist() == [2, 1]
    for at, row in enumerate(ROWS):
        negatives = drawn(row, wanted, seed=3)
        repeated = [negatives[i % len(negatives)] for i in range(wanted)]
        total, right = 0.0, True
        for positive in row.positives:
            scores = [slow_score(model, row.query, text)[0] for text in (positive, *repeated)]
            total += np.log(np.exp(scores).sum()) - scores[0]
            right &= scores[0] > max(scores[1:])
        assert found.total[at] == pytest.approx(total, abs=1e-5)
        assert found.right[at] == right


def test_short_lists_are_noted(folder):
    assert open_mixable(folder, "reranker", options=KindOptions(neg_number=3)).losses(ROWS).notes == (
        "1 of 2 examples have fewer than 3 negatives; theirs are repeated",
    )
    assert open_mixable(folder, "reranker", options=KindOptions(neg_number=2)).losses(ROWS).notes == ()


def test_batch_and_padding_leave_no_trace(folder):
    together = open_mixable(folder, "reranker").losses(ROWS)
    alone = open_mixable(folder, "reranker", options=KindOptions(batch_tokens=1)).losses(ROWS)
    np.testing.assert_allclose(together.each, alone.each, atol=1e-5)
    np.testing.assert_allclose(
        open_mixable(folder, "reranker").losses(ROWS[::-1]).each[::-1], together.each, atol=1e-5
    )


def test_a_tokenizer_that_pads_on_the_left_leaves_no_trace(tmp_path, folder):
    left = tiny_kinds.reranker(tmp_path / "left")
    tiny_kinds.bert_tokenizer(padding_side="left").save_pretrained(left)
    found = [open_mixable(place, "reranker").losses(ROWS).total for place in (folder, left)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(("labels", "sign"), [(("no", "yes"), 1), (("Relevant", "irrelevant"), -1)])
def test_two_classes_count_as_the_difference_of_their_logits(tmp_path, labels, sign):
    model = open_mixable(
        tiny_kinds.reranker(tmp_path, labels=labels), "reranker", options=KindOptions(neg_number=2)
    )
    pairs = [slow_score(model, "tea", text) for text in (ROWS[0].positives[0], *ROWS[0].negatives)]
    scores = [sign * (logits[1] - logits[0]) for logits in pairs]
    row = Ranking("tea", ROWS[0].positives[:1], ROWS[0].negatives)
    assert model.losses([row]).total[0] == pytest.approx(np.log(np.exp(scores).sum()) - scores[0], abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("LABEL_0", "LABEL_1"), "two outputs, LABEL_0 and LABEL_1, which do not say which means relevant"),
        (("yes", "true"), "which do not say which means relevant"),
        (("a", "b", "c"), r"has 3 outputs \(a, b, c\); a reranker has one"),
    ],
)
def test_outputs_that_do_not_say_what_they_mean(tmp_path, labels, message):
    tiny_kinds.reranker(tmp_path, labels=labels)
    with pytest.raises(ModelError, match=message):
        open_mixable(tmp_path, "reranker")
    if len(labels) == 2:
        open_mixable(tmp_path, "reranker", options=KindOptions(positive_class=1)).losses(ROWS)


def test_a_decoder_without_a_pad_token_scores_pairs_one_by_one(tmp_path):
    model = open_mixable(tiny_kinds.decoder_reranker(tmp_path), "reranker", options=KindOptions(neg_number=2))
    row = Ranking("tea", ("a cup of tea",), ("a bicycle", "a long train ride through Lima"))
    scores = [slow_score(model, "tea", text)[0] for text in ("a cup of tea", *row.negatives)]
    assert model.losses([row]).total[0] == pytest.approx(np.log(np.exp(scores).sum()) - scores[0], abs=1e-5)


def test_long_pairs_are_cut_with_a_note(folder):
    row = Ranking("tea", ("a cup of tea",), ("train " * 200,))
    assert "1 of 2 pairs are cut to 64 tokens" in open_mixable(folder, "reranker").losses([row]).notes


def test_refusals(folder):
    model = open_mixable(folder, "reranker")
    with pytest.raises(DataError, match=r"example 1 \(f:2\): there is no negative"):
        model.losses([ROWS[0], Ranking("a", ("b",), id="f:2")])
    with pytest.raises(DataError, match="reranker needs rows with query"):
        model.losses([Example("a", "b")])
    with torch.no_grad():
        model.module.classifier.bias.fill_(float("inf"))
    with pytest.raises(ModelError, match="example 0 has a loss that is no finite number"):
        model.losses(ROWS)


def test_a_row_is_right_only_if_each_of_its_positives_is(folder):
    model = open_mixable(folder, "reranker")
    texts = sorted(["a cup", "a train", "Lima"], key=lambda text: -slow_score(model, "tea", text)[0])
    best, middle, worst = texts
    rows = [Ranking("tea", (best, worst), (middle,)), Ranking("tea", (best, middle), (worst,))]
    assert model.losses(rows).right.tolist() == [False, True]
