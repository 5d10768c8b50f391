"""Plain values of a reply as names and rows: what may stand for a text, and what may not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import Named

NO_TEXT = ("(none)", "（无）", "<noinput>")  # how our requests and their readers write "nothing"
_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_EXAMPLES = 4  # of one proposed task: more than are asked for are not kept


def plain_text(value: Any) -> str | None:
    r"""A value as text: null is empty, a truth value or object is none (None).

    Blank lines before it and white space behind it go; an indented first line stays. Half a surrogate
    pair, which no file can hold, becomes U+FFFD.

    >>> plain_text("\n  x = 1\n"), plain_text(None), plain_text(["a"])
    ('  x = 1', '', None)
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return None
    text = _BLANK_LINES.sub("", value).rstrip()
    return "" if text.strip() in NO_TEXT else _whole(text)


def item_in(value: Any) -> Item | None:
    """The row that an entry is; None where it has no instruction, or a field is no text.

    >>> item_in({"instruction": "Name a bird.", "input": None, "output": "Wren."})
    Item(instruction='Name a bird.', input='', output='Wren.')
    >>> item_in({"instruction": "Name two birds.", "output": ["Wren", "Robin"]}) is None
    True
    """
    if not isinstance(value, Mapping) or value.get("instruction") is None:
        return None
    texts = [plain_text(value.get(name)) for name in ("instruction", "input", "output")]
    found = [text for text in texts if text is not None]
    return Item(found[0].strip(), found[1], found[2]) if len(found) == len(texts) else None


def named_in(value: Any) -> Named | None:
    """The task that an entry proposes, a bare text too; None where it has no name.

    Examples that cannot be read are left out, and the task stays.

    >>> named_in("paraphrase"), named_in({"reason": "Common."})
    (Named(name='paraphrase', reason='', examples=()), None)
    """
    entry: Mapping[str, Any] = {"name": value} if isinstance(value, str) else value
    if not isinstance(entry, Mapping) or entry.get("name") is None:
        return None
    name, reason = plain_text(entry["name"]), plain_text(entry.get("reason"))
    if name is None:
        return None
    shown = entry.get("examples")
    items = map(item_in, shown if isinstance(shown, list) else ())
    examples = [item for item in items if item is not None and item.instruction]
    return Named(name.strip(), (reason or "").strip(), tuple(examples[:_EXAMPLES]))


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
