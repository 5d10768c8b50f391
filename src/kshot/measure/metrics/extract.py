"""Which label a reply states. A reply that states none, or several, gives None and counts as invalid."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from kshot.errors import MetricError

_CUE_LINE = re.compile(
    r"(?i)\W*(?:(?:so|thus|therefore|hence)\W+)?(?:the\s+|my\s+)?(?:final\s+|correct\s+)?"
    r"(?:answer|label)\W*?(?:is\b|[:=])\s*(\S.*)"
)
_FIELDS = ("label", "answer")
_JOIN = re.compile(r"[_\s]+|(?<=[^\W\d])[-‐‑](?=\w)|(?<=\w)[-‐‑](?=[^\W\d])")
_INDEX = re.compile(r"(?<![\w.,/+-])(0|[1-9][0-9]{0,5})(?![\w/%]|[.,][0-9])")
_NEGATED = re.compile(
    r"(?:(?<!\w)(?:not|never|no|neither|nor|cannot|hardly|without|rather than|instead of)|n't)"
    r"(?: (?:a|an|the|any|be|being|seem|look|sound|really|very|quite|exactly|clearly|necessarily|truly"
    r"|actually|particularly|at all|label|labelled|labeled|class|considered|classified|as|to|so))*"
    r"[ \"'(*`]*$"
)
# Letters of scripts with blanks between words; an ideograph before or after a Latin label is no obstacle.
_LETTER = r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"


def extract_label(reply: str, labels: Sequence[str], *, cut: bool = False) -> str | None:
    """The one label that a reply states, by its name or by its index in ``labels``, or None.

    In this order: (1) the required form: a JSON object with ``label`` or ``answer``, or the last line
    that begins ``Answer:``, ``Label:`` or ``The answer is``; (2) the last non-empty line. There, exactly
    one label must stand as whole words or as an exact index (from 0), not negated; the longest label
    counts first, so that "not-hate" is not "hate", and blanks, hyphens and underscores are one. No
    substring search. Where a label is itself a number, indices are not read. A reply that was ``cut`` by
    the token limit states a label in the required form only.

    Raises:
        MetricError: There are no labels, one is empty, or two differ in nothing but case or joins.

    >>> labels = ("negative", "neutral", "positive")
    >>> [extract_label(reply, labels) for reply in ("Positive.", "not negative, so 2", "10")]
    ['positive', 'positive', None]
    """
    known = _known(tuple(labels))
    for stated in _required_forms(reply):
        if (label := known.only_one_in(stated)) is not None:
            return label
    lines = [line for line in reply.splitlines() if line.strip()]
    return known.only_one_in(lines[-1]) if lines and not cut else None


@dataclass(frozen=True, slots=True)
class _Labels:
    """Labels as patterns: ``by_form`` leads from the folded form of a label to the label."""

    labels: tuple[str, ...]
    by_form: dict[str, str]
    pattern: re.Pattern[str]
    numeric: bool

    def only_one_in(self, text: str) -> str | None:
        """The only label that a line of text states without negation, or None."""
        folded = _folded(text)
        spans = [match.span() for match in self.pattern.finditer(folded)]
        stated = {self.by_form[folded[s:e]] for s, e in spans if not self._negated(folded, s, spans)}
        if not self.numeric:
            free = [m for m in _INDEX.finditer(folded) if not any(s <= m.start() < e for s, e in spans)]
            unnegated = [m for m in free if not self._negated(folded, m.start(), spans)]
            stated |= {self.labels[i] for m in unnegated if (i := int(m[1])) < len(self.labels)}
        return stated.pop() if len(stated) == 1 else None

    @staticmethod
    def _negated(folded: str, start: int, spans: Sequence[tuple[int, int]]) -> bool:
        # A label may itself read "no" or "none": a negation inside another label's span is none.
        match = _NEGATED.search(folded[max(0, start - 80) : start])
        if match is None:
            return False
        at = match.start() + max(0, start - 80)
        return not any(s <= at < e for s, e in spans)


@lru_cache(maxsize=64)
def _known(labels: tuple[str, ...]) -> _Labels:
    forms = [_folded(label) for label in labels]
    if not labels or not all(forms):
        raise MetricError(f"labels {list(labels)!r}: expected at least one label, and none of them empty")
    by_form = dict(zip(forms, labels, strict=True))
    if len(by_form) < len(labels):
        twins = sorted(label for label, form in zip(labels, forms, strict=True) if forms.count(form) > 1)
        raise MetricError(f"labels {', '.join(map(repr, twins))} cannot be told apart in a reply; rename one")
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    pattern = re.compile("|".join(map(_whole, longest_first)))
    return _Labels(labels, by_form, pattern, any(re.fullmatch(r"[+-]?\d+", form) for form in forms))


def _whole(form: str) -> str:
    """A pattern that finds a folded label as whole words only."""
    before, after = (
        (_LETTER if re.match(_LETTER, edge) else r"\w") if re.match(r"\w", edge) else ""
        for edge in (form[0], form[-1])
    )
    if form[0].isdigit():
        before = r"[\w.,/+-]"
    left = f"(?<!{before})" if before else ""
    right = f"(?!{after})" if after else ""
    return left + re.escape(form) + right + (r"(?![%/]|[.,]\d)" if form[-1].isdigit() else "")


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'").replace("\u2212", "-")
    return _JOIN.sub(" ", plain).strip()


def _required_forms(reply: str) -> list[str]:
    """What stands in the required form: a JSON object's field, else the last answer line."""
    inside = re.sub(r"^```\w*\s*|\s*```$", "", reply.strip())
    if inside.startswith("{"):
        try:
            row = json.loads(inside)
        except (ValueError, RecursionError):
            row = {}
        values = [row[name] for name in _FIELDS if name in row] if isinstance(row, dict) else []
        if len(values) == 1 and isinstance(values[0], str | int) and not isinstance(values[0], bool):
            return [str(values[0])]
    cues = [found[1] for line in reply.splitlines() if (found := _CUE_LINE.match(line.strip()))]
    return cues[-1:]
