"""Changing one value inside a JSON text and leaving every other byte of it as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

_BLANK = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Span:
    """A value and where it stands: ``text[start:end]``."""

    value: Any
    start: int
    end: int


def parsed(text: str) -> Span:
    """The whole value of a JSON text.

    Raises:
        ValueError: It is no JSON, or is nested too deep. NaN and Infinity are no JSON.
    """
    start = _skip(text, 0)
    found = _value(text, start)
    if _skip(text, found.end) != len(text):
        raise ValueError("text follows the JSON value")
    return found


def members(text: str, of: Span) -> dict[str, Span]:
    """The members of an object.

    Raises:
        ValueError: A name stands there twice: programs differ in which value they take.

    >>> text = '{"a": [1, 2], "b": "x"}'
    >>> [(name, text[span.start:span.end]) for name, span in members(text, parsed(text)).items()]
    [('a', '[1, 2]'), ('b', '"x"')]
    """
    found: dict[str, Span] = {}
    at = _skip(text, of.start + 1)
    while text[at] != "}":
        name = _value(text, at)
        value = _value(text, _skip(text, _skip(text, name.end) + 1))
        if name.value in found:
            raise ValueError(f"the name {name.value[:40]!r} stands twice in one object")
        found[name.value] = value
        at = _after(text, value.end)
    return found


def items(text: str, of: Span) -> list[Span]:
    """The items of an array.

    >>> text = ' [1, {"a": 2}]'
    >>> [item.value for item in items(text, parsed(text))]
    [1, {'a': 2}]
    """
    found = []
    at = _skip(text, of.start + 1)
    while text[at] != "]":
        found.append(_value(text, at))
        at = _after(text, found[-1].end)
    return found


def replaced(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The text with ``text[start:end]`` replaced by new text, for edits that do not overlap.

    >>> replaced("abcd", [(1, 2, "XX"), (4, 4, "!")])
    'aXXcd!'
    """
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _value(text: str, at: int) -> Span:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None
    return Span(value, at, end)


def _after(text: str, at: int) -> int:
    """Where the next member begins, or the closing bracket stands; the text is known to be valid."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
