"""RunReport, everything that one run has to tell; every form of the report is made from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from kshot.errors import DataError
from kshot.report.cocktail.facts import CocktailFacts
from kshot.report.knowledge.facts import OpenKnowledge
from kshot.report.plain import from_plain, to_plain

SCHEMA = 1
HELD_OUT = "held-out test file"
Interval: TypeAlias = tuple[float, float]
Level: TypeAlias = Literal["info", "warning", "error"]
Verdict: TypeAlias = Literal[
    "better",
    "worse",
    "tied",
    "too few rows to tell",
    "reference",
    "not compared",
    "oracle, for orientation only",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """What was asked, of whom, and how it was judged.

    Attributes:
        label_counts: Rows of each label among the shots.
        evaluation: ``held-out test file``, or how the labelled rows were folded.
        reference: Name of the system that differences refer to.
        margin: Largest difference that counts as none, in units of the metric.
    """

    name: str
    kind: str
    metric: str
    k: int
    seed: int
    n_test: int
    instruction: str = ""
    labels: tuple[str, ...] = ()
    label_counts: dict[str, int] = field(default_factory=dict)
    base_model: str | None = None
    embedder: str | None = None
    evaluation: str = HELD_OUT
    reference: str = "zero-shot"
    margin: float = 0.02

    @property
    def held_out(self) -> bool:
        """Whether the figures come from rows that no system could see."""
        return self.evaluation == HELD_OUT


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemResult:
    """One line of the leaderboard.

    Attributes:
        value: The metric over ``n`` test rows, with its 95 % ``interval``.
        invalid: Rows in which no answer could be read, in any repeat.
        difference: Value minus the value of the reference, with its 95 % interval.
        smallest_difference: What ``n`` rows could have shown, in units of the metric.
        seconds: Wall time of everything this system needed; ``latency`` is seconds per row.
        size_bytes: Bytes on disk that the system adds to the base model.
        selection_score: Score on the shots: what it was chosen by, never evidence.
    """

    name: str
    kind: str
    metric: str
    value: float
    interval: Interval
    n: int
    verdict: Verdict
    note: str = ""
    invalid: int = 0
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    smallest_difference: float | None = None
    seconds: float = 0.0
    latency: float = 0.0
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    size_bytes: int = 0
    selection_score: float | None = None
    oracle: bool = False

    @property
    def single_adapter(self) -> bool:
        """Whether this is one adapter of the bank as it is: ``adapter: NAME``, not one that was chosen."""
        return self.kind == "adapter" and self.name.startswith("adapter: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class BankRow:
    """One adapter or model of the bank.

    Attributes:
        right: Share of the shots that it answers right (a selection score).
        answer_loss: Nats per token on the shots, as ``reasoning_loss``; ``perplexity`` is exp of one of them.
        test_value: The metric on the test rows: oracle knowledge, for orientation only, as is ``verdict``,
            which says how that compares with the reference.
    """

    name: str
    rank: int | None = None
    alpha: float | None = None
    targets: tuple[str, ...] = ()
    size_bytes: int = 0
    licence: str | None = None
    base: str | None = None
    findings: tuple[str, ...] = ()
    usable: bool = True
    right: float | None = None
    answer_loss: float | None = None
    reasoning_loss: float | None = None
    perplexity: float | None = None
    test_value: float | None = None
    test_interval: Interval | None = None
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the reader should know: about contamination, labels, the bank, or the run."""

    topic: str
    level: Level
    sentence: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A system that could not be built, or an adapter that was turned away."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class RowResult:
    """One test row and what each system made of it; a prediction of None means that no answer was read."""

    id: str
    prompt: str
    answer: str
    source: str | None
    predictions: dict[str, str | None]
    scores: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Everything that one run has to tell. Systems stand in the order of the leaderboard.

    Attributes:
        headline: The first line of every form of the report; ``headline_of`` writes it.
        leaves: What left this machine; empty means that nothing did.
        recommended: Name of a system, or None where none is worth its cost.
        provenance: Seeds, versions, hashes, device, wall time, command: plain nested values.
        knowledge: What experts and data were chosen and what their mixture does, where a run chose any.
        cocktail: How the weights of mixed models came about, where a run mixed any.
        rows: For browsing in ``report.html``; no part of ``report.json``.

    Raises:
        DataError: Two systems share a name, the recommended one is missing, or the headline keeps
            back that the figures come from the miniature or from no held-out file.
    """

    schema: int = SCHEMA
    headline: str
    miniature: bool
    task: TaskFacts
    systems: tuple[SystemResult, ...] = ()
    bank: tuple[BankRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    refused: tuple[Refused, ...] = ()
    leaves: tuple[str, ...] = ()
    recommended: str | None = None
    because: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    knowledge: OpenKnowledge | None = None
    cocktail: CocktailFacts | None = None
    rows: tuple[RowResult, ...] = ()

    def __post_init__(self) -> None:
        names = Counter(system.name for system in self.systems)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise DataError(f"report: {twice[0]!r} names {names[twice[0]]} systems; names must be unique")
        if self.recommended is not None and self.recommended not in names:
            raise DataError(f"report: recommended {self.recommended!r} is none of the systems")
        if self.miniature and "miniature" not in self.headline.lower():
            raise DataError(f"report: headline {self.headline!r} lacks the word miniature; use headline_of")
        if not self.task.held_out and self.task.evaluation not in self.headline:
            raise DataError(
                f"report: headline {self.headline!r} lacks {self.task.evaluation!r}; use headline_of"
            )

    def system(self, name: str | None) -> SystemResult | None:
        """The system of that name, or None."""
        return next((system for system in self.systems if system.name == name), None)

    @property
    def against(self) -> str:
        """The heading of differences: ``against zero-shot``, or ``difference`` where no reference ran."""
        return f"against {self.task.reference}" if self.system(self.task.reference) else "difference"

    @property
    def folded(self) -> tuple[SystemResult, ...]:
        """Single adapters that short forms leave out where there are more than three; the bank shows them."""
        kept = (self.recommended, self.task.reference)
        singles = tuple(s for s in self.systems if s.single_adapter and s.name not in kept)
        return singles if len(singles) > 3 else ()

    @property
    def main_systems(self) -> tuple[SystemResult, ...]:
        """The leaderboard without the folded adapters, in its order."""
        folded = {system.name for system in self.folded}
        return tuple(system for system in self.systems if system.name not in folded)

    def to_json(self, *, with_rows: bool = False) -> dict[str, Any]:
        """Plain types, values unrounded; NaN and infinity become null. Rows only on demand."""
        plain: dict[str, Any] = to_plain(self)
        if not with_rows:
            del plain["rows"]
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> RunReport:
        """The report that ``to_json`` wrote; null becomes NaN where a number is needed.

        Raises:
            DataError: Another schema, or a field that is missing or has the wrong type.
        """
        found = plain.get("schema") if isinstance(plain, dict) else None
        if found != SCHEMA:
            raise DataError(f"report: schema is {found!r}, expected {SCHEMA}; write it anew with this kshot")
        report: RunReport = from_plain(cls, plain, where="report")
        return report


def headline_of(task: TaskFacts, *, miniature: bool = False) -> str:
    """The first line: task, miniature or not, shots, test rows or folds, metric.

    >>> task = TaskFacts(name="trades", kind="generation", metric="exact_match", k=20, seed=0, n_test=400)
    >>> headline_of(task, miniature=True)
    'trades · miniature · 20 shots (seed 0) · 400 test rows · exact match'
    """
    rows = "row" if task.n_test == 1 else "rows"
    judged = f"{task.n_test} test {rows}"
    if not task.held_out:
        judged = f"no held-out test file: {task.evaluation} ({task.n_test} {rows})"
    shots = f"{task.k} shot{'' if task.k == 1 else 's'} (seed {task.seed})"
    parts = [task.name, *(["miniature"] if miniature else []), shots, judged, task.metric.replace("_", " ")]
    return " · ".join(parts)
