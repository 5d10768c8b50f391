"""The entries of a JSON array in a reply that may hold other text too, be faulty in places, or end early."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MOST_MALFORMED = 200  # entries of a reply, behind which it is read no further
_THOUGHTS = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})|\\')
_GAP = re.compile(r"[\s,]*")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)


@dataclass(frozen=True, slots=True)
class JsonArray:
    """What was found.

    Attributes:
        entries: Values of the complete entries, in order; numbers are the text that they were written as.
        malformed: How many entries were there to their end and are no JSON.
        is_cut: Whether the text ends before the array, or the object around it, does.
        start: Where the array's key or bracket begins in the text that was read.
        end: Where the array ends in it.
    """

    entries: tuple[Any, ...] = ()
    malformed: int = 0
    is_cut: bool = False
    start: int = 0
    end: int = 0


def without_thoughts(text: str) -> str:
    """A reply without the reasoning that some models write before it, between ``<think>`` marks."""
    return _THOUGHTS.sub("", text, count=1)


def json_array(text: str, key: str, *, lead: str) -> JsonArray | None:
    r"""The array under ``key``, a bare array, or bare objects one after another; None: no such thing.

    What stands around it does not count: prose, a code fence, an outer object. The first array with an
    entry is taken. Work grows with the length of the text, whatever stands in it.

    - A text that ends early keeps its complete entries.
    - An entry that is no JSON is left out, and reading goes on behind it: at the end of its brackets, or
      where the next entry begins with ``lead``.
    - A backslash that begins no JSON escape (``\sqrt``) stands for itself.

    Args:
        text: The reply.
        key: Of the array.
        lead: The key that an entry begins with.

    >>> json_array('Here: {"rows": [{"a": 1}, {"a": 2}, {"a', "rows", lead="a")
    JsonArray(entries=({'a': '1'}, {'a': '2'}), malformed=0, is_cut=True, start=7, end=39)
    """
    text = mended(text)
    last_brace = text.rfind("}")
    best: JsonArray | None = None
    for starts, closing in _starts(text, key, lead):
        read_to = 0
        for start, inner in starts:
            if start < read_to:  # inside what was read already
                continue
            found = _entries(text, inner, lead, closing)
            is_open = text.startswith('"', start) and last_brace < found.end
            found = JsonArray(found.entries, found.malformed, found.is_cut or is_open, start, found.end)
            if found.entries:
                return found
            best = found if best is None or found.malformed > best.malformed else best
            read_to = found.end
    return best


def mended(text: str) -> str:
    """The text as ``json_array`` reads it: without thoughts, each stray backslash doubled."""
    text = without_thoughts(text)
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: "\\\\" if found[0] == "\\" else found[0], text)


def _starts(text: str, key: str, lead: str) -> Iterator[tuple[Iterator[tuple[int, int]], str]]:
    """Where arrays may begin and their first entries, likeliest kind first; and what closes that kind."""
    yield (m.span() for m in re.finditer(rf'"{re.escape(key)}"\s*:\s*\[', text)), "]"
    yield (m.span() for m in re.finditer(r"\[(?=\s*\{)", text)), "]"
    yield ((m.start(), m.start()) for m in re.finditer(_lead(lead), text)), ""


def _lead(lead: str) -> str:
    return rf'\{{\s*"{re.escape(lead)}"\s*:'


def _entries(text: str, at: int, lead: str, closing: str) -> JsonArray:
    """Entries from a position on, up to the closing bracket; without one, as long as objects follow."""
    entries: list[Any] = []
    malformed, following = 0, at
    next_lead = re.compile(_lead(lead))
    while True:
        gap = _GAP.match(text, at)
        at = gap.end() if gap else at
        if at >= len(text):
            return JsonArray(tuple(entries), malformed, bool(closing), end=at)
        if closing and text[at] == closing:
            return JsonArray(tuple(entries), malformed, end=at + 1)
        if text[at] not in ('{["' if closing else "{"):
            return JsonArray(tuple(entries), malformed + bool(closing), end=at)
        try:
            value, at = _DECODER.raw_decode(text, at)
            entries.append(value)
        except RecursionError:  # nobody's entry is nested a thousand deep
            return JsonArray(tuple(entries), malformed + 1, end=len(text))
        except ValueError as error:
            if malformed == MOST_MALFORMED:  # garbage; and each error costs a walk through the text
                return JsonArray(tuple(entries), malformed, end=len(text))
            wrong = max(at + 1, getattr(error, "pos", 0))
            if following < wrong:  # searched once for all entries before it
                found = next_lead.search(text, wrong)
                following = found.start() if found else len(text)
            end = _end_of_entry(text, at, following)
            if end is None and following == len(text):
                return JsonArray(tuple(entries), malformed, is_cut=True, end=len(text))
            malformed += 1
            at = following if end is None else end


def _end_of_entry(text: str, start: int, limit: int) -> int | None:
    """Behind the bracket that closes the one at ``start``; None where none does before ``limit``."""
    depth = 0
    for token in _TOKEN.finditer(text, start, limit):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
            if depth == 0:
                return token.end()
    return None
