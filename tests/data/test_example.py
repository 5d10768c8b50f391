"""Example: identity, questions, choices, and the way to JSON and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Example, Message, normalised
from kshot.errors import DataError

TEXTS = st.text(min_size=1, max_size=20).filter(str.strip)


@given(TEXTS, st.text(max_size=20), st.none() | st.text(max_size=20), st.none() | st.text(max_size=20))
def test_there_and_back(prompt: str, answer: str, reasoning: str | None, system: str | None) -> None:
    history = (Message("user", "hi"), Message("assistant", "yes?"))
    example = Example(prompt, answer, reasoning=reasoning, source="a:1", system=system, history=history)
    assert Example.from_row(example.to_row()) == example


def test_the_id_is_of_all_content_but_the_source() -> None:
    one = Example("p", "a")
    assert one.id == Example("p", "a", source="elsewhere").id
    others = [
        Example("p ", "a"), Example("p", "b"), Example("p", "a", reasoning="r"),
        Example("p", "a", system="s"),
        Example("p", "a", history=(Message("user", "h"),)), Example("p", "a", tests="t"),
        Example("p", "a", choices=("a", "b")), Example("p", "a", choices=("b", "a")),
    ]  # fmt: skip
    assert len({example.id for example in [one, *others]}) == 1 + len(others)


def test_equal_questions_ask_the_same_in_other_clothes() -> None:
    assert Example("What\n is  IT?", "x").question == Example(" what is it? ", "y").question
    assert Example("p", "x").question != Example("p", "x", system="s").question
    assert Example("p", "a", choices=("a", "b")).question != Example("p", "a", choices=("a", "c")).question


def test_letters() -> None:
    assert Example("p", "b", choices=("a", "b", "c")).letter == "B"
    for example in (Example("p", "b"), Example("p", "", choices=("a", "b"))):
        with pytest.raises(DataError, match="letter"):
            _ = example.letter


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"prompt": 7}, "'prompt' is int"),
        ({"prompt": " \n"}, "'prompt' is empty"),
        ({"answer": None}, "'answer' is NoneType"),
        ({"choices": "ab"}, "no list of texts"),
        ({"choices": ("a", 2)}, "no list of texts"),
        ({"choices": ("a",)}, "1 entries"),
        ({"choices": ("a", "a")}, "twice"),
        ({"choices": ("b", "c")}, "none of the choices"),
        ({"reasoning": 1}, "'reasoning' is int"),
    ],
)
def test_what_is_no_example(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        Example(**({"prompt": "p", "answer": "a"} | arguments))  # type: ignore[arg-type]


def test_roles() -> None:
    with pytest.raises(DataError, match="'robot' is none of system, user, assistant"):
        Message("robot", "beep")  # type: ignore[arg-type]


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalised(text)
    assert once == " ".join(once.split())
    assert normalised(" " + text + "\n") == once
