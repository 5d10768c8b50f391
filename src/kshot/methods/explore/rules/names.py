"""What no task may be called."""

from __future__ import annotations

import re

MOST_CHARACTERS = 80
MOST_WORDS = 12
_BRACKETED = re.compile(r"[<\[({【（].*[>\])}】）]")
_STAND_IN = re.compile(
    r"(?:(?:new|another|the|your)\s+)?(?:sub-?\s?task|task|name|topic|category)s?(?:\s+name)?\s*#?\d*"
    r"|(?:新的?)?(?:子任务|任务|名称|类别)(?:名称)?\s*[\d一二三四五六七八九十]*"
    r"|tbd|todo|n/?a|none|null|other|others|misc|miscellaneous|etc|xxx+|无|其他|其它|等等",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")


def name_broken(name: str) -> str:
    r"""The rule that a proposed name breaks; empty where it passes.

    ``empty``; ``line_break``; ``too_long``: above 80 characters or 12 words; ``no_letters``: digits and
    punctuation alone; ``placeholder``: a word in place of a name, such as ``subtask 3`` or ``<name>``.

    >>> [name_broken(name) for name in ("style transfer", "改写", "", "a\nb", "3.", "Subtask 2", "<name>")]
    ['', '', 'empty', 'line_break', 'no_letters', 'placeholder', 'placeholder']
    """
    text = name.strip()
    if not text:
        return "empty"
    if len(text.splitlines()) > 1:
        return "line_break"
    if len(text) > MOST_CHARACTERS or len(text.split()) > MOST_WORDS:
        return "too_long"
    bare = text.rstrip(" .:;,!?…。：；，！？")
    if _BRACKETED.fullmatch(bare) or _STAND_IN.fullmatch(bare):
        return "placeholder"
    return "" if _LETTER.search(text) else "no_letters"
