"""Template: the words around a row, where the answer stands in a target, and how it is read from a reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Example, Message
from kshot.data.template import ReasoningOrder, Template, plain_text

ROW = Example("France", "Paris", reasoning="It is on the Seine.")
CHOICE = Example("Capital of France?", "Paris", choices=("Rome", "Paris"))


def turns(template: Template, row: Example, shots: tuple[Example, ...] = ()) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in template.conversation(row, shots)]


def test_a_conversation_has_instruction_shots_history_and_query_in_that_order() -> None:
    row = Example(
        "and Peru?", "Lima", system="Be brief.", history=(Message("user", "hi"), Message("assistant", "yes"))
    )
    assert turns(Template("Name it."), row, (ROW,)) == [
        ("system", "Be brief.\nName it."),
        ("user", "France"),
        ("assistant", "Paris"),
        ("user", "hi"),
        ("assistant", "yes"),
        ("user", "and Peru?"),
    ]


def test_without_instruction_there_is_no_system_turn() -> None:
    assert turns(Template(), ROW) == [("user", "France")]


def test_labels_and_letters_are_said() -> None:
    assert "warm, cold" in turns(Template("?", "classification", ("warm", "cold")), ROW)[0][1]
    assert turns(Template(kind="choice"), CHOICE)[1] == ("user", "Capital of France?\nA. Rome\nB. Paris")
    assert Template(kind="choice").target(CHOICE).text == "B"


@pytest.mark.parametrize("order", ["none", "answer_first", "answer_last"])
@given(answer=st.text(min_size=1, max_size=20), reasoning=st.text(min_size=1, max_size=20))
def test_spans_hold_answer_and_reasoning(order: ReasoningOrder, answer: str, reasoning: str) -> None:
    target = Template(reasoning=order).target(Example("p", answer, reasoning=reasoning))
    assert target.text[slice(*target.answer)] == answer
    if order == "none":
        assert target.text == answer
        assert target.reasoning is None
    else:
        assert target.reasoning is not None
        assert target.text[slice(*target.reasoning)] == reasoning


@pytest.mark.parametrize(
    ("order", "reply", "multiline", "answer"),
    [
        ("none", "Paris\nand more", False, "Paris"),
        ("none", "\n  Paris ", False, "Paris"),
        ("none", "def f():\n  return 1\n", True, "def f():\n  return 1"),
        ("none", " \n ", False, None),
        ("none", "", True, None),
        ("answer_first", "Paris\nsince it is", False, "Paris"),
        ("answer_last", "It is on the Seine.\nAnswer: Paris", False, "Paris"),
        ("answer_last", "Answer: Rome\nno\n**Answer:** Paris", False, "Paris"),
        ("answer_last", "answer: Rome\nwait\n ANSWER: Paris.\n", False, "Paris."),
        ("answer_last", "It must be Paris", False, None),
        ("answer_last", "Answer:", False, None),
    ],
)
def test_the_answer_in_a_reply(
    order: ReasoningOrder, reply: str, multiline: bool, answer: str | None
) -> None:
    assert Template(reasoning=order).answer_in(reply, multiline=multiline) == answer


@pytest.mark.parametrize("order", ["none", "answer_first", "answer_last"])
def test_the_answer_of_a_target_is_read_back(order: ReasoningOrder) -> None:
    template = Template(reasoning=order)
    assert template.answer_in(template.target(ROW).text) == "Paris"


def test_where_a_reply_may_be_cut() -> None:
    assert Template().stop([ROW]) == ("\n",)
    assert Template().stop([ROW, Example("p", "two\nlines")]) == ()
    assert Template(reasoning="answer_last").stop([ROW]) == ()


def test_plain_text_parts_turns() -> None:
    text = plain_text(Template("Name it.").conversation(Example("Peru", "Lima"), (ROW,)))
    assert text == "Name it.\n\nFrance\nParis\n\nPeru\n"
