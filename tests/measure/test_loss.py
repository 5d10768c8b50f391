"""Losses of the shots: which tokens count where."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import DataError
from kshot.measure.loss import perplexity, shot_losses
from kshot.models.base import TokenLosses


class Letters:
    """One token a character; its loss is 0.1 times its place, counted from 1; an end token of loss 9."""

    def __init__(self):
        self.asked = []

    def token_losses(self, conversations, targets):
        self.asked += conversations
        found = []
        for target in targets:
            length = len(target.text)
            nats = np.array([0.1 * (i + 1) for i in range(length)] + [9.0], dtype=np.float32)
            found.append(
                TokenLosses(nats, self._mask(target.answer, length), self._mask(target.reasoning, length))
            )
        return found

    @staticmethod
    def _mask(span, length):
        return np.array([span is not None and span[0] <= i < span[1] for i in range(length)] + [False])

    def choice_scores(self, conversations, choices):
        raise NotImplementedError


FIRST = Template(reasoning="answer_first")
ROWS = [Example("q", "ab", reasoning="xyz"), Example("q", "abcd")]


def test_answer_reasoning_and_target_in_nats_per_token():
    found = shot_losses(Letters(), FIRST, ROWS)
    # row 0 is "ab\nxyz" and the end token, row 1 is "abcd" and the end token
    np.testing.assert_allclose(found.answer, [0.15, 0.25], atol=1e-6)
    np.testing.assert_allclose(found.reasoning, [0.5, math.nan], atol=1e-6)
    np.testing.assert_allclose(found.target, [(2.1 + 9) / 7, (1.0 + 9) / 5], atol=1e-6)
    np.testing.assert_allclose(found.answer_sum, [0.3, 1.0], atol=1e-6)
    np.testing.assert_allclose(found.reasoning_sum, [1.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.target_sum, [11.1, 10.0], atol=1e-6)
    assert found.answer_tokens.tolist() == [2, 4]
    assert found.reasoning_tokens.tolist() == [3, 0]
    assert found.target_tokens.tolist() == [7, 5]


def test_the_template_decides_what_is_measured():
    found = shot_losses(Letters(), Template(), ROWS)
    assert found.target_tokens.tolist() == [3, 5]
    assert np.isnan(found.reasoning).all()
    last = shot_losses(Letters(), Template(reasoning="answer_last"), ROWS[:1])
    assert (last.answer_tokens[0], last.reasoning_tokens[0]) == (2, 3)
    assert last.reasoning[0] == pytest.approx(0.2)  # "xyz" comes first


def test_shots_in_the_prompt_are_earlier_turns():
    model = Letters()
    shot_losses(model, FIRST, ROWS, shots_in_prompt=[Example("s", "t")])
    assert [turn.content for turn in model.asked[1]] == ["s", "t", "q"]


@given(order=st.permutations(range(4)))
def test_rows_keep_their_places(order):
    rows = [Example("q", "a" * (i + 1), reasoning="r" * i or None) for i in range(4)]
    straight = shot_losses(Letters(), FIRST, rows)
    mixed = shot_losses(Letters(), FIRST, [rows[i] for i in order])
    for name in ("answer", "reasoning", "target", "target_sum", "answer_tokens"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(straight, name)[list(order)])


def test_the_mean_of_the_perplexities_is_not_the_perplexity_of_the_mean():
    """Source: arXiv 2408.15915, section 3; golden: nats 0 and ln 3 have perplexities 1 and 3, mean 2."""
    nats = np.array([0.0, math.log(3)])
    assert perplexity(nats).mean() == pytest.approx(2.0)
    assert perplexity(nats.mean()) == pytest.approx(math.sqrt(3))
    assert perplexity(1e4) == math.inf
    assert math.isnan(perplexity(math.nan))


class TestRefusals:
    def test_no_rows(self):
        with pytest.raises(DataError, match="no examples"):
            shot_losses(Letters(), FIRST, [])

    def test_a_row_without_an_answer(self):
        with pytest.raises(DataError, match=r"a.jsonl:2: has no answer"):
            shot_losses(Letters(), FIRST, [ROWS[0], Example("q", "", source="a.jsonl:2")])

    def test_an_answer_without_a_token(self):
        with pytest.raises(DataError, match=r"row 1: no token belongs to the answer"):
            shot_losses(Blank(), FIRST, ROWS)


class Blank(Letters):
    @staticmethod
    def _mask(span, length):
        return np.array([length < 7 and span is not None and length == 6] * (length + 1))
