"""Columns of datasets as examples: three kinds of rows, and what is refused."""

import pytest

from kshot.data.example import Example, Message
from kshot.data.formats.dataset_columns import RowMapping
from kshot.errors import DataError

CHOICE = {"input": "{q}", "choices": "{options}", "answer": "{a}"}
OPTIONS = {"q": "Which is warm?", "options": ["ice", "fire"]}


def test_an_instruction_row() -> None:
    mapping = RowMapping.of({"instruction": "Translate.", "input": "{text?}", "output": "{meaning}"})
    row = mapping.example({"text": "kel", "meaning": "stone"}, source="x:1")
    assert row == Example("Translate.\nkel", "stone", source="x:1")
    assert mapping.example({"meaning": "stone"}).prompt == "Translate."


@pytest.mark.parametrize("answer", ["B", "b", " B "])
def test_a_choice_row_by_letter(answer: str) -> None:
    row = RowMapping.of(CHOICE).example(OPTIONS | {"a": answer})
    assert (row.prompt, row.choices, row.answer) == ("Which is warm?", ("ice", "fire"), "fire")


@pytest.mark.parametrize(("first", "answer"), [(0, 1), (0, "1"), (1, 2), (1, "2")])
def test_a_choice_row_by_position(first: int, answer: object) -> None:
    mapping = RowMapping.of(CHOICE, answer_is="position", counted_from=first)
    assert mapping.example(OPTIONS | {"a": answer}).answer == "fire"


def test_a_choice_row_by_its_own_labels_and_by_text() -> None:
    own = {
        "question": "Which is warm?",
        "choices": {"text": ["ice", "fire"], "label": ["1", "2"]},
        "key": "2",
    }
    columns = {
        "input": "{question}",
        "choices": "{choices.text}",
        "labels": "{choices.label}",
        "answer": "{key}",
    }
    assert RowMapping.of(columns, answer_is="label").example(own).letter == "B"
    own["choices"] = {"text": ["ice", "fire"], "label": ["1", "2", "3"]}
    with pytest.raises(DataError, match="'2' names none of the 2 choices by label"):
        RowMapping.of(columns, answer_is="label").example(own)
    assert RowMapping.of(CHOICE, answer_is="text").example(OPTIONS | {"a": "ice"}).letter == "A"


def test_choices_from_columns_of_their_own_with_reasoning_and_system() -> None:
    columns = {
        "instruction": "Fill in.", "input": "{s}", "choices": ["{o1}", "{o2}"], "answer": "{a}",
        "reasoning": "{why}", "system": "Be brief.",
    }  # fmt: skip
    mapping = RowMapping.of(columns, answer_is="position", counted_from=1)
    row = mapping.example({"s": "It is _.", "o1": "hot", "o2": "cold", "a": "1", "why": "Fire is hot."})
    assert row == Example("Fill in.\nIt is _.", "hot", ("hot", "cold"), "Fire is hot.", system="Be brief.")


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
        [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}],
        ["Hi", "Ho"],
    ],
)
def test_a_conversation(turns: list[object]) -> None:
    mapping = RowMapping.of({"turns": "{conversations}"})
    assert mapping.example({"conversations": turns}) == Example("Hi", "Ho")
    longer = mapping.example({"conversations": [*turns, *turns]})
    assert longer.history == (Message("user", "Hi"), Message("assistant", "Ho"))


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        (
            CHOICE,
            OPTIONS | {"a": "C"},
            "the answer 'C' names none of the 2 choices by letter; expected one of A, B",
        ),
        (CHOICE, OPTIONS | {"a": ""}, "names none of the 2 choices"),
        (CHOICE, OPTIONS | {"a": "AB"}, "names none of the 2 choices"),
        (CHOICE, {"q": "x", "options": ["same", "same"], "a": "A"}, "names the same choice twice"),
        ({"input": "{q}", "output": "{a}"}, {"q": "x", "a": " "}, "the output is empty"),
        ({"input": "{q}", "output": "{a}"}, {"q": " ", "a": "x"}, "field 'prompt' is empty"),
        ({"turns": "{t}"}, {"t": ["Hi"]}, "does not end with an assistant turn"),
        ({"turns": "{t}"}, {"t": "Hi"}, "field 't' is text, expected a list of turns"),
        ({"turns": "{t}"}, {"t": []}, "does not end with an assistant turn"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(columns: dict, row: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        RowMapping.of(columns).example(row)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"inptu": "{q}", "output": "{a}"}, {}, "'inptu' is no part of a row; did you mean 'input'"),
        ({"input": "{q}"}, {}, "expected one of output, choices, turns; found none of them"),
        ({"output": "{a}"}, {}, "neither instruction nor input is given"),
        (CHOICE | {"output": "{a}"}, {}, "found output and choices"),
        ({"turns": "{t}", "input": "{q}"}, {}, "leave instruction and input out"),
        ({"input": "{q}", "output": "{a}", "answer": "{b}"}, {}, "answer and choices go together"),
        ({"input": "{q}", "choices": "{c}"}, {}, "answer and choices go together"),
        (CHOICE, {"answer_is": "label"}, "labels and answer_is: label go together"),
        (CHOICE, {"answer_is": "number"}, "answer_is is 'number', expected one of letter"),
        ({"input": ["{q}", "{r}"], "output": "{a}"}, {}, "'input' is a list; only choices can be one"),
    ],
)
def test_a_mapping_that_is_wrong_is_refused(columns: dict, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        RowMapping.of(columns, **options)
