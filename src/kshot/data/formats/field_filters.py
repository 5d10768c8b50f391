"""What is done with a column's value before it stands in a text: lists joined, marks of choices taken off."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from kshot.data.example import LETTERS
from kshot.errors import DataError

Value: TypeAlias = str | list[str]
_MARK = re.compile(r"\s*[(\[]?\s*([A-Za-z])\s*[).\]:]\s*")
_INNER_MARK = re.compile(r"(?:^|,)\s*([A-Za-z])\s*\)\s*")


def _list(value: Value, path: str) -> list[str]:
    if isinstance(value, list):
        return value
    raise DataError(f"column {path!r} is text where a filter expects a list")


def _letters(value: Value, path: str) -> str:
    entries = _list(value, path)
    if len(entries) > len(LETTERS):
        raise DataError(f"column {path!r} has {len(entries)} entries, expected {len(LETTERS)} at most")
    return "\n".join(f"{letter}. {entry}" for letter, entry in zip(LETTERS, entries, strict=False))


def _first(value: Value, path: str) -> str:
    entries = _list(value, path)
    if not entries:
        raise DataError(f"column {path!r} is an empty list, expected at least one entry")
    return entries[0]


def _options(value: Value, path: str) -> list[str]:
    """Marks must be A, B, C in this order, so that no text that only looks like one is cut."""
    if isinstance(value, list):
        marks = [_MARK.match(entry) for entry in value]
        found = [entry[mark.end() :] if mark else "" for entry, mark in zip(value, marks, strict=True)]
        letters = [mark[1] if mark else "" for mark in marks]
    else:
        spans = list(_INNER_MARK.finditer(value))
        ends = [*(span.start() for span in spans[1:]), len(value)]
        found = [value[span.end() : end].strip() for span, end in zip(spans, ends, strict=False)]
        letters = [span[1] for span in spans]
    if not letters or [letter.upper() for letter in letters] != list(LETTERS[: len(letters)]):
        raise DataError(f"column {path!r} holds no choices marked a, b, c in order")
    return found


def _strip(value: Value, _path: str) -> Value:
    return [entry.strip() for entry in value] if isinstance(value, list) else value.strip()


FILTERS: dict[str, Callable[[Value, str], Value]] = {
    "lines": lambda value, path: "\n".join(_list(value, path)),
    "words": lambda value, path: " ".join(_list(value, path)),
    "comma": lambda value, path: ", ".join(_list(value, path)),
    "letters": _letters,
    "first": _first,
    "options": _options,
    "strip": _strip,
}
