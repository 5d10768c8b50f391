"""JSON edited in place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.serve.spans import items, members, parsed, replaced

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 0, 1, 3]), st.booleans())
def test_every_span_is_the_text_of_its_value(value: Any, indent: int | None, escaped: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=escaped)
    whole = parsed(f"\n {text}\t")
    assert whole.value == value
    text = f"\n {text}\t"
    if isinstance(value, dict):
        spans = members(text, whole)
        assert {name: json.loads(text[s.start : s.end]) for name, s in spans.items()} == value
    if isinstance(value, list):
        assert [json.loads(text[s.start : s.end]) for s in items(text, whole)] == value


def test_only_the_edited_value_changes() -> None:
    text = '{ "a" : 1.50, "b":[ "x" ,"y"], "c":1e400000 }'
    second = items(text, members(text, parsed(text))["b"])[1]
    assert replaced(text, [(second.start, second.end, '"z"')]) == text.replace('"y"', '"z"')


@pytest.mark.parametrize("text", ["", "{", "[1] 2", '{"a": NaN}', "[Infinity]", "[" * 200_000, "{'a': 1}"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)


def test_a_name_that_stands_twice_is_refused() -> None:
    text = '{"a": 1, "a": 2}'
    with pytest.raises(ValueError, match="'a' stands twice"):
        members(text, parsed(text))
