"""What was chosen from the open and what was left: experts and data, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from kshot.errors import DataError
from kshot.report.knowledge.checks import each_once

Fate: TypeAlias = Literal["shot", "kept", "near-duplicate", "guard", "not chosen"]
FATES: tuple[Fate, ...] = ("shot", "kept", "near-duplicate", "guard", "not chosen")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertRow:
    """One expert and how it stood when experts were chosen; every figure was measured on the shots.

    Attributes:
        accuracy: Share of the shots that it answers right, a selection score; ``accuracy_se`` its
            standard error, as for ``perplexity``, which is of answer and reasoning.
        rank_accuracy: 1 is best, ties share the smaller rank, as in ``rank_perplexity``.
        rank_sum: The two ranks added: the smallest sums make the pool.
        chance_pool: Share of bootstrap draws of the shots in which it is in the pool; ``chance_chosen``
            in which it is chosen.
        left: Why it was not chosen, or None.
    """

    name: str
    accuracy: float | None = None
    accuracy_se: float | None = None
    perplexity: float | None = None
    perplexity_se: float | None = None
    rank_accuracy: int | None = None
    rank_perplexity: int | None = None
    rank_sum: int | None = None
    in_pool: bool = False
    chosen: bool = False
    chance_pool: float | None = None
    chance_chosen: float | None = None
    left: str | None = None

    @property
    def state(self) -> str:
        """``chosen``, ``in the pool`` or ``left``."""
        return "chosen" if self.chosen else "in the pool" if self.in_pool else "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One group of experts that came into question.

    Attributes:
        similarity: Mean similarity of its pairs, None for a group of one; ``diversity_rank`` is 1 for the
            least alike group.
        total: What the rule makes smallest: under ``paper`` rank sum plus diversity rank.
        more: What else a rule judges groups by, the most important first; lower is better.
    """

    members: tuple[str, ...]
    rank_sum: int | None = None
    diversity_rank: int | None = None
    similarity: float | None = None
    total: float | None = None
    chosen: bool = False
    more: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertFacts:
    """How experts were chosen from K shots.

    Attributes:
        rule: ``paper``, ``released-code`` or another rule's name; ``similarity`` how pairs are compared.
        exact: Whether all groups were compared; else the choice is approximate.
        k: How many shots the selection scores rest on.
        groups: The best groups, best first; ``groups_considered`` how many there were.
        margin: What the rule judges by first, of the runner-up minus of the chosen group; None without
            a runner-up.
        notes: What the reader should know, a sentence each.
    """

    experts: tuple[ExpertRow, ...]
    rule: str
    k: int
    similarity: str = ""
    exact: bool = True
    groups: tuple[GroupRow, ...] = ()
    groups_considered: int | None = None
    margin: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        each_once("experts", (row.name for row in self.experts))


@dataclass(frozen=True, slots=True)
class DataPoint:
    """One row on the map: its place, what became of it, the start of its text, its score if it has one."""

    x: float
    y: float
    fate: Fate
    text: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """How open data was chosen.

    Attributes:
        counts: Rows by fate, all of them; keys as in ``FATES``, further ones, such as a reason in words,
            are shown after these.
        asked: How many candidates were asked for; ``threshold`` the cosine above which rows repeat.
        points: A map in two dimensions, of some rows only where there are many.
    """

    counts: dict[str, int]
    encoder: str
    selector: str
    asked: int
    threshold: float
    points: tuple[DataPoint, ...] = ()

    def __post_init__(self) -> None:
        below = [fate for fate, count in self.counts.items() if count < 0]
        if below:
            raise DataError(f"data: {below[0]!r} counts {self.counts[below[0]]} rows, expected 0 or more")
        odd = [point.fate for point in self.points if point.fate not in FATES]
        if odd:
            raise DataError(f"data: a point has the fate {odd[0]!r}, expected one of {', '.join(FATES)}")
