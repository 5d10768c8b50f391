"""Which preferences are worth explaining: the expert's confidence, and what happens where gold disagrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from kshot.errors import DataError, InputError
from kshot.methods.panda.preferences import AGAINST_GOLD, gold_flagged, gold_led
from kshot.methods.panda.records import Preference

GoldRule: TypeAlias = Literal["keep", "flag", "drop", "gold_first"]
_SLACK = 1e-9  # 0.8 - 0.3 is to reach a margin of 0.5


@dataclass(frozen=True, slots=True)
class Filtered:
    """Both sides of a filter over N preferences: every place is kept or dropped, exactly once.

    Attributes:
        kept: Places in the input, ascending.
        dropped: Place and reason, ascending; the same words for the same reason.
        preferences: The kept ones, in the order of ``kept``, changed where gold was put first or flagged.
        given: All N, as they came.
    """

    kept: tuple[int, ...]
    dropped: tuple[tuple[int, str], ...]
    preferences: tuple[Preference, ...]
    given: tuple[Preference, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One plain object for each preference of the input, in its order: what decided, and the outcome."""
        reasons = dict(self.dropped)
        now = dict(zip(self.kept, self.preferences, strict=True))
        return [
            {
                "index": place,
                "source": given.source,
                "answer": given.top.answer,
                "gold": given.gold,
                "probability": given.top.probability,
                "margin": margin(given),
                "kept": place in now,
                "reason": reasons.get(place, ""),
                "flags": list(now[place].flags if place in now else given.flags),
            }
            for place, given in enumerate(self.given)
        ]


def filter_preferences(
    preferences: Sequence[Preference],
    *,
    min_probability: float = 0.0,
    min_margin: float = 0.0,
    gold: GoldRule = "flag",
) -> Filtered:
    """Drop what the expert is unsure of, then settle its disagreements with gold.

    Confidence is the expert's own, whatever gold says: it is looked at first.

    Args:
        preferences: N of them.
        min_probability: Of r1; 0 cuts nothing.
        min_margin: Of p(r1) - p(r2), where a single answer has no p(r2); 0 cuts nothing.
        gold: Where the expert's answer is not the gold one: ``keep`` it without a flag, ``flag`` it, ``drop``
            the row, or put ``gold_first``, with the expert's answer as its rival.

    Raises:
        InputError: A limit is outside 0 to 1, or the rule does not exist.
        DataError: There is a limit, and an expert that gives no probabilities.

    >>> from kshot.methods.panda.records import Candidate, ExpertFacts
    >>> sure, unsure = ((Candidate("a", "", p), Candidate("b", "", 1 - p)) for p in (0.9, 0.55))
    >>> given = [Preference("t", ranked, ExpertFacts("lm")) for ranked in (sure, unsure)]
    >>> filter_preferences(given, min_margin=0.5).dropped
    ((1, 'margin below 0.5'),)
    """
    for name, limit in (("min_probability", min_probability), ("min_margin", min_margin)):
        if not 0 <= limit <= 1:
            raise InputError(f"{name} is {limit}, expected 0 to 1")
    if gold not in get_args(GoldRule):
        raise InputError(f"rule for gold {gold!r} is none of {', '.join(get_args(GoldRule))}")
    dropped: list[tuple[int, str]] = []
    found: dict[int, Preference] = {}
    for place, preference in enumerate(preferences):
        reason = _unsure(preference, place, min_probability, min_margin)
        flagged = gold_flagged(preference)
        wrong = AGAINST_GOLD in flagged.flags
        if not reason and wrong and gold == "drop":
            reason = "the expert's answer is not the gold one"
        if reason:
            dropped.append((place, reason))
        elif wrong and gold == "gold_first":
            found[place] = gold_led(flagged)
        else:
            found[place] = _unflagged(flagged) if gold == "keep" else flagged
    return Filtered(tuple(found), tuple(dropped), tuple(found.values()), tuple(preferences))


def margin(preference: Preference) -> float | None:
    """p(r1) - p(r2); p(r1) where there is one answer; None where there are no probabilities.

    >>> from kshot.methods.panda.records import Candidate, ExpertFacts
    >>> margin(Preference("t", (Candidate("a", "", 0.75), Candidate("b", "", 0.25)), ExpertFacts("lm")))
    0.5
    """
    shares = [candidate.probability for candidate in preference.candidates[:2]]
    if shares[0] is None:
        return None
    second = 0.0 if len(shares) == 1 else shares[1]
    return None if second is None else shares[0] - second


def _unsure(preference: Preference, place: int, min_probability: float, min_margin: float) -> str:
    if not min_probability and not min_margin:
        return ""
    first, gap = preference.top.probability, margin(preference)
    if first is None or (gap is None and min_margin):
        raise DataError(
            f"{preference.source or f'preference {place}'}: its expert ({preference.expert.kind}) gives no "
            "probabilities; leave min_probability and min_margin at 0"
        )
    if first < min_probability - _SLACK:
        return f"probability below {min_probability:g}"
    return f"margin below {min_margin:g}" if gap is not None and gap < min_margin - _SLACK else ""


def _unflagged(preference: Preference) -> Preference:
    return replace(preference, flags=tuple(flag for flag in preference.flags if flag != AGAINST_GOLD))
