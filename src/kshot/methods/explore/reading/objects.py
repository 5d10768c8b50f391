"""Replies that are JSON, as names, rows and verdicts; and the one reply that is plain text."""

from __future__ import annotations

import re

from kshot.methods.explore.reading.array import JsonArray, json_array, mended, without_thoughts
from kshot.methods.explore.reading.fields import item_in, named_in, plain_text
from kshot.methods.explore.seams import NamesReply, RowsReply

_COMPLETE = re.compile(r'"complete"\s*:\s*"?true\b', re.IGNORECASE)
_COMPLETE_FIRST = re.compile(r'"complete"\s*:\s*"?true"?\s*,\s*\Z', re.IGNORECASE)
_NEAR = 80  # characters before the array in which "complete" may stand
_YES, _NO = ("true", "yes", "1", "是"), ("false", "no", "0", "否")


def json_names(text: str) -> NamesReply:
    """Of a reply to a request for subtasks.

    >>> json_names('{"subtasks": [{"name": "summary", "reason": "Shorter."}], "complete": true}')
    NamesReply(named=(Named(name='summary', reason='Shorter.', examples=()),), is_complete=True, is_cut=False)
    """
    found = json_array(text, "subtasks", lead="name")
    if found is None:
        return NamesReply(is_complete=_COMPLETE.search(without_thoughts(text)) is not None)
    named = tuple(one for one in map(named_in, found.entries) if one is not None)
    return NamesReply(named, _says_complete(mended(text), found), found.is_cut)


def json_rows(text: str) -> RowsReply:
    """Of a reply to a request for rows.

    >>> json_rows('[{"instruction": "Name a bird.", "input": "", "output": "Wren."}, {"instruction": 3')
    RowsReply(items=(Item(instruction='Name a bird.', input='', output='Wren.'),), is_cut=True, malformed=0)
    """
    found = json_array(text, "rows", lead="instruction")
    if found is None:
        return RowsReply()
    items = [item_in(entry) for entry in found.entries]
    kept = tuple(item for item in items if item is not None)
    return RowsReply(kept, found.is_cut, found.malformed + len(items) - len(kept))


def json_relevance(text: str) -> tuple[bool | None, ...]:
    """Verdicts in order; None for one that is neither yes nor no.

    >>> json_relevance('{"relevant": [true, false, "maybe"]}')
    (True, False, None)
    """
    found = re.search(r'"relevant"\s*:\s*\[([^\[\]{}]*)|\A[^\[]*\[([^\[\]{}]*)\]', without_thoughts(text))
    said = (found[1] if found[1] is not None else found[2]) if found else ""
    return tuple(verdict(part.strip().strip("\"'")) for part in said.split(",")) if said.strip() else ()


def verdict(said: str) -> bool | None:
    """Yes, no, or neither."""
    word = said.casefold()
    return True if word in _YES else False if word in _NO else None


def read_answer(text: str) -> str:
    """Of a reply that is to be an output alone: the text, without a model's thoughts before it."""
    return plain_text(without_thoughts(text)) or ""


def _says_complete(text: str, found: JsonArray) -> bool:
    before = text[max(0, found.start - _NEAR) : found.start]
    return bool(_COMPLETE.search(text, found.end)) or bool(_COMPLETE_FIRST.search(before))
