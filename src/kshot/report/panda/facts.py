"""PandaReport, what a PANDA evaluation tells: plain values, made by the pipeline, shown by the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.errors import DataError

Interval: TypeAlias = tuple[float, float]
Group: TypeAlias = Literal["baseline", "insights", "control", "expert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRow:
    """One row of the leaderboard; every row was judged on the same items.

    Attributes:
        group: ``baseline``, ``insights`` (what the method offers), ``control`` or ``expert``.
        value: Under the report's metric, with its 95 % interval.
        more: Further metrics by name (accuracy, an official score).
        difference: To the reference, paired; None for the reference itself.
        p_holm: Holm's over all compared rows; None for the reference.
        invalid: Replies that state no answer: wrong in every metric.
        prompt_tokens: Over all items, as ``completion_tokens``; also where a reply was cached.
        usd: What this run paid for it; cached replies are free.
    """

    name: str
    group: Group
    value: float
    interval: Interval
    n: int
    invalid: int = 0
    more: dict[str, float] | None = None
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    verdict: str = ""
    smallest_difference: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    usd: float = 0.0
    note: str = ""

    @property
    def tokens_per_item(self) -> float:
        """Prompt and completion tokens of one item."""
        return (self.prompt_tokens + self.completion_tokens) / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """One comparison of the controls.

    Attributes:
        question: ``used``, ``adds_to_examples``, ``follows_blindly``; ``beside`` for what is shown with them.
        shown: Whether the interval lies above 0.
        smallest_difference: What these rows could have shown.
    """

    question: str
    a: str
    b: str
    difference: float
    interval: Interval
    p: float
    n: int
    smallest_difference: float
    shown: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow:
    """One variant of an ablation; ``difference`` is to the first variant of its table, on the same items."""

    name: str
    value: float
    interval: Interval
    n: int
    difference: float | None = None
    difference_interval: Interval | None = None
    p_holm: float | None = None
    invalid: int = 0
    pool_size: int | None = None
    tokens_per_item: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRows:
    """One question of the ablations and its variants, the reference first."""

    question: str
    title: str
    variants: tuple[VariantRow, ...]
    skipped: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownInsight:
    """An insight as a query got it, or as it was left out with a reason."""

    key: str
    text: str
    score: float
    label: str = ""
    probability: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRow:
    """One item, what was retrieved for it, and what was answered with and without."""

    query: str
    gold: str
    answer: str | None
    without: str | None
    chosen: tuple[ShownInsight, ...] = ()
    left_out: tuple[ShownInsight, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Calls, tokens and money of one step."""

    step: str
    calls: int
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeRow:
    """One way of sharing items between the LLM and the expert.

    Attributes:
        value: None where it is not known.
        asked_share: Share of the items that went to the expert.
        kept: Score of the items that the LLM kept; ``asked`` of those that went to the expert. None: no such.
    """

    name: str
    value: float | None
    asked_share: float | None
    kept: float | None = None
    asked: float | None = None
    calls: int = 0
    usd: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One rule of the guide with the ids of the insights that support it."""

    text: str
    support: int
    ids: tuple[str, ...] = ()
    conflict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuideFacts:
    """The pool distilled into one short text."""

    text: str
    tokens: int
    rules: tuple[RuleRow, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PandaReport:
    """Everything that the page, the Markdown and the JSON tell.

    Attributes:
        simulated: The LLM is a simulation: the figures test the method and say nothing of any model.
        miniature: The task is of the invented small world.
        headline: The verdict in one sentence; ``because`` further sentences.
        tone: ``better``, ``unsure``, ``tied`` or ``none``.
        reference: Name of the leaderboard's row that the others are compared with.
        facts: About task, LLM, expert and encoder, as (name, value).
        pool: About the pool, as (name, value); ``pool_labels`` counts the preferred answers.
        leaves: What left this machine, a sentence each.
    """

    task: str
    metric: str
    n: int
    headline: str
    reference: str
    systems: tuple[SystemRow, ...]
    simulated: bool = False
    miniature: bool = False
    tone: str = "unsure"
    because: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    claims: tuple[ClaimRow, ...] = ()
    ablations: tuple[AblationRows, ...] = ()
    pool: tuple[tuple[str, str], ...] = ()
    pool_labels: dict[str, int] | None = None
    queries: tuple[QueryRow, ...] = ()
    usage: tuple[UsageRow, ...] = ()
    cascade: tuple[CascadeRow, ...] = ()
    cascade_sentence: str = ""
    guide: GuideFacts | None = None
    notes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    provenance: dict[str, str] | None = None

    def __post_init__(self) -> None:
        names = [row.name for row in self.systems]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DataError(f"panda report: system {twice[0]!r} stands there twice; names are unique")

    @property
    def labels(self) -> tuple[str, ...]:
        """The words that every page carries where figures are of no real model or task."""
        return tuple(
            name for name, on in (("simulated model", self.simulated), ("miniature", self.miniature)) if on
        )

    @property
    def title(self) -> str:
        """Task, labels, number of items and metric on one line."""
        return " · ".join([f"PANDA on {self.task}", *self.labels, f"{self.n:,} items", self.metric])
