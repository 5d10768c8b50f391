"""What is learned from, in the words it is asked in."""

import pytest

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.pipeline.lessons import Rows, in_task_form, lessons, worded

CAPITALS = Template(instruction="Name the capital.")
REASONED = Template(instruction="Name the capital.", reasoning="answer_first")


def test_an_open_row_with_the_task_s_instruction_is_a_row_of_the_task():
    row = in_task_form(Example("Name the capital.\nFrance", "Paris"), CAPITALS)
    shot = Example("France", "Paris")
    assert worded(Example("Name the capital.\nFrance", "Paris"), CAPITALS) == worded_of(shot, CAPITALS)
    assert row is not None
    assert row.prompt == "France"


def worded_of(row, template):
    return template.conversation(row), template.target(row)


def test_reasoning_below_the_answer_becomes_the_row_s_reasoning():
    row = in_task_form(Example("Name the capital.\nFrance", "Paris\nThe Louvre is there."), REASONED)
    assert (row.answer, row.reasoning) == ("Paris", "The Louvre is there.")
    plain = in_task_form(Example("Name the capital.\nFrance", "Paris\nThe Louvre is there."), CAPITALS)
    assert plain.answer == "Paris\nThe Louvre is there."


@pytest.mark.parametrize("prompt", ["Name the capital.", "Name the river.\nFrance"])
def test_other_rows_keep_their_own_words(prompt):
    row = Example(prompt, "x")
    assert in_task_form(row, CAPITALS) is None
    conversation, target = worded(row, CAPITALS)
    assert [turn.role for turn in conversation] == ["user"]
    assert (conversation[0].content, target.text) == (prompt, "x")


def test_every_row_stands_once_and_each_shot_as_often_as_asked():
    shots = [Example(f"shot {n}", "a") for n in range(5)]
    chosen = [Example(f"open {n}", "b") for n in range(7)]
    made_up = [Example(f"made {n}", "c") for n in range(3)]
    rows = lessons(Rows(shots, chosen, made_up), CAPITALS, kshot_repeat=3, seed=4)
    asked = [conversation[-1].content for conversation in rows.conversations]
    assert sorted(asked) == sorted([s.prompt for s in shots] * 3 + [r.prompt for r in [*chosen, *made_up]])
    again = lessons(Rows(shots, chosen, made_up), CAPITALS, kshot_repeat=3, seed=4)
    assert again.conversations == rows.conversations
    other = lessons(Rows(shots, chosen, made_up), CAPITALS, kshot_repeat=3, seed=5)
    assert other.conversations != rows.conversations


def test_shots_held_back_are_not_learned_and_one_is_left():
    shots = [Example(f"shot {n}", "a") for n in range(5)]
    rows = lessons(Rows(shots), CAPITALS, hold_back=2)
    held = {conversation[-1].content for conversation in rows.held_conversations}
    learned = {conversation[-1].content for conversation in rows.conversations}
    assert len(held) == 2
    assert held | learned == {shot.prompt for shot in shots}
    assert not held & learned
    assert len(lessons(Rows(shots), CAPITALS, hold_back=99).conversations) == 1
