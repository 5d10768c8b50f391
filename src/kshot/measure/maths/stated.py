"""Where a text states its answer: in its last box, or after its last "is" or "="."""

from __future__ import annotations

import re

_MARK = re.compile(r"\\f?box(?:ed)?(?![A-Za-z])")
_STEP = re.compile(r"\\[\s\S]|[{}]")  # an escaped sign is no brace
_BARE = re.compile(r"[^\s${}\\]+")
_CUE = re.compile(r"(?<!\w)is(?!\w)|(?<![<>!:=])=(?!=)", re.IGNORECASE)
_OPENING = " \t\r\n:*`"
_CLOSING = " \t.*`,;。"


def boxed(text: str) -> str | None:
    r"""The answer that a text states: the content of its last balanced box, else what follows its cue.

    A box is ``\boxed{...}`` or ``\fbox{...}``; braces that are escaped do not count, a box that is never
    closed is none. ``\boxed 5`` without braces counts too. The cue is the last "is" as a word of its own, or
    the last "=" (not that of >=, <=, != or ==); what follows it, to the end of its line, is the answer,
    without dollar signs around it and without a full stop. None where nothing follows, or there is no cue.
    Time grows with the length of the text alone.

    >>> boxed(r"So $x=\boxed{\frac{1}{2}}$, as was to be shown."), boxed("This list has no answer")
    ('\\frac{1}{2}', None)
    >>> boxed("The answer is 7."), boxed("x = $5$")
    ('7', '5')
    """
    found = in_box(text)
    return _after_cue(text) if found is None else found


def stated(reply: str) -> str | None:
    """The answer of a reply that may be the bare answer: as ``boxed``, else a text of one line as it is.

    >>> stated("7"), stated("The answer is 7."), stated("")
    ('7', '7', None)
    """
    found = boxed(reply)
    if found is not None:
        return found
    lines = reply.strip().splitlines()
    return lines[0].strip() if len(lines) == 1 else None


def gold_answer(text: str) -> str | None:
    r"""The right answer of a row: the last box of its solution, else the whole where it is one line.

    A bare answer such as "x = 5" is taken whole, as it is no sentence about another one.

    >>> gold_answer("x = 5"), gold_answer("It is long.\nSo the answer is 5.")
    ('x = 5', '5')
    """
    found = in_box(text)
    lines = text.strip().splitlines()
    if found is None and len(lines) == 1:
        return lines[0].strip()
    return boxed(text) if found is None else found


def in_box(text: str) -> str | None:
    r"""The content of the last balanced box; None where there is none, or it is empty.

    >>> in_box(r"\boxed{1} or \boxed{\boxed{2}"), in_box("{1}")
    ('2', None)
    """
    marks = list(_MARK.finditer(text))
    if not marks:
        return None
    ends = _ends(text)
    for mark in reversed(marks):
        at = mark.end()
        while at < len(text) and text[at].isspace() and at - mark.end() < 8:
            at += 1
        if text[at : at + 1] == "{":
            if at in ends:
                return text[at + 1 : ends[at]].strip() or None
        elif at > mark.end() and (bare := _BARE.match(text, at)):
            return bare[0].rstrip(_CLOSING) or None
    return None


def _ends(text: str) -> dict[int, int]:
    """Where each brace that is closed opens, and where it closes."""
    ends: dict[int, int] = {}
    waiting: list[int] = []
    for step in _STEP.finditer(text):
        if step[0] == "{":
            waiting.append(step.start())
        elif step[0] == "}" and waiting:
            ends[waiting.pop()] = step.start()
    return ends


def _after_cue(text: str) -> str | None:
    last: re.Match[str] | None = None
    for found in _CUE.finditer(text):
        last = found
    if last is None:
        return None
    lines = text[last.end() :].lstrip(_OPENING).splitlines()
    said = lines[0].rstrip(_CLOSING) if lines else ""
    if len(said) > 1 and said[0] == said[-1] == "$":
        said = said.strip("$").strip()
    return said or None
