"""How a request is laid out: parts under headings, lists and examples a line each.

Nothing inside a part can begin another: names, reasons and examples are folded to one line each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from kshot.data.example import Conversation, Message
from kshot.methods.explore.records import Item

MOST_LISTED = 400  # characters of one line of a list
MOST_SHOWN = 2000  # characters of one field of an example
_BREAKS = {ord(mark): f"\\u{ord(mark):04x}" for mark in "\x7f\x85\u2028\u2029"}


def prompt(parts: Sequence[str]) -> Conversation:
    """One user message of several parts, an empty line between them."""
    return (Message("user", "\n\n".join(parts)),)


def section(heading: str, lines: str | Iterable[str]) -> str:
    r"""A part: its heading's line, then its own.

    >>> section("Path", ["- writing", "- letters"])
    '## Path\n- writing\n- letters'
    """
    return "\n".join([f"## {heading}", *([lines] if isinstance(lines, str) else lines)])


def listed(texts: Iterable[str], *, none: str) -> list[str]:
    r"""A list, a line each; where it is empty, the one line ``none``.

    >>> listed(["a\n## b", "c"], none="(none)"), listed([], none="(none)")
    (['- a ## b', '- c'], ['(none)'])
    """
    return [f"- {one_line(text, most=MOST_LISTED)}" for text in texts] or [none]


def example_line(item: Item) -> str:
    r"""An example as one line of JSON, long fields shortened.

    >>> example_line(Item("Say it shorter.", "A\nB", "C"))
    '{"instruction": "Say it shorter.", "input": "A\\nB", "output": "C"}'
    """
    texts = {name: _shortened(getattr(item, name)) for name in ("instruction", "input", "output")}
    return json.dumps(texts, ensure_ascii=False).translate(_BREAKS)


def one_line(text: str, *, most: int | None = None) -> str:
    r"""White space folded to single blanks, and cut behind ``most`` characters.

    >>> one_line("a\n  long text", most=6)
    'a long …'
    """
    folded = " ".join(text.split())
    return folded if most is None or len(folded) <= most else f"{folded[:most].rstrip()} …"


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN].rstrip()} …"
