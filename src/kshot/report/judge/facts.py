"""What a report of a judgement tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kshot.measure.judge import Agreement, Figures, Judged, Pair
from kshot.measure.judge.records import OUTCOMES, Outcome

SHOWN_EACH = 4


@dataclass(frozen=True, slots=True)
class ShownPair:
    """One pair in full, with what the judge wrote with A's answer first, and with B's first."""

    id: str
    outcome: Outcome
    question: str
    a: str
    b: str
    verdicts: tuple[str, ...] = ()
    reviews: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """Two systems' answers, judged.

    Attributes:
        names: Of A and B.
        judge: Who judged.
        figures: Counts and what they say.
        places: How often a verdict chose the first place, the second, and none.
        by: What the files were joined by.
        only: Rows of A without B's, and of B without A's; they are not judged.
        agreement: With people; None where there is no file of theirs.
        answered_by: Models that the rows name as their authors.
        criteria: That the judge was told.
        cost: Requests, tokens and USD that were paid now.
        failed: Verdicts that did not come.
        unjudged: Pairs that were not judged, because the budget ended.
        stopped: How it ended.
        pairs: Some pairs of each outcome.
        simulated: Whether the judge is a simulation.
    """

    names: tuple[str, str]
    judge: str
    figures: Figures
    places: tuple[int, int, int] = (0, 0, 0)
    by: str = "id"
    only: tuple[int, int] = (0, 0)
    agreement: Agreement | None = None
    answered_by: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    cost: tuple[int, int, float] = (0, 0, 0.0)
    failed: int = 0
    unjudged: int = 0
    stopped: str = ""
    pairs: tuple[ShownPair, ...] = ()
    simulated: bool = False


def shown_pairs(pairs: Sequence[Pair], judged: Judged, *, each: int = SHOWN_EACH) -> tuple[ShownPair, ...]:
    """The first few judged pairs of each outcome, in full; equal answers are left out.

    Example::

        shown_pairs(joined.pairs, judged)
    """
    texts = {pair.id: pair for pair in pairs}
    found: list[ShownPair] = []
    for outcome in OUTCOMES:
        of_it = [one for one in judged.pairs if one.outcome == outcome and not one.is_equal]
        for one in of_it[:each]:
            pair = texts[one.id]
            verdicts = tuple(verdict or "unreadable" for verdict in one.verdicts)
            told = tuple(review or error for review, error in zip(one.reviews, one.errors, strict=True))
            found.append(ShownPair(one.id, outcome, pair.question, pair.a, pair.b, verdicts, told))
    return tuple(found)
