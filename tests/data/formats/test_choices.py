"""Which choice an answer names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import LETTERS
from kshot.data.formats.choices import choice_columns, read_choices, right_choice
from kshot.errors import DataError

CITIES = ("Rome", "Paris", "Lima", "Oslo")


@pytest.mark.parametrize(
    ("value", "key", "labels", "expected"),
    [
        ("C", "answer", None, "Lima"),
        ("c", "answer", None, "Lima"),
        ("Lima", "answer", None, "Lima"),
        (2, "answer", None, "Lima"),
        ("2", "label", None, "Lima"),
        ("3", "answerKey", None, "Lima"),
        (3, "answerKey", None, "Lima"),
        ("3", "answerKey", ("1", "2", "3", "4"), "Lima"),
        (3, "answer", ("1", "2", "3", "4"), "Lima"),
        ("", "answer", None, ""),
        (None, "answer", None, ""),
    ],
)
def test_an_answer_is_a_label_a_text_a_letter_or_a_position(
    value: object, key: str, labels: tuple[str, ...] | None, expected: str
) -> None:
    assert right_choice(value, key, choices=CITIES, labels=labels, own=False) == expected


@pytest.mark.parametrize("value", ["E", "e", 4, -1, "4", "Berlin", "lima", "CC"])
def test_an_answer_that_names_no_choice(value: object) -> None:
    with pytest.raises(DataError, match="names none of the 4 choices; expected one of A, B, C, D"):
        right_choice(value, "answer", choices=CITIES, labels=None, own=False)


@pytest.mark.parametrize("value", [True, 1.0, ["Rome"], {"text": "Rome"}])
def test_an_answer_of_the_wrong_type(value: object) -> None:
    with pytest.raises(DataError, match=r"field 'answer' is .*, expected text"):
        right_choice(value, "answer", choices=CITIES, labels=None, own=False)


def test_two_readings_of_one_answer_are_refused() -> None:
    with pytest.raises(DataError, match="may be the choice 'A' or 'B'"):
        right_choice("A", "answer", choices=("B", "A"), labels=None, own=False)
    with pytest.raises(DataError, match="may be the choice '2' or '3'"):
        right_choice("2", "answer", choices=("1", "2", "3"), labels=None, own=False)
    assert right_choice("A", "answer", choices=("B", "A"), labels=None, own=True) == "A"
    assert right_choice("0", "answer", choices=("0", "1", "2"), labels=None, own=False) == "0"  # both agree


def test_a_number_is_a_position_even_among_numbers() -> None:
    assert right_choice(2, "answer", choices=("1", "2", "3"), labels=None, own=False) == "3"


@given(st.integers(2, 26), st.data())
def test_letter_and_position_name_the_same_choice(count: int, data: st.DataObject) -> None:
    choices = [f"choice {index}" for index in range(count)]
    index = data.draw(st.integers(0, count - 1))
    for value, key in (
        (LETTERS[index], "answer"),
        (index, "answer"),
        (index + 1, "answerKey"),
        (choices[index], "label"),
    ):
        assert right_choice(value, key, choices=choices, labels=None, own=False) == choices[index]


def test_choice_columns() -> None:
    assert choice_columns(["A", "B", "C", "question", "answer"]) == ("A", "B", "C")
    assert choice_columns(["option_A", "option_B", "option_D"]) == ("option_A", "option_B")
    assert choice_columns(["A", "question"]) == ()
    assert choice_columns(["a", "b", "c"]) == ()


def test_choices_with_gaps_and_of_other_types() -> None:
    columns = ("A", "B", "C")
    assert read_choices({"A": "x", "B": "y", "C": None}, "choices", columns=columns)[0] == ("x", "y")
    with pytest.raises(DataError, match="'B' is empty, but a later choice is not"):
        read_choices({"A": "x", "B": "", "C": "z"}, "choices", columns=columns)
    with pytest.raises(DataError, match="'choices' is text, expected a list"):
        read_choices({"choices": "x, y"}, "choices")
    assert read_choices({"choices": [1, 2]}, "choices") == (("1", "2"), None)
    assert read_choices({"choices": {"A": "x", "B": "y"}}, "choices") == (("x", "y"), ("A", "B"))


def test_choices_need_a_label_each() -> None:
    for choices in (
        [{"text": "x", "label": "A"}, {"text": "y", "label": "A"}],
        [{"text": "x"}, {"text": "y"}],
    ):
        with pytest.raises(DataError, match=r"two choices with the label"):
            read_choices({"choices": choices}, "choices")
    with pytest.raises(DataError, match=r"2 texts and 1 labels"):
        read_choices({"choices": {"text": ["x", "y"], "label": ["A"]}}, "choices")
