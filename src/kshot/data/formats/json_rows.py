"""JSON Lines and JSON arrays, read strictly: no duplicate keys, no NaN, every fault with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from kshot.data.formats.records import BOM, Fault, Record, Records
from kshot.errors import DataError

_SPACE = " \t\r\n"
_GAP = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _RefusedError(ValueError):
    """Valid for the parser, but nothing that a row may hold."""


def read_lines(path: Path, *, notes: list[str]) -> Records:
    r"""The objects of a JSONL file. Lines end at ``\n`` alone, so a text may hold any other line break."""
    empty = 0
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            text = _decoded(raw.removeprefix(BOM) if line == 1 else raw)
            if text is None:
                yield Fault(line, "the bytes are no UTF-8; save the file as UTF-8")
            elif not text.strip(_SPACE):
                empty += 1
            elif text.strip(_SPACE) == "{":
                hint = "put each row on one line, or all rows into a JSON array"
                raise DataError(
                    f"{path.name}:{line}: an object begins here and goes on over several lines; {hint}"
                )
            else:
                found = parse_row(text)
                cut = isinstance(found, str) and not raw.endswith(b"\n")
                hint = "; the file ends here without a line end and seems to be cut off" if cut else ""
                yield Fault(line, found + hint) if isinstance(found, str) else Record(line, found)
    if empty:
        notes.append(f"{path.name}: {empty} empty {'line' if empty == 1 else 'lines'} skipped")


def parse_row(text: str) -> dict[str, Any] | str:
    """The object that one line holds, or a sentence that says what is wrong with it.

    >>> parse_row('{"prompt": "2 + 2?"}')
    {'prompt': '2 + 2?'}
    >>> parse_row('{"a": 1, "a": 2}')
    "key 'a' stands twice in one object; keep one of them"
    """
    try:
        found = _DECODER.decode(text.strip(_SPACE))
        if _SURROGATE.search(text):
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        return _sentence(error)
    if not isinstance(found, dict):
        return f"found {_kind(found)}, expected one JSON object a line"
    return found


def read_array(path: Path) -> Records:
    """The objects of a JSON array, each with the line on which it begins.

    Raises:
        DataError: The bytes are no UTF-8.
    """
    data = path.read_bytes().removeprefix(BOM)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path.name}:{line}: the bytes are no UTF-8; save the file as UTF-8") from None
    yield from _elements(text)


def _elements(text: str) -> Iterator[Record | Fault]:
    at = _skip(text, _skip(text, 0) + 1)
    line, counted = 1, 0
    closed = text[at : at + 1] == "]"
    while not closed:
        line, counted = line + text.count("\n", counted, at), at
        try:
            found, end = _DECODER.raw_decode(text, at)
            if _SURROGATE.search(text, at, end):
                json.dumps(found, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError) as error:
            where = error.pos if isinstance(error, json.JSONDecodeError) else at
            yield Fault(line + text.count("\n", at, where), _sentence(error))
            return
        row_line = line
        if isinstance(found, dict):
            yield Record(row_line, found)
        else:
            yield Fault(row_line, f"found {_kind(found)}, expected an array of JSON objects")
        at = _skip(text, end)
        if text[at : at + 1] not in (",", "]") or not text[at : at + 1]:
            found_there = "the file ends" if at >= len(text) else f"found {text[at]!r}"
            yield Fault(line + text.count("\n", counted, at), f"{found_there} where ',' or ']' was expected")
            return
        closed = text[at] == "]"
        at = at if closed else _skip(text, at + 1)
    if _skip(text, at + 1) < len(text):
        yield Fault(text.count("\n", 0, at) + 1, "something stands after the end of the array")


def _skip(text: str, at: int) -> int:
    match = _GAP.match(text, at)
    return match.end() if match else at


def _decoded(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _sentence(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "lists or objects are nested too deep; expected a flat object"
    if isinstance(error, UnicodeEncodeError):
        return "a text holds half a character (a lone surrogate escape); write the whole character"
    if isinstance(error, json.JSONDecodeError):
        return f"this is no valid JSON ({error.msg}, column {error.colno}); expected one JSON object a line"
    return str(error) if isinstance(error, _RefusedError) else f"this is no valid JSON ({error})"


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _RefusedError(f"key {twice!r} stands twice in one object; keep one of them")
    return row


def _constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is no JSON value; write a number, a text or null")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
