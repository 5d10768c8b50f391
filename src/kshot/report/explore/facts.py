"""ExploreFacts, what an exploration tells: plain values that the pipeline makes and pages show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kshot.errors import DataError
from kshot.measure.coverage import DatasetCoverage, TreeCoverage, YieldPoint
from kshot.report.panda.facts import UsageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """One task of the tree.

    Attributes:
        parent: Id; None for the root.
        closed: Why it is asked for no more children; empty while it is open.
        full: Why it is asked for no more rows; empty while it wants some.
        names_asked: Children asked for, as ``names_delivered`` and ``names_kept``; ``name_calls`` requests.
        rows: Kept, the ``attached`` ones of the user among them.
        rows_asked: Rows asked for, as ``rows_delivered``; ``row_calls`` requests.
        refused_names: Children that did not stay, by rule; ``refused_rows`` likewise.
        estimate: Of the number of all children, by a blind probe; None where there was none.
        is_telling: Whether the probe met enough children again for the estimate to say much.
    """

    id: str
    name: str
    parent: str | None = None
    depth: int = 0
    reason: str = ""
    origin: str = ""
    closed: str = ""
    full: str = ""
    names_asked: int = 0
    names_delivered: int = 0
    names_kept: int = 0
    name_calls: int = 0
    rows: int = 0
    attached: int = 0
    rows_asked: int = 0
    rows_delivered: int = 0
    row_calls: int = 0
    refused_names: dict[str, int] | None = None
    refused_rows: dict[str, int] | None = None
    estimate: float | None = None
    is_telling: bool = False

    @property
    def rows_yield(self) -> float | None:
        """Kept of the rows that came; None where none were asked for, or none came."""
        if not self.row_calls or not self.rows_delivered:
            return None
        return (self.rows - self.attached) / self.rows_delivered

    @property
    def names_yield(self) -> float | None:
        """Kept of the names that were asked for; None where none were."""
        return self.names_kept / self.names_asked if self.names_asked else None

    @property
    def refused(self) -> int:
        """Rows that came and did not stay."""
        return sum((self.refused_rows or {}).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRow:
    """A row as a sample; ``task`` is the id of its task."""

    task: str
    instruction: str
    input: str = ""
    output: str = ""
    attached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRefusal:
    """Something that came and did not stay; ``task`` and ``near`` are names or texts, no ids."""

    text: str
    task: str = ""
    near: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacts:
    """What one rule refused, with a few of them."""

    kind: Literal["name", "row"]
    rule: str
    count: int
    examples: tuple[ShownRefusal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPoint:
    """A row in the plane of an embedding; ``group`` is its task or dataset."""

    x: float
    y: float
    group: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRow:
    """A row that repeats a test row or a shot; ``how`` is the check that found it."""

    text: str
    other: str
    how: str
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContaminationFacts:
    """What the contamination guard found among the rows.

    Attributes:
        checked: Rows that it looked at.
        against: Test rows and shots, in words.
        counts: Rows found, by check; empty: none.
        found: Some of them.
    """

    checked: int
    against: str
    counts: dict[str, int]
    found: tuple[FoundRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreFacts:
    """Everything that the page, the Markdown and the JSON tell.

    Attributes:
        domain: Name of the root.
        simulated: The LLM is a simulation; ``miniature``: the domain is of the invented small world.
        tasks: In preorder, the root first; empty: nothing was explored.
        row_count: All kept rows; ``rows`` are a sample of them, by task in preorder.
        grow_calls: Requests for tasks, relevance and probes; ``fill_calls`` for rows and second answers.
        budget_calls: The limit; None without one.
        share: Of the budget, what exploring may use at most; None where nothing bounds it.
        stopped: Why it ended early; empty where it did not.
        usd: What was paid; None where prices are not known.
        refusals: By rule, most frequent first.
        datasets: Coverage of this exploration, first, and of other datasets.
        evenness: Of rows over tasks.
        yields: Kept rows over calls.
        map_of: How the points of ``map`` came to their places, in a few words.
        contamination: None where there was nothing to check against.
        facts: About domain, LLM, embedder and options, as (name, value).
        commands: What to do next, as (what for, command).
        leaves: What left this machine, a sentence each.
    """

    domain: str
    tasks: tuple[TaskFacts, ...] = ()
    description: str = ""
    model: str = ""
    simulated: bool = False
    miniature: bool = False
    row_count: int = 0
    rows: tuple[ShownRow, ...] = ()
    grow_calls: int = 0
    fill_calls: int = 0
    budget_calls: int | None = None
    share: float | None = None
    tokens: int = 0
    stopped: str = ""
    usd: float | None = None
    seconds: float | None = None
    refusals: tuple[RuleFacts, ...] = ()
    datasets: tuple[DatasetCoverage, ...] = ()
    evenness: TreeCoverage | None = None
    yields: tuple[YieldPoint, ...] = ()
    map: tuple[MapPoint, ...] = ()
    map_of: str = ""
    contamination: ContaminationFacts | None = None
    usage: tuple[UsageRow, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    provenance: dict[str, str] | None = None

    def __post_init__(self) -> None:
        known: set[str] = set()
        for task in self.tasks:
            if task.id in known:
                raise DataError(f"explore report: task id {task.id!r} stands there twice; ids are unique")
            if (task.parent is None) != (not known) or (task.parent and task.parent not in known):
                raise DataError(
                    f"explore report: task {task.name!r} stands before its parent; expected preorder"
                )
            known.add(task.id)

    @property
    def labels(self) -> tuple[str, ...]:
        """The words that every page carries where figures are of no real model or domain."""
        return tuple(
            name for name, on in (("simulated model", self.simulated), ("miniature", self.miniature)) if on
        )

    @property
    def title(self) -> str:
        """Domain, labels, tasks and rows on one line."""
        sizes = [f"{len(self.tasks):,} tasks", f"{self.row_count:,} rows"]
        return " · ".join([f"Explore {self.domain}", *self.labels, *sizes])
