"""Replies that are to be JSON of a given shape: what is asked of the endpoint, and what is checked here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from kshot.errors import DataError, InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

Shape: TypeAlias = "Mapping[str, Any] | type[BaseModel]"
FENCE = re.compile(r"\A```[A-Za-z]*\s*\n(.*)\n\s*```\Z", re.DOTALL)
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
SIZES = ("minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum")
SHAPES = ("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf")
WORDS = frozenset((*SIZES, *SHAPES, "title", "description", "default", "examples", "$schema"))


@dataclass(frozen=True, slots=True)
class JsonCheck:
    """A shape that replies must have.

    Attributes:
        shape: A JSON schema, or a pydantic model.
        response_format: For ``Question.response_format``.
    """

    shape: Shape
    response_format: Mapping[str, Any]

    def check(self, text: str) -> str:
        """For ``Question.check``: what is wrong with a reply, in words for the model; empty: nothing."""
        try:
            self.read(text)
        except DataError as error:
            return f"{error}. Reply again with the JSON alone, of the shape that was asked for."
        return ""

    def read(self, text: str) -> Any:
        """The reply's value: plain JSON values, or an object of the pydantic model.

        A code fence around the JSON is taken off; nothing else is repaired.

        Raises:
            DataError: It is no JSON, or of another shape.
        """
        stripped = text.strip()
        fenced = FENCE.match(stripped)
        try:
            value = json.loads(fenced[1] if fenced else stripped)
        except (ValueError, RecursionError) as error:
            raise DataError(f"the reply is no JSON ({error})") from None
        if not isinstance(self.shape, Mapping):
            return _validated(self.shape, value)
        wrong = found_wrong(value, self.shape)
        if wrong:
            raise DataError(wrong)
        return value


def json_check(shape: Shape, *, name: str = "reply") -> JsonCheck:
    """How a JSON reply is asked for and checked.

    Args:
        shape: A pydantic model, or a JSON schema of the usual words (``$ref`` is not among them).
        name: What the endpoint is told that it is called.

    Raises:
        InputError: A word of the schema that is not checked here.

    >>> rule = json_check({"type": "object", "required": ["rule"]})
    >>> rule.check('{"rule": "Look at the verb."}'), rule.check('{"rules": 1}')[:30]
    ('', "reply: field 'rule' is missing")
    """
    if isinstance(shape, Mapping):
        _known(shape, "schema")
        schema: Mapping[str, Any] = shape
    else:
        schema = shape.model_json_schema()
    return JsonCheck(shape, {"type": "json_schema", "json_schema": {"name": name, "schema": dict(schema)}})


def found_wrong(value: Any, schema: Mapping[str, Any], where: str = "reply") -> str:
    """The first thing that does not fit the schema; empty where all fits.

    >>> found_wrong([1, "a"], {"type": "array", "items": {"type": "integer"}})
    'reply[1]: expected integer, found string'
    """
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is_kind(value, kind) for kind in kinds):
        return f"{where}: expected {' or '.join(kinds)}, found {_kind(value)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where}: expected one of {json.dumps(schema['enum'])}"
    if "const" in schema and value != schema["const"]:
        return f"{where}: expected {json.dumps(schema['const'])}"
    if "anyOf" in schema and all(found_wrong(value, one, where) for one in schema["anyOf"]):
        return f"{where}: fits none of the allowed shapes"
    if isinstance(value, dict):
        return _object_wrong(value, schema, where)
    if isinstance(value, list):
        items = schema.get("items")
        inner = (found_wrong(v, items, f"{where}[{i}]") for i, v in enumerate(value)) if items else iter(())
        return _size_wrong(len(value), schema, "Items", where) or next(filter(None, inner), "")
    if isinstance(value, str):
        return _size_wrong(len(value), schema, "Length", where)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _size_wrong(value, schema, "imum", where)
    return ""


def _object_wrong(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> str:
    for name in schema.get("required", ()):
        if name not in value:
            return f"{where}: field {name!r} is missing"
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, item in value.items():
        if name not in known and others is False:
            return f"{where}: field {name!r} was not asked for"
        rule = known.get(name, others if isinstance(others, Mapping) else {})
        wrong = found_wrong(item, rule, f"{where}.{name}")
        if wrong:
            return wrong
    return ""


def _size_wrong(size: float, schema: Mapping[str, Any], word: str, where: str) -> str:
    low, high = schema.get(f"min{word}"), schema.get(f"max{word}")
    if low is not None and size < low:
        return f"{where}: {size} is below min{word} {low}"
    if high is not None and size > high:
        return f"{where}: {size} is above max{word} {high}"
    return ""


def _is_kind(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, KINDS[kind]) or (
        kind == "integer" and isinstance(value, float) and value % 1 == 0
    )


def _kind(value: Any) -> str:
    return next(kind for kind in ("boolean", *KINDS) if _is_kind(value, kind))


def _known(schema: Mapping[str, Any], where: str) -> None:
    """Refuses what would not be checked."""
    unknown = sorted(set(schema) - WORDS)
    kinds = schema.get("type", [])
    unknown += [repr(kind) for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind not in KINDS]
    if unknown:
        raise InputError(f"{where}: {unknown[0]} is not checked here; use {', '.join(sorted(WORDS))}")
    for name, inner in schema.get("properties", {}).items():
        _known(inner, f"{where}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), Mapping):
            _known(schema[word], f"{where}.{word}")
    for inner in schema.get("anyOf", ()):
        _known(inner, f"{where}.anyOf")


def _validated(model: type[BaseModel], value: Any) -> BaseModel:
    from pydantic import ValidationError

    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in ("reply", *first["loc"]))
        raise DataError(f"{place}: {first['msg']}") from None
