"""Which reply is a usable explanation, and what is kept of it."""

from __future__ import annotations

import re

from kshot.data.example import normalised
from kshot.errors import MetricError
from kshot.measure.metrics import extract_label
from kshot.methods.panda.pairs import Pair
from kshot.methods.panda.pool import approximate_tokens

_END = r"[.!?…][\"'”’)\]*]*(?=\s|$)|[。！？][」』”’）]*"
_ABBREVIATION = re.compile(r"(?i)\b(?:e\.g|i\.e|vs|etc|mr|mrs|ms|dr|prof|approx)\.$")
_AGAINST = r"(?:than|over|unlike|beside|besides)\W+(?:(?:the|a|an|label|option|answer)\W+)*"
_NO_INDEX = "-987654321"  # a label that is a number: then the parser reads no index, whose order is not known
_NEARLY = 0.8  # of the limit: the count is an estimate


def whole_sentences(text: str) -> str:
    """A text up to the end of its last full sentence; empty where it has none.

    >>> whole_sentences("It is warm, e.g. in May. And it")
    'It is warm, e.g. in May.'
    """
    ends = [match.end() for match in re.finditer(_END, text)]
    full = [end for end in ends if not _ABBREVIATION.search(text[:end])]
    return text[: full[-1]].strip() if full else ""


def last_sentence(text: str) -> str:
    r"""The last sentence, or what stands behind it unfinished; a line end ends a sentence too.

    >>> last_sentence("It is warm. So\nthe answer is joy")
    'the answer is joy'
    """
    line = next((line for line in reversed(text.splitlines()) if line.strip()), "").strip()
    ends = [match.end() for match in re.finditer(_END, line)]
    starts = [end for end in ends if end < len(line) and not _ABBREVIATION.search(line[:end])]
    return line[starts[-1] :].strip() if starts else line


def unusable(text: str, pair: Pair, *, limit: int = 0) -> str:
    """What is wrong with an explanation, in words for the model; empty where it can be used.

    It must not be empty, nor end with a colon (reasons are announced and none is given, as where a list was
    cut off at its first line end), and its last sentence must not name a rival and nothing else: then it
    argues for the wrong answer.

    Names are found by the parser of replies (``extract_label``: whole words, not negated); indices are not
    read. A rival that another answer is put over ("joy over anger", "than anger") is not named as the answer.
    Where answers are free texts, the parser looks for the texts themselves. Names of one character, and names
    that the parser cannot tell apart, are not looked for.

    Args:
        text: The reply.
        pair: What it was asked to explain.
        limit: Tokens of the reply; a text about as long, without a last full stop, was probably cut, and its
            last full sentence is looked at. 0: none.

    >>> from kshot.methods.panda.records import Candidate
    >>> pair = Pair(Candidate("joy"), (Candidate("anger"),), "top2")
    >>> unusable("The words are warm, so it is joy rather than anger.", pair)
    ''
    >>> unusable("It shouts. So it is anger.", pair)
    'Your explanation ends by naming anger, but joy is preferred. Explain why joy is preferred.'
    """
    if not text.strip():
        return f"Your explanation is empty. Explain why {pair.preferred.shown} is preferred."
    if text.rstrip().endswith((":", "：")):
        return (
            "Your explanation announces reasons and gives none. Give them in one paragraph, without a list."
        )
    whole = whole_sentences(text)
    probably_cut = limit and approximate_tokens(text) >= _NEARLY * limit
    named = _named(last_sentence(whole if probably_cut and whole else text), pair)
    if named is None or named == pair.preferred.shown:
        return ""
    preferred = pair.preferred.shown
    return (
        f"Your explanation ends by naming {named}, but {preferred} is preferred. "
        f"Explain why {preferred} is preferred."
    )


def without_opening(text: str, opening: str) -> tuple[str, bool]:
    """A reply without the opening clause, where it says that again before it continues; and whether it did.

    >>> without_opening("The label is joy because it is warm.", "The label is joy because")
    ('it is warm.', True)
    """
    words = opening.split()
    if not words:
        return text.strip(), False
    again = re.match(r"\W*" + r"\s+".join(map(re.escape, words)) + r"\s*", text, re.IGNORECASE)
    rest = text[again.end() :].strip() if again else ""
    return (rest, True) if rest else (text.strip(), False)


def _named(sentence: str, pair: Pair) -> str | None:
    """The one answer of the pair that a sentence names, or None."""
    shown = [candidate.shown for candidate in (pair.preferred, *pair.rivals)]
    names = [name for name in dict.fromkeys(shown) if len(normalised(name)) > 1]
    if not names or pair.preferred.shown not in names:
        return None
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    sentence = re.sub(rf"(?i)\b{_AGAINST}(?:{either})(?!\w)", " ", sentence)
    try:
        return extract_label(sentence, [*names, _NO_INDEX])
    except MetricError:  # two names differ in nothing but case or joins
        return None
