"""PandaSummary: what PANDA evaluations of several tasks tell together; plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kshot.errors import DataError
from kshot.report.panda.facts import Group, Interval, UsageRow
from kshot.report.plain import from_plain, to_plain

_FORMAT, _VERSION = "kshot-panda-summary", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A value with its 95 % interval."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """One finished task.

    Attributes:
        headline: The verdict on its insights in one sentence; ``tone`` as in ``PandaReport``.
        page: Its own report, relative to the summary; empty: it has none.
        pooled: The rows of several tasks judged as one; it counts in no mean over tasks.
    """

    name: str
    n: int
    metric: str
    official: str = ""
    headline: str = ""
    tone: str = "none"
    page: str = ""
    notes: tuple[str, ...] = ()
    pooled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryCell:
    """One system on one task.

    Attributes:
        score: Under the task's metric, on which differences and verdicts rest.
        macro_f1: None where there are no labels, as for ``accuracy``.
        official: Under the data set's own metric; None where there is none.
        difference: To the reference on the same items, paired; None for the reference.
        p_holm: Holm's over all comparisons of the summary.
    """

    task: str
    system: str
    group: Group
    n: int
    score: Scored
    macro_f1: Scored | None = None
    accuracy: Scored | None = None
    official: Scored | None = None
    invalid: int = 0
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialRow:
    """One system under the official metrics of a data set's tasks.

    Attributes:
        values: By official task.
        mean: Over all official tasks; None where one is missing.
    """

    system: str
    values: dict[str, float]
    mean: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantCell:
    """One variant of an ablation on one task; ``difference`` is to the first variant there.

    Attributes:
        variant: Its column: the same words for all tasks.
        name: As the task's own report has it.
        p_holm: Holm's over all comparisons of the question, of all tasks.
    """

    task: str
    variant: str
    name: str
    value: float
    interval: Interval
    n: int
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryAblation:
    """One question of the ablations over all tasks; ``variants`` are the columns in their order."""

    question: str
    title: str
    variants: tuple[str, ...]
    cells: tuple[VariantCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PandaSummary:
    """Everything that the summary's page, Markdown and JSON tell.

    Attributes:
        systems: Names in the order of the leaderboard.
        tasks: Finished ones, in the order given; pooled ones last.
        missing: Tasks that are not finished, each with the reason.
        official: Empty where no task has an official metric; ``official_tasks`` are the columns.
        official_missing: Official tasks without which there is no mean.
        notes: What a reader should know, a sentence each.
        leaves: What left this machine.
    """

    systems: tuple[str, ...]
    reference: str
    tasks: tuple[TaskLine, ...]
    cells: tuple[SummaryCell, ...]
    missing: dict[str, str]
    official: tuple[OfficialRow, ...] = ()
    official_tasks: tuple[str, ...] = ()
    official_missing: tuple[str, ...] = ()
    ablations: tuple[SummaryAblation, ...] = ()
    simulated: bool = False
    miniature: bool = False
    facts: tuple[tuple[str, str], ...] = ()
    usage: tuple[UsageRow, ...] = ()
    notes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The words that every page carries where figures are of no real model or task."""
        return tuple(
            name for name, on in (("simulated model", self.simulated), ("miniature", self.miniature)) if on
        )

    @property
    def single(self) -> tuple[TaskLine, ...]:
        """The finished tasks without the pooled ones."""
        return tuple(one for one in self.tasks if not one.pooled)

    @property
    def metric(self) -> str:
        """The metric of all tasks; empty where they differ."""
        found = {one.metric for one in self.tasks}
        return found.pop() if len(found) == 1 else ""

    @property
    def title(self) -> str:
        """How many tasks, labels and metric on one line."""
        done, of = len(self.single), len(self.single) + len(self.missing)
        tasks = f"{done} task" + "s" * (done != 1) if done == of else f"{done} of {of} tasks"
        return " · ".join([f"PANDA on {tasks}", *self.labels, *([self.metric] if self.metric else [])])

    def cell(self, task: str, system: str) -> SummaryCell | None:
        """A system on a task; None where it was not judged."""
        return next((one for one in self.cells if (one.task, one.system) == (task, system)), None)

    def of_system(self, system: str) -> list[SummaryCell]:
        """A system on every task that is no pooled one."""
        single = {one.name for one in self.single}
        return [one for one in self.cells if one.system == system and one.task in single]


def mean(values: list[float]) -> float | None:
    """The mean; None of nothing.

    >>> mean([0.25, 0.75]), mean([])
    (0.5, None)
    """
    return sum(values) / len(values) if values else None


def summary_to_json(summary: PandaSummary) -> dict[str, Any]:
    """The summary as JSON values, with the name and version of the format."""
    plain: dict[str, Any] = to_plain(summary)
    return {"format": _FORMAT, "version": _VERSION, **plain}


def summary_from_json(plain: Mapping[str, Any]) -> PandaSummary:
    """The summary that ``summary_to_json`` wrote.

    Raises:
        DataError: It is no such summary, or of a newer version.

    >>> told = PandaSummary(systems=(), reference="r", tasks=(), cells=(), missing={"irony": "not begun"})
    >>> summary_from_json(summary_to_json(told)) == told
    True
    """
    if (plain.get("format"), plain.get("version")) != (_FORMAT, _VERSION):
        found = f"{plain.get('format')!r} {plain.get('version')!r}"
        raise DataError(f"panda summary: found {found}, this kshot reads {_FORMAT!r} {_VERSION}")
    summary: PandaSummary = from_plain(PandaSummary, plain, where="panda summary")
    return summary
