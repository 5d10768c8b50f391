"""softmax(-mean nats per token), against a slow restatement on a tiny model."""

from __future__ import annotations

import numpy as np
import pytest

from kshot.data.example import Example
from kshot.data.template import Target, Template
from kshot.errors import DataError, ModelError
from kshot.measure.expert_answers import choice_probabilities
from kshot.measure.predict import predict
from kshot.models.base import ChoiceScores, System

TEMPLATE = Template("Which mood?", "classification", ("joy", "deep sadness", "anger"))
ROWS = [Example("so good", "joy"), Example("so what, then and now", "anger")]


class Fixed:
    """Scores from a table; notes what it was asked."""

    def __init__(self, sums, counts):
        self.sums, self.counts, self.asked = sums, counts, []

    def choice_scores(self, conversations, choices):
        self.asked += list(conversations)
        return [
            ChoiceScores(
                np.array(self.sums, np.float32), np.array(self.counts), np.array([len(c) for c in names])
            )
            for names in choices
        ]


def test_mean_nats_per_token_decide():
    found = choice_probabilities(
        Fixed([-2.0, -3.0, -9.0], [1, 3, 3]), ROWS, [TEMPLATE.labels] * 2, template=TEMPLATE
    )
    expected = np.exp([-2.0, -1.0, -3.0]) / np.exp([-2.0, -1.0, -3.0]).sum()
    assert [row.shape for row in found] == [(3,), (3,)]
    np.testing.assert_allclose(found[0], expected, atol=1e-7)


def test_nobody_sees_an_answer():
    model = Fixed([-1.0, -1.0, -1.0], [1, 1, 1])
    row = Example("so good", "joy", reasoning="it is joy", source="joy.jsonl")
    choice_probabilities(model, [row], [TEMPLATE.labels], template=TEMPLATE)
    assert model.asked == [TEMPLATE.conversation(Example("so good", ""))]


def test_equal_losses_are_equally_likely_and_huge_ones_are_no_trouble():
    found = choice_probabilities(Fixed([-4e4] * 3, [1] * 3), ROWS[:1], [TEMPLATE.labels], template=TEMPLATE)
    np.testing.assert_allclose(found[0], 1 / 3)


def test_a_tiny_model_against_its_token_losses():
    tiny = pytest.importorskip("tiny")
    from kshot.models.hf.model import HfModel

    model = HfModel(tiny.loaded(), tiny.tokenizer(), id="tiny@1")
    found = choice_probabilities(model, ROWS, [TEMPLATE.labels] * 2, template=TEMPLATE)
    for row, shares in zip(ROWS, found, strict=True):
        turns = TEMPLATE.conversation(Example(row.prompt, ""))
        targets = [Target(label, (0, len(label))) for label in TEMPLATE.labels]
        losses = model.token_losses([turns] * 3, targets)
        nats = np.array([loss.nats[:-1].mean(dtype=np.float64) for loss in losses])  # no end token
        np.testing.assert_allclose(shares, np.exp(-nats) / np.exp(-nats).sum(), atol=1e-5)
    system = System("expert", "adapter", model, TEMPLATE.conversation)
    picked = [p.prediction for p in predict(system, ROWS, TEMPLATE, normalise="token")]
    assert [TEMPLATE.labels[int(shares.argmax())] for shares in found] == picked


def test_rows_may_have_choices_of_their_own():
    class ByLength:
        def choice_scores(self, conversations, choices):
            return [
                ChoiceScores(
                    -np.array([len(c) for c in names], np.float32), np.ones(len(names)), np.ones(len(names))
                )
                for names in choices
            ]

    found = choice_probabilities(ByLength(), ROWS, [("a", "bb"), ("c",)], template=Template())
    assert [len(row) for row in found] == [2, 1]
    assert found[1].tolist() == [1.0]
    assert found[0][0] > found[0][1]
    assert choice_probabilities(ByLength(), [], [], template=Template()) == []


def test_bad_choices_and_bad_losses_are_refused():
    model = Fixed([-1.0, float("nan"), -1.0], [1] * 3)
    with pytest.raises(DataError, match="one each"):
        choice_probabilities(model, ROWS, [("a",)], template=TEMPLATE)
    for choices in ((), ("a", "a")):
        with pytest.raises(DataError, match="row 0"):
            choice_probabilities(model, ROWS[:1], [choices], template=TEMPLATE)
    with pytest.raises(ModelError, match="row 0"):
        choice_probabilities(model, ROWS[:1], [TEMPLATE.labels], template=TEMPLATE)
