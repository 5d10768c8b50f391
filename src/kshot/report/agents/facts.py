"""AgentReport, what tables of interactive tasks tell: plain values that the pipeline makes and pages show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.report.panda.facts import ClaimRow, UsageRow

Interval: TypeAlias = tuple[float, float]
Group: TypeAlias = Literal["baseline", "insights", "control", "expert", "variant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One way of acting on the same test variations. Scores and differences are points of 0 to 100.

    Attributes:
        score: Mean final score; over several tasks the mean of their means. None: nothing was played.
        best: Mean of each variation's best round.
        solved: Share of the episodes that reached 100.
        steps: Mean lines of the agent.
        n: Variations; of all ``tasks`` of them.
        episodes: Played to their end; ``missing`` are not; ``failed`` say nothing and are in no mean.
        against: Name of the row that it is compared with; empty: of none.
        difference: Paired by variation.
        p_holm: Holm's over the comparisons of the table.
        smallest: The difference that these variations would have shown four times in five.
        asked: Requests, with those that a journal answered; ``paid``, tokens and money without them.
        pool: Insights that could be retrieved.
        note: What a reader should know; why there is nothing, where there is nothing.
    """

    name: str
    group: Group = "variant"
    score: float | None = None
    interval: Interval | None = None
    best: float | None = None
    solved: float | None = None
    steps: float | None = None
    n: int = 0
    tasks: int = 1
    episodes: int = 0
    missing: int = 0
    failed: int = 0
    against: str = ""
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    verdict: str = ""
    smallest: float | None = None
    asked: int = 0
    paid: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    pool: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRows:
    """The rows of one task; an empty name: of all tasks."""

    task: str
    rows: tuple[ScoreRow, ...]

    def row(self, name: str) -> ScoreRow | None:
        """The row of a name."""
        return next((row for row in self.rows if row.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One table for every task, and one over all of them.

    Attributes:
        question: ``conditions``, or the question of the ablation.
        overall: Over all tasks; None where there is one.
    """

    question: str
    title: str
    tasks: tuple[TaskRows, ...]
    overall: TaskRows | None = None

    @property
    def first(self) -> TaskRows:
        """What is shown whole: over all tasks, else the only one."""
        return self.overall or self.tasks[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Every row's name once, in order."""
        return tuple(dict.fromkeys(row.name for task in self.tasks for row in task.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """Everything that the page, the Markdown and the JSON tell.

    Attributes:
        simulated: The LLM is a simulation: the figures test the method and say nothing of any model.
        tone: ``better``, ``unsure``, ``tied`` or ``none``.
        verdicts: Task to its own verdict in words, where there are several tasks.
        claims: What the verdict over all tasks rests on; in points of 0 to 100.
        missing: What was not played, a sentence each.
        usage: Of this run, by step; what earlier runs paid stands with the rows.
    """

    tasks: tuple[str, ...]
    policy: str
    model: str
    headline: str
    conditions: Scores
    questions: tuple[Scores, ...] = ()
    simulated: bool = False
    tone: str = "unsure"
    because: tuple[str, ...] = ()
    verdicts: dict[str, str] | None = None
    facts: tuple[tuple[str, str], ...] = ()
    claims: tuple[ClaimRow, ...] = ()
    missing: tuple[str, ...] = ()
    usage: tuple[UsageRow, ...] = ()
    notes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    provenance: dict[str, str] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The words that every page carries where figures are of no real model."""
        return ("simulated model",) if self.simulated else ()

    @property
    def title(self) -> str:
        """Tasks, labels and policy on one line."""
        what = self.tasks[0] if len(self.tasks) == 1 else f"{len(self.tasks)} interactive tasks"
        return " · ".join([f"PANDA on {what}", *self.labels, self.policy])
