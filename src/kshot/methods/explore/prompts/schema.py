"""The JSON shapes that replies are asked for in, as an endpoint is told them."""

from __future__ import annotations

from typing import Any

from kshot.models.endpoint.structured import json_check


def _object(**fields: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


_TEXT: dict[str, Any] = {"type": "string"}
_ITEM = _object(instruction=_TEXT, input=_TEXT, output=_TEXT)
_SUBTASK = _object(name=_TEXT, reason=_TEXT, examples={"type": "array", "items": _ITEM})

NAMES_FORMAT = json_check(
    _object(subtasks={"type": "array", "items": _SUBTASK}, complete={"type": "boolean"}), name="subtasks"
).response_format
ROWS_FORMAT = json_check(_object(rows={"type": "array", "items": _ITEM}), name="rows").response_format
RELEVANCE_FORMAT = json_check(
    _object(relevant={"type": "array", "items": {"type": "boolean"}}), name="relevance"
).response_format
