"""Templates of columns: what they give, what they refuse, and that they are no code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.formats.field_template import FieldTemplate, raw_value
from kshot.errors import DataError

ROW = {
    "question": "Which is warm?",
    "choices": {"text": ["ice", "fire"], "label": ["A", "B"]},
    "turns": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
    "right": True,
    "number": 0,
    "nothing": None,
    "topic;": "heat",
    "a.b": "dotted",
    "options": "a ) 3 , b ) rs . 4 , c ) none of these",
    "list": ["A)3", "B) 1,000", "C)none"],
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{question}", "Which is warm?"),
        ("Q: {question}\nA:", "Q: Which is warm?\nA:"),
        ("{choices.text|letters}", "A. ice\nB. fire"),
        ("{choices.text|lines}", "ice\nfire"),
        ("{choices.text | comma}", "ice, fire"),
        ("{choices.text.1} {turns.0.content}", "fire Hi"),
        ("{turns.content|words}", "Hi Ho"),
        ("{turns.content|first}", "Hi"),
        ("{right} {number}", "true 0"),
        ("{nothing?}{absent?}{choices.absent?}.", "."),
        ("{topic;} {a.b}", "heat dotted"),
        ("{{question}} {{}}", "{question} {}"),
        ("{options|options|letters}", "A. 3\nB. rs . 4\nC. none of these"),
        ("{list|options|comma}", "3, 1,000, none"),
        ("", ""),
    ],
)
def test_what_a_template_gives(template: str, text: str) -> None:
    assert FieldTemplate.parse(template).render(ROW) == text


def test_values_get_other_texts_where_the_recipe_names_them() -> None:
    lookups = {"right": {"true": "yes", "false": "no"}}
    assert FieldTemplate.parse("{right}!").render(ROW, lookups) == "yes!"
    with pytest.raises(
        DataError, match=r"column 'right' is 'maybe', which values does not name \(true, false\)"
    ):
        FieldTemplate.parse("{right}").render({"right": "maybe"}, lookups)


def test_a_field_alone_gives_a_list() -> None:
    assert FieldTemplate.parse("{choices.text}").items(ROW) == ("ice", "fire")
    with pytest.raises(DataError, match="is text, expected a list"):
        FieldTemplate.parse("{question}").items(ROW)
    with pytest.raises(DataError, match="gives a text where a list is needed"):
        FieldTemplate.parse("x{choices.text}").items(ROW)
    assert raw_value(FieldTemplate.parse("{turns}"), ROW) == ROW["turns"]
    with pytest.raises(DataError, match="is no single field"):
        raw_value(FieldTemplate.parse("{turns|first}"), ROW)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{qestion}", "column 'qestion' is missing; found question, .*; did you mean 'question'"),
        ("{choices.txt}", "column 'txt' of 'choices.txt' is missing; found text, label; did you mean 'text'"),
        ("{turns.7.content}", "the list has 2 entries, none at position 7"),
        ("{question.text}", "nothing stands below text"),
        ("{nothing}", "column 'nothing' is null, expected text"),
        ("{choices}", "column 'choices' is an object, expected text"),
        ("{choices.text}", "is a list; join it"),
        ("{question|lines}", "is text where a filter expects a list"),
        ("{question|options}", "holds no choices marked a, b, c in order"),
        ("{choices.text|options}", "holds no choices marked"),
    ],
)
def test_a_row_that_does_not_fit_is_named(template: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        FieldTemplate.parse(template).render(ROW)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{question", "has a lone '{'; write {{ for it"),
        ("question}", "has a lone '}'; write }} for it"),
        ("{}", "a field without a column"),
        ("{a..b}", "a field without a column"),
        ("{choices.text|leters}", "there is no filter 'leters'; did you mean 'letters'?; filters: lines,"),
    ],
)
def test_a_template_that_is_wrong_is_refused(template: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        FieldTemplate.parse(template)
    assert message in str(error.value)


@pytest.mark.parametrize("value", [1.5, float("nan"), {"a": 1}, [[1]], b"x"])
def test_only_texts_and_whole_numbers_become_text(value: object) -> None:
    with pytest.raises(DataError, match="expected text"):
        FieldTemplate.parse("{x}").render({"x": value})


@given(st.text())
def test_braces_can_be_written(text: str) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert FieldTemplate.parse(escaped).render({}) == text


@given(st.text(), st.text(alphabet="ab{}!.__class__"))
def test_what_a_column_holds_is_never_read_as_a_template(value: str, other: str) -> None:
    assert FieldTemplate.parse("<{x}>").render({"x": value + other}) == f"<{value}{other}>"


def test_attributes_are_out_of_reach() -> None:
    with pytest.raises(DataError):
        FieldTemplate.parse("{question.__class__}").render(ROW)
