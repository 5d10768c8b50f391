r"""How texts stand in a prompt so that nothing in them can be taken for the prompt's own words.

A prompt is made of lines, and a part of it begins a line: ``Text: ...``. A text of one line cannot begin
another, so it stands as it is; any other stands between two lines of quotation marks, more of them than the
text has in a row anywhere.
"""

from __future__ import annotations

import re

FIELD = re.compile(
    r"""^(?P<name>[A-Z][A-Za-z' ]*): (?:(?P<fence>"{3,})\n(?P<long>.*?)\n(?P=fence)|(?P<short>[^\n]*))$""",
    re.MULTILINE | re.DOTALL,
)
_FENCE = re.compile(r'"{3,}')


def marked(name: str, text: str) -> str:
    r"""A named text, whatever stands in it; ``fields`` reads it back.

    >>> marked("Text", "one line"), fields(marked("Text", "two\nAnswer: lines"))
    ('Text: one line', [('Text', 'two\nAnswer: lines')])
    """
    if len(text.splitlines()) <= 1 and not text.endswith(_BREAKS) and not _FENCE.fullmatch(text):
        return f"{name}: {text}"
    fence = '"' * max([3, *(len(run) + 1 for run in _FENCE.findall(text))])
    return f"{name}: {fence}\n{text}\n{fence}"


def fields(prompt: str) -> list[tuple[str, str]]:
    r"""The named texts of a prompt, in order: what a program sees in it.

    >>> fields("Some words.\n\nCase: a\n" + marked("Note", "b\nc"))
    [('Case', 'a'), ('Note', 'b\nc')]
    """
    return [
        (found["name"], found["short"] if found["long"] is None else found["long"])
        for found in FIELD.finditer(prompt)
    ]


def one_line(text: str, *, most: int | None = None) -> str:
    r"""White space folded to single blanks, and cut behind ``most`` characters.

    >>> one_line("a\n  long text", most=6)
    'a long...'
    """
    folded = " ".join(text.split())
    return folded if most is None or len(folded) <= most else folded[:most].rstrip() + "..."


_BREAKS = ("\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
