import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from kshot.data.example import Message
from kshot.errors import DataError, InputError
from kshot.models.asking import Question, replies
from kshot.models.endpoint import json_check
from kshot.models.endpoint.structured import found_wrong
from kshot.models.fake import ScriptedModel

RULES = {
    "type": "object",
    "properties": {
        "rules": {"type": "array", "items": {"type": "string", "minLength": 2}, "minItems": 1, "maxItems": 2},
        "sure": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "kind": {"enum": ["add", "edit"]},
    },
    "required": ["rules"],
    "additionalProperties": False,
}


class Rule(BaseModel):
    text: str
    support: int = Field(ge=1)


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        ('{"rules": ["ab"]}', ""),
        ('{"rules": ["ab"], "sure": 1, "kind": "edit"}', ""),
        ('{"rules": ["ab"], "sure": null}', ""),
        ('```json\n{"rules": ["ab"]}\n```', ""),
        ("Sure! Here it is", "the reply is no JSON"),
        ('Here: {"rules": ["ab"]}', "the reply is no JSON"),
        ("", "the reply is no JSON"),
        ("[" * 100_000, "the reply is no JSON"),
        ("[1]", "reply: expected object, found array"),
        ("{}", "reply: field 'rules' is missing"),
        ('{"rules": []}', "reply.rules: 0 is below minItems 1"),
        ('{"rules": ["ab", "cd", "ef"]}', "reply.rules: 3 is above maxItems 2"),
        ('{"rules": ["ab", 3]}', "reply.rules[1]: expected string, found integer"),
        ('{"rules": ["a"]}', "reply.rules[0]: 1 is below minLength 2"),
        ('{"rules": ["ab"], "sure": true}', "reply.sure: expected number or null, found boolean"),
        ('{"rules": ["ab"], "sure": 1.5}', "reply.sure: 1.5 is above maximum 1"),
        ('{"rules": ["ab"], "kind": "drop"}', 'reply.kind: expected one of ["add", "edit"]'),
        ('{"rules": ["ab"], "more": 1}', "reply: field 'more' was not asked for"),
    ],
)
def test_what_is_wrong_with_a_reply(reply: str, wrong: str) -> None:
    told = json_check(RULES).check(reply)
    assert told.startswith(wrong)
    assert bool(told) is bool(wrong)


def test_a_pydantic_model_is_a_shape_too() -> None:
    rule = json_check(Rule, name="rule")
    assert rule.read('{"text": "a", "support": 2}') == Rule(text="a", support=2)
    assert rule.check('{"text": "a", "support": 0}').startswith("reply.support: ")
    with pytest.raises(DataError, match=r"reply\.text: Field required"):
        rule.read('{"support": 1}')
    assert rule.response_format["json_schema"]["name"] == "rule"
    json.dumps(rule.response_format)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "patternProperties": {}},
        {"type": "objekt"},
        {"properties": {"a": {"$ref": "#/x"}}},
        {"items": {"format": "date"}},
        {"anyOf": [{"not": {}}]},
    ],
)
def test_words_that_would_not_be_checked_are_refused(schema: dict) -> None:
    with pytest.raises(InputError, match="is not checked here"):
        json_check(schema)


def test_alternatives_and_constants() -> None:
    schema = {"anyOf": [{"const": 1}, {"type": "string"}]}
    assert [bool(found_wrong(value, schema)) for value in (1, "a", 2)] == [False, False, True]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(VALUES)
def test_any_value_fits_the_empty_schema_and_is_read_back(value: object) -> None:
    assert json_check({}).read(json.dumps(value)) == value


def test_a_wrong_reply_is_asked_for_once_more_and_then_fails() -> None:
    rules = json_check(RULES)
    conversation = (Message("user", "rules?"),)
    asked = Question(conversation, response_format=rules.response_format, check=rules.check)
    mended = ScriptedModel(["no JSON", '{"rules": ["ab"]}'])
    assert [reply.text for reply in replies(mended, [asked])] == ['{"rules": ["ab"]}']
    [failed] = replies(ScriptedModel(["no JSON", "{}"]), [asked])
    assert failed.finish_reason == "error"
    assert failed.error.startswith("unusable twice: reply: field 'rules' is missing")
