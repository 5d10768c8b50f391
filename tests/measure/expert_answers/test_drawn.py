"""Answers of an open task: greedy first, then drawn ones by frequency."""

from __future__ import annotations

import pytest

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.measure.expert_answers import drawn_answers
from kshot.models.base import Reply

ROWS = [Example("a", "gold"), Example("b", "gold")]


class Draws:
    """A greedy reply, and drawn ones by seed."""

    id = "draws@1"

    def __init__(self, greedy, drawn):
        self.greedy, self.drawn, self.asked = greedy, drawn, []

    def generate(self, conversations, *, max_new_tokens=64, temperature=0.0, seed=0, stop=()):
        self.asked += [(turns[-1].content, temperature, seed, max_new_tokens) for turns in conversations]
        return [Reply(self.drawn[seed] if temperature else self.greedy) for _ in conversations]


def test_greedy_first_then_the_most_frequent():
    model = Draws("two", ["three", "one", "two", "one", "three", "one"])
    found = drawn_answers(model, ROWS, template=Template(), draws=6, temperature=0.5, max_new_tokens=9)
    assert found == [("two", "one", "three")] * 2
    assert ("a", 0.0, 0, 9) in model.asked
    assert ("b", 0.5, 5, 9) in model.asked
    assert len(model.asked) == 14


def test_ties_are_in_the_order_of_the_draws_and_empty_replies_are_left_out():
    assert drawn_answers(Draws("", ["x", "", "y"]), ROWS[:1], template=Template(), draws=3) == [("x", "y")]
    assert drawn_answers(Draws("", [""]), ROWS[:1], template=Template(), draws=1) == [()]
    assert drawn_answers(Draws("x", []), ROWS, template=Template(), draws=0) == [("x",), ("x",)]
    assert drawn_answers(Draws("x", []), [], template=Template()) == []


def test_answers_are_read_as_the_task_reads_them():
    template = Template(reasoning="answer_last")
    found = drawn_answers(Draws("so\nAnswer: 4", ["none", "Answer: 5"]), ROWS[:1], template=template, draws=2)
    assert found == [("4", "5")]


def test_a_negative_number_of_draws_is_refused():
    with pytest.raises(InputError, match="-1"):
        drawn_answers(Draws("x", []), ROWS, template=Template(), draws=-1)
