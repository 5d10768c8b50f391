"""Single fields of a row: texts as they are, whole numbers where an answer may be one, nothing else."""

from __future__ import annotations

from typing import Any

from kshot.errors import DataError


def text(value: Any, key: str) -> str:
    """A field that must be a text.

    Raises:
        DataError: It is anything else.
    """
    if isinstance(value, str):
        return value
    raise DataError(f"field {key!r} is {kind(value)}, expected text")


def answer_text(value: Any, key: str) -> str:
    """A field that may be a whole number, too; nothing becomes the empty text.

    >>> answer_text(42, "answer")
    '42'

    Raises:
        DataError: It is a fraction (whose text is not exact), true or false, a list or an object.
    """
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    if isinstance(value, float | bool):
        raise DataError(f"field {key!r} is {kind(value)}, expected text or a whole number; put it in quotes")
    return text(value, key)


def kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, float):
        return f"a number with a fraction ({value})"
    words = {
        str: "text",
        bool: "true or false",
        type(None): "null",
        list: "a list",
        dict: "an object",
        int: "a number",
    }
    return words.get(type(value), type(value).__name__)
