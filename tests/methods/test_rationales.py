"""Reasoning written by a model: taken only where it states the right answer, marked, and never invented."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Conversation, Example
from kshot.data.template import Template
from kshot.errors import DataError
from kshot.methods.rationales import accepted, rationale_prompt, write_reasoning
from kshot.models.base import Reply

CHOICE = Template(kind="choice", instruction="Pick.", reasoning="answer_first")
LAST = Template(kind="choice", reasoning="answer_last")
WARM = Example("Which is warm?", "fire", choices=("ice", "fire"), source="a:1")
COLD = Example("Which is cold?", "ice", choices=("ice", "fire"))


class Scripted:
    """Gives the next reply for a question each time it is asked; remembers what it was asked."""

    id = "scripted@1"

    def __init__(self, replies: dict[str, list[str | Reply]]) -> None:
        self.replies = {key: list(texts) for key, texts in replies.items()}
        self.rounds: list[tuple[float, int, int]] = []

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        self.rounds.append((temperature, seed, len(conversations)))
        found = []
        for turns in conversations:
            texts = next(texts for key, texts in self.replies.items() if key in turns[-1].content)
            reply = texts.pop(0)
            found.append(
                reply if isinstance(reply, Reply) else Reply(reply, prompt_tokens=5, completion_tokens=2)
            )
        return found


def test_rows_get_reasoning_and_say_who_wrote_it() -> None:
    writer = Scripted({"warm": ["B\nFire gives off heat."], "cold": ["A\nIce is frozen."]})
    found = write_reasoning([WARM, COLD], writer, template=CHOICE)
    assert [row.reasoning for row in found.rows] == ["Fire gives off heat.", "Ice is frozen."]
    assert [row.source for row in found.rows] == ["a:1; reasoning by scripted@1", "reasoning by scripted@1"]
    assert (found.written, found.flagged, found.tokens) == ((0, 1), (), 14)
    assert CHOICE.target(found.rows[0]).text == "B\nFire gives off heat."


def test_a_wrong_answer_is_asked_again_and_others_are_not() -> None:
    writer = Scripted({"warm": ["A\nIce it is.", "B\nFire is hot."], "cold": ["A\nIce is frozen."]})
    found = write_reasoning([WARM, COLD], writer, template=CHOICE, seed=3)
    assert found.written == (0, 1)
    assert found.rows[0].reasoning == "Fire is hot."
    assert writer.rounds == [(0.0, 3, 2), (0.7, 4, 1)]


def test_a_row_that_nobody_can_explain_stays_as_it_was_and_is_listed() -> None:
    writer = Scripted({"warm": ["A\nIce.", "both of them", "B"]})
    found = write_reasoning([WARM], writer, template=CHOICE, attempts=3)
    assert found.rows == (WARM,)
    assert found.flagged == ((0, "after 3 attempts: the reply has an answer and no reasoning"),)
    assert found.to_json()["written"] == 0


def test_rows_with_reasoning_or_without_an_answer_are_not_asked_about() -> None:
    rows = (Example("x", "y", reasoning="old"), Example("z", ""), Example("p", "a\nb"))
    found = write_reasoning(rows, Scripted({}), template=CHOICE)
    assert (found.rows, found.written) == (rows, ())
    assert found.flagged == ((1, "the row has no answer"), (2, "the answer has several lines"))


def test_no_rows() -> None:
    assert write_reasoning([], Scripted({}), template=CHOICE).rows == ()


def test_reasoning_first_ends_with_the_answer_line() -> None:
    row, reply = WARM, Reply("Fire gives off heat.\nAnswer: B")
    assert accepted(row, reply, LAST) == ("Fire gives off heat.", "")
    assert LAST.target(Example("q", "fire", ("ice", "fire"), "Fire gives off heat.")).text == reply.text
    assert accepted(row, Reply("Fire gives off heat."), LAST)[0] == ""
    assert accepted(row, Reply("So.\nAnswer:\nB"), LAST) == ("", "the reply has an answer and no reasoning")
    assert (
        accepted(row, Reply("So.\nAnswer:\nAnswer: B"), LAST)[1]
        == "the reasoning holds an answer line of its own"
    )
    assert accepted(row, Reply("Answer: B"), LAST) == ("", "the reply has an answer and no reasoning")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("B\nand so", finish_reason="length"), "the reply was cut off"),
        (Reply("", finish_reason="error"), "no reply came back"),
        (Reply(""), "the reply states None"),
        (Reply("B or A\nwho knows"), "the reply states 'B or A'"),
    ],
)
def test_replies_that_do_not_count(reply: Reply, reason: str) -> None:
    text, found = accepted(WARM, reply, CHOICE)
    assert text == ""
    assert found.startswith(reason)


def test_labels_and_free_answers_are_read_as_the_task_reads_them() -> None:
    mood = Template(kind="classification", labels=("joy", "anger"), reasoning="answer_first")
    assert accepted(Example("Yay", "joy"), Reply("Joy.\nIt cheers."), mood)[0] == "It cheers."
    assert accepted(Example("Yay", "joy"), Reply("anger\nIt cheers."), mood)[0] == ""
    free = Template(reasoning="answer_first")
    assert accepted(Example("2 + 2?", "4"), Reply("4.\nTwo and two."), free)[0] == "Two and two."


def test_the_prompt_has_the_question_and_the_answer_and_no_more_of_the_row() -> None:
    turns = rationale_prompt(WARM, CHOICE)
    assert [turn.role for turn in turns] == ["system", "user"]
    for part in ("Pick.", "Which is warm?", "A. ice", "B. fire", "Right answer: B (fire)", "first line"):
        assert part in turns[1].content
    assert "a:1" not in turns[1].content
    assert "Answer: <answer>" in rationale_prompt(WARM, LAST)[1].content


@given(st.text(max_size=40), st.sampled_from([CHOICE, LAST]))
def test_whatever_comes_back_an_accepted_text_keeps_the_answer(text: str, template: Template) -> None:
    reasoning, reason = accepted(WARM, Reply(f"B\n{text}\nAnswer: B"), template)
    assert bool(reasoning) != bool(reason)
    if reasoning:
        row = Example(WARM.prompt, WARM.answer, WARM.choices, reasoning)
        assert template.answer_in(template.target(row).text) == "B"


@pytest.mark.parametrize(("template", "attempts"), [(Template(kind="choice"), 3), (CHOICE, 0)])
def test_what_makes_no_sense_is_refused(template: Template, attempts: int) -> None:
    with pytest.raises(DataError):
        write_reasoning([WARM], Scripted({}), template=template, attempts=attempts)
