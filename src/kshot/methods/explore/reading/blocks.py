r"""Replies in marked blocks, for models that write no reliable JSON.

A marker is a line of its own: ``=== row ===``, ``=== output ===``. Everything up to the next marker belongs
to the field, so numbered lists, headings and field names inside a text stay what they are. A line of a text
that begins with ``===`` is written with a backslash before it, which is taken off again.

A line counts as a marker only where one may stand: an entry begins where its first field's marker follows at
once, and fields come in their order. The line ``=== end ===`` ends a reply; without it the last entry is
incomplete.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kshot.methods.explore.reading.array import without_thoughts
from kshot.methods.explore.reading.fields import item_in, named_in
from kshot.methods.explore.reading.objects import verdict
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import Named, NamesReply, RowsReply

ROW = ("instruction", "input", "output")
HEAD = ("name", "reason")
_MARKER = re.compile(r"===\s*([A-Za-z]+)\s*===:?\s*\Z")
_ESCAPED = re.compile(r"\A\\(?=\\*===)")
_NEEDS_ESCAPE = re.compile(r"\A(?=\\*===)")
_VERDICT = re.compile(
    r"(?m)^[^\S\n]*(\d{1,3})[.:)、：][^\S\n]*[*\"]*(yes|no|true|false|是|否)(?![^\W_])", re.IGNORECASE
)


@dataclass(slots=True)
class _Block:
    """One entry: its marker, and the lines of its fields."""

    kind: str
    fields: dict[str, list[str]] = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        """Each field as text."""
        return {name: "\n".join(_ESCAPED.sub("", x) for x in lines) for name, lines in self.fields.items()}


def block_rows(text: str) -> RowsReply:
    r"""Of a reply to a request for rows.

    >>> shown = block_lines(Item("Name two birds.", "", "1. Wren\n2. Robin"), kind="row")
    >>> block_rows("\n".join([*shown, "=== end ==="])).items[0].output
    '1. Wren\n2. Robin'
    """
    blocks, is_ended, _ = _parsed(text, {"row": ROW})
    items = [item_in(block.texts()) for block in (blocks if is_ended else blocks[:-1])]
    kept = tuple(item for item in items if item is not None)
    return RowsReply(kept, bool(blocks) and not is_ended, len(items) - len(kept))


def block_names(text: str) -> NamesReply:
    r"""Of a reply to a request for subtasks; a line ``=== complete ===`` says that there are no more.

    >>> block_names("=== subtask ===\n=== name ===\nsummary\n=== reason ===\nShorter.\n=== end ===").named
    (Named(name='summary', reason='Shorter.', examples=()),)
    """
    blocks, is_ended, is_complete = _parsed(text, {"subtask": HEAD, "example": ROW})
    groups: list[tuple[_Block, list[Item]]] = []
    for place, block in enumerate(blocks):
        if block.kind == "subtask":
            groups.append((block, []))
        elif groups and (is_ended or place < len(blocks) - 1):
            item = item_in(block.texts())
            groups[-1][1].extend([item] if item else [])
    if not is_ended:
        groups = groups[:-1]
    named: list[Named] = []
    for block, examples in groups:
        one = named_in({**block.texts(), "examples": []})
        if one is not None:
            named.append(Named(one.name, one.reason, tuple(examples)))
    return NamesReply(tuple(named), is_complete, bool(blocks) and not is_ended)


def block_relevance(text: str) -> tuple[bool | None, ...]:
    r"""Verdicts by number, from lines ``1. yes``; None for a number that has none.

    >>> block_relevance("1. yes\n3. no")
    (True, None, False)
    """
    said = {int(found[1]): verdict(found[2]) for found in _VERDICT.finditer(without_thoughts(text))}
    return tuple(said.get(number) for number in range(1, max(said, default=0) + 1))


def block_lines(value: Item | Named, *, kind: str) -> list[str]:
    """An entry as the readers read it, without the line that ends a reply.

    >>> block_lines(Item("Name a bird.", "", "Wren."), kind="row")[:3]
    ['=== row ===', '=== instruction ===', 'Name a bird.']
    """
    names = ROW if isinstance(value, Item) else HEAD
    lines = [f"=== {kind} ==="]
    for name in names:
        text = getattr(value, name) or "(none)"
        lines += [f"=== {name} ===", *(_NEEDS_ESCAPE.sub(r"\\", line) for line in text.split("\n"))]
    if isinstance(value, Named):
        lines += [line for item in value.examples for line in block_lines(item, kind="example")]
    return lines


def _parsed(text: str, kinds: dict[str, tuple[str, ...]]) -> tuple[list[_Block], bool, bool]:
    """The blocks of a reply, whether its end is there, and whether it says that it is complete."""
    blocks: list[_Block] = []
    name, is_text, is_ended, is_complete = "", False, False, False
    for line, word, following in _lines(without_thoughts(text)):
        order = kinds[blocks[-1].kind] if blocks else ()
        if word in kinds and following == kinds[word][0]:
            blocks.append(_Block(word))
            name, is_text, is_ended = "", False, False
        elif word in order and (not name or order.index(word) > order.index(name)):
            name, is_text = word, True
            blocks[-1].fields[name] = []
        elif word == "complete" and "subtask" in kinds and following in ("end", ""):
            is_complete, is_text = True, False
        elif word == "end":
            is_ended, is_text = True, False
        elif is_text:
            blocks[-1].fields[name].append(line)
    return blocks, is_ended, is_complete


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    """Each line, the word it marks, and the word that the next line with text marks; both may be empty."""
    lines = text.split("\n")
    words = [_word(line) for line in lines]
    after, seen = [], ""
    for line, word in zip(reversed(lines), reversed(words), strict=True):
        after.append(seen)
        seen = word if line.strip() else seen
    yield from zip(lines, words, reversed(after), strict=True)


def _word(line: str) -> str:
    marker = _MARKER.match(line)
    return marker[1].lower() if marker else ""
