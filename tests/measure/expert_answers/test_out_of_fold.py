"""Each row is judged by a head that never saw its text."""

from __future__ import annotations

import numpy as np
import pytest

from kshot.errors import DataError
from kshot.measure.expert_answers import out_of_fold_probabilities
from kshot.models.classifier import EmbeddingHead
from kshot.models.embed import HashingEncoder

NAMES = ("good", "bad", "never")
GOOD, BAD = ("sun", "cake", "gift", "song"), ("mud", "bill", "cold", "rash")


class Counting:
    """The hashing encoder, and what it was asked to encode."""

    id, dim = "counting@1", 256

    def __init__(self):
        self.inner, self.texts = HashingEncoder(256), []

    def encode(self, texts):
        self.texts += list(texts)
        return self.inner.encode(texts)


def rows(count: int = 40) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(0)
    texts, labels = [], []
    for number in range(count):
        words = GOOD if number % 2 else BAD
        texts.append(" ".join([*rng.choice(words, 3), f"n{number}"]))
        labels.append("good" if number % 2 else "bad")
    return texts, labels


def test_each_fold_is_judged_by_a_head_of_the_others():
    texts, labels = rows(24)
    found = out_of_fold_probabilities(HashingEncoder(256), texts, labels, label_names=NAMES, folds=3, seed=3)
    assert found.probabilities.shape == (24, 3)
    assert sorted(np.bincount(found.fold)) == [8] * 3
    for number in range(3):
        held = np.flatnonzero(found.fold == number)
        rest = [i for i in range(24) if found.fold[i] != number]
        head = EmbeddingHead.fit(
            HashingEncoder(256),
            [texts[i] for i in rest],
            [labels[i] for i in rest],
            label_names=NAMES,
            seed=3,
        )
        assert head.c == found.strengths[number]
        np.testing.assert_allclose(
            found.probabilities[held], head.predict_proba([texts[i] for i in held]), atol=1e-6
        )
        assert sorted(labels[i] for i in held) == ["bad"] * 4 + ["good"] * 4
    assert (found.probabilities[:, 2] == 0).all()
    assert (found.probabilities.argmax(axis=1) == [NAMES.index(label) for label in labels]).mean() > 0.8


def test_a_head_cannot_know_labels_that_stand_nowhere_else():
    """Random labels: a head that saw its rows would know them; out of fold it is at chance."""
    rng = np.random.default_rng(1)
    texts = [" ".join(f"w{rng.integers(9999)}" for _ in range(6)) for _ in range(60)]
    labels = [NAMES[i] for i in rng.integers(0, 2, 60)]
    gold = np.array([NAMES.index(label) for label in labels])
    found = out_of_fold_probabilities(HashingEncoder(), texts, labels, label_names=NAMES[:2])
    head = EmbeddingHead.fit(HashingEncoder(), texts, labels, label_names=NAMES[:2])
    assert (head.predict_proba(texts).argmax(axis=1) == gold).mean() == 1
    assert (found.probabilities.argmax(axis=1) == gold).mean() < 0.7


def test_equal_texts_stay_together_and_are_encoded_once():
    texts, labels = rows(20)
    texts, labels = [*texts, texts[0].upper(), texts[0], texts[1]], [*labels, labels[0], "good", labels[1]]
    embedder = Counting()
    found = out_of_fold_probabilities(embedder, texts, labels, label_names=NAMES, folds=5)
    assert found.fold[0] == found.fold[20] == found.fold[21]
    assert found.fold[1] == found.fold[22]
    assert len(embedder.texts) == len(set(texts))


def test_the_order_of_the_rows_does_not_matter():
    texts, labels = rows(12)
    order = np.random.default_rng(2).permutation(12)
    one = out_of_fold_probabilities(HashingEncoder(64), texts, labels, label_names=NAMES)
    other = out_of_fold_probabilities(
        HashingEncoder(64), [texts[i] for i in order], [labels[i] for i in order], label_names=NAMES
    )
    assert one.id == other.id
    assert (one.fold[order] == other.fold).all()
    np.testing.assert_allclose(one.probabilities[order], other.probabilities, atol=0.02)


def test_few_rows_and_a_class_of_one():
    found = out_of_fold_probabilities(
        HashingEncoder(64), ["a b", "c d", "e f"], ["good", "bad", "bad"], label_names=NAMES
    )
    assert sorted(found.fold) == [0, 1, 2]
    assert found.probabilities[0].tolist() == [0, 1, 0]  # the only good row: nobody else knows the class
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_id_follows_content_and_seed():
    texts, labels = rows(4)
    options = [{}, {"seed": 1}, {"folds": 3}, {"label_names": NAMES[:2]}]
    ids = {
        out_of_fold_probabilities(
            HashingEncoder(64), texts, labels, **({"label_names": NAMES} | option)
        ).id
        for option in options
    }  # fmt: skip
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("texts", "labels", "options"),
    [
        (["a"], [], {}),
        ([], [], {}),
        (["a", "A "], ["good", "bad"], {}),
        (["a", "b"], ["good", "fear"], {}),
        (["a", "b"], ["good", "bad"], {"folds": 1}),
    ],
)
def test_what_cannot_be_folded_is_refused(texts, labels, options):
    with pytest.raises(DataError):
        out_of_fold_probabilities(HashingEncoder(64), texts, labels, label_names=NAMES, **options)
