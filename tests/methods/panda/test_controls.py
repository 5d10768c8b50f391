"""Controls: everything stays but the explanations, and those are never one's own."""

import random

import numpy as np
import pytest

from kshot.data.example import Example
from kshot.errors import DataError
from kshot.methods.panda.controls import IrrelevantRetriever, neutral, reversed_preferences, shuffled
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference
from kshot.models.embed.hashing import HashingEncoder


def preference(text, *ranked, flags=()):
    candidates = tuple(Candidate(name, "", p) for name, p in ranked)
    return Preference(text, candidates, ExpertFacts("classifier", "e"), flags=flags)


def pool(texts):
    return [
        Insight(
            at,
            f"key {at}",
            text,
            opening=f"o{at}",
            preference=preference(f"key {at}", ("a", 0.9), ("b", 0.1)),
        )
        for at, text in enumerate(texts)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_is_a_derangement_that_keeps_all_else(seed):
    real = pool([f"text {at}" for at in range(12)])
    changed = shuffled(real, seed=seed)
    assert sorted(one.explanation for one in changed) == sorted(one.explanation for one in real)
    for before, after in zip(real, changed, strict=True):
        assert after.explanation != before.explanation
        assert (after.key, after.preference, after.row) == (before.key, before.preference, before.row)
        assert "shuffled" in after.flags


def test_shuffled_depends_on_the_seed_alone():
    real = pool([f"text {at}" for at in range(30)])
    assert shuffled(real, seed=3) == shuffled(real, seed=3)
    assert shuffled(real, seed=3) != shuffled(real, seed=4)


@pytest.mark.parametrize("seed", range(200))
def test_as_few_as_possible_get_a_text_equal_to_their_own(seed):
    rng = random.Random(seed)
    texts = [rng.choice("xyz") for _ in range(rng.randint(2, 15))]
    if len(set(texts)) < 2:
        texts[0] = "w"
    real = [Insight(at, f"k{at}", text) for at, text in enumerate(texts)]
    changed = shuffled(real, seed=seed)
    assert sorted(one.insight for one in changed) == sorted(texts)
    same = sum(before.insight == after.insight for before, after in zip(real, changed, strict=True))
    most = max(texts.count(text) for text in texts)
    assert same == max(0, 2 * most - len(texts))


def test_what_cannot_be_shuffled_is_said():
    assert shuffled([]) == ()
    with pytest.raises(DataError, match="found one insight"):
        shuffled(pool(["x"]))
    with pytest.raises(DataError, match="3 insights with one and the same text"):
        shuffled([Insight(at, f"k{at}", "x") for at in range(3)])


@pytest.mark.parametrize(
    ("heuristic", "top", "back"),
    [("top1", "b", 1), ("top2", "b", 1), ("top3", "b", 1), ("far", "c", 2), ("last", "d", 3)],
)
def test_the_pair_of_the_heuristic_is_reversed(heuristic, top, back):
    real = preference("t", ("a", 0.6), ("b", 0.2), ("c", 0.15), ("d", 0.05))
    (made,) = reversed_preferences([real], heuristic=heuristic).preferences
    assert made.top.answer == top
    assert made.candidates[back].answer == "a"
    assert [one.probability for one in made.candidates] == [0.6, 0.2, 0.15, 0.05]
    assert "corrupted" in made.flags
    assert made.text == real.text


def test_one_answer_alone_cannot_be_reversed():
    result = reversed_preferences([preference("s", ("a", 1.0)), preference("t", ("a", 0.6), ("b", 0.4))],
                                  heuristic="far")  # fmt: skip
    assert result.kept == (1,)
    assert result.dropped == ((0, "one answer alone has no rival to be reversed with"),)
    assert result.preferences[0].top.answer == "b"


def test_filler_has_the_length_and_names_no_label():
    words = [0, 1, 7, 40, 500]
    real = pool([" ".join(["w"] * count) for count in words])
    made = neutral(real)
    assert [len(one.explanation.split()) for one in made] == [count + 1 for count in words]  # the opening
    assert made == neutral(real)
    assert all(one.preference == before.preference for one, before in zip(made, real, strict=True))
    named = preference("t", ("page", 0.9), ("reader", 0.1))
    text = neutral([Insight(0, "t", "w " * 300, preference=named)])[0].insight
    assert "page" not in text.split()
    assert "reader" not in text.split()
    assert len(text.split()) == 300


def test_irrelevant_is_the_other_end_of_the_nearest():
    encoder = HashingEncoder()
    texts = ["the cat sat", "a cat sat down", "stocks fell today", "markets rose", "cat", "the cat sat"]
    real = [Insight(at, text, "x") for at, text in enumerate(texts)]
    retrieve = IrrelevantRetriever(real, encoder, k=2)
    found = retrieve(Example("the cat sat", ""))
    scores = encoder.encode(texts) @ encoder.encode(["the cat sat"])[0]
    order = np.argsort(scores, kind="stable")[:2]
    assert [one.insight.row for one in found.chosen] == order.tolist()
    assert [one.score for one in found.chosen] == pytest.approx(scores[order].tolist())
    assert len(IrrelevantRetriever(real, encoder, k=99)(Example("x", "")).chosen) == 6
    assert IrrelevantRetriever(real, encoder, k=0)(Example("x", "")).chosen == ()
    assert IrrelevantRetriever((), encoder)(Example("x", "")).chosen == ()
    with pytest.raises(DataError, match="k is -1"):
        IrrelevantRetriever(real, encoder, k=-1)
