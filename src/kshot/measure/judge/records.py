"""What is judged, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from kshot.errors import DataError

Verdict: TypeAlias = Literal["first", "second", "tie"]
Outcome: TypeAlias = Literal["win", "tie", "lose", "split", "unreadable"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one question, from the systems A and B."""

    id: str
    question: str
    a: str
    b: str

    @property
    def is_equal(self) -> bool:
        """Whether both answers are the same text, but for white space at the ends."""
        return self.a.strip() == self.b.strip()


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """What a judge said of one pair.

    Attributes:
        id: Of the pair.
        outcome: From A's side.
        verdicts: With A's answer first, and with B's answer first; None where unreadable. Empty where both
            answers are equal: nobody was asked.
        reviews: What the judge wrote, in the same order.
        errors: Why a verdict could not be read, in the same order; empty where it could.
    """

    id: str
    outcome: Outcome
    verdicts: tuple[Verdict | None, ...] = ()
    reviews: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether it is a tie of equal answers, for which nobody was asked."""
        return not self.verdicts

    def to_json(self) -> dict[str, Any]:
        """A line of ``verdicts.jsonl``."""
        found = {"id": self.id, "outcome": self.outcome, "verdicts": list(self.verdicts)}
        return found | {"reviews": list(self.reviews), "errors": list(self.errors), "equal": self.is_equal}


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each outcome occurred.

    Attributes:
        win: Both orders prefer A.
        tie: Both orders say tie, or the answers are equal.
        lose: Both orders prefer B.
        split: The orders differ.
        unreadable: A verdict could not be read, or did not come.
        equal: How many of the ties are equal answers, which were not judged.
    """

    win: int = 0
    tie: int = 0
    lose: int = 0
    split: int = 0
    unreadable: int = 0
    equal: int = 0

    def __post_init__(self) -> None:
        counts = (self.win, self.tie, self.lose, self.split, self.unreadable, self.equal)
        if min(counts) < 0 or self.equal > self.tie:
            raise DataError(f"counts {counts} of outcomes; expected none below 0, and equal answers as ties")

    @property
    def n(self) -> int:
        """All pairs."""
        return self.win + self.tie + self.lose + self.split + self.unreadable

    @classmethod
    def of(cls, pairs: Iterable[JudgedPair]) -> Tally:
        """Of judged pairs."""
        found = list(pairs)
        counts = Counter(pair.outcome for pair in found)
        return cls(
            win=counts["win"],
            tie=counts["tie"],
            lose=counts["lose"],
            split=counts["split"],
            unreadable=counts["unreadable"],
            equal=sum(pair.is_equal for pair in found),
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """All pairs that were judged.

    Attributes:
        pairs: In the order of the input.
        judge: Who judged.
        calls: Requests that were paid.
        tokens: Of prompts and replies.
        usd: What they cost, where prices are known.
        failed: Verdicts that did not come because a request failed; the pair is unreadable.
        unjudged: Pairs that are not there because the budget was reached.
        stopped: What was reached; empty otherwise.
    """

    pairs: tuple[JudgedPair, ...]
    judge: str = ""
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    failed: int = 0
    unjudged: int = 0
    stopped: str = ""

    @property
    def tally(self) -> Tally:
        """How often each outcome occurred."""
        return Tally.of(self.pairs)

    @property
    def places(self) -> tuple[int, int, int]:
        """How often a readable verdict chose the first place, the second, and none."""
        said = Counter(verdict for pair in self.pairs for verdict in pair.verdicts)
        return said["first"], said["second"], said["tie"]


def outcome_of(a_first: Verdict | None, b_first: Verdict | None) -> Outcome:
    """What the verdicts of both orders say together, from A's side.

    >>> outcome_of("first", "second"), outcome_of("first", "first"), outcome_of("tie", "tie")
    ('win', 'split', 'tie')
    >>> outcome_of("second", "first"), outcome_of("tie", "first"), outcome_of("first", None)
    ('lose', 'split', 'unreadable')
    """
    if a_first is None or b_first is None:
        return "unreadable"
    turned: dict[Verdict, Verdict] = {"first": "second", "second": "first", "tie": "tie"}
    if a_first != turned[b_first]:
        return "split"
    agreed: dict[Verdict, Outcome] = {"first": "win", "second": "lose", "tie": "tie"}
    return agreed[a_first]
