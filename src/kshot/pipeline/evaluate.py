"""From predictions to the leaderboard: values, intervals, paired tests, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.measure.metrics import row_scores
from kshot.measure.predict import Prediction
from kshot.measure.statistics import Comparison, compare_predictions, holm, score_interval
from kshot.pipeline.recipes import Recipe
from kshot.report.result import SystemResult

REFERENCES = ("zero-shot", "majority")
ORACLE = "oracle: best adapter on the test"
ADAPTER = "adapter: "


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one system said about every row, in every repeat.

    Attributes:
        recipe: How the system came about.
        note: What the system says of itself.
        predictions: (R, N) repeats x rows, rows in the order of ``judged_rows``.
        seconds: Building and answering, all splits together.
        answer_seconds: Answering alone.
        size_bytes: What the system adds on disk.
    """

    recipe: Recipe
    note: str
    predictions: tuple[tuple[Prediction, ...], ...]
    seconds: float
    answer_seconds: float
    size_bytes: int

    @property
    def stated(self) -> list[list[str | None]]:
        """(R, N) the stated answers, None where a reply states none."""
        return [[row.prediction for row in repeat] for repeat in self.predictions]


def judged_rows(task: Task) -> tuple[Example, ...]:
    """Every row that is judged, once, in the order of the first repeat's splits."""
    first = [split for split in task.splits() if split.repeat == 0]
    return tuple(row for split in first for row in split.test)


def answers_of(task: Task, rows: Sequence[Example]) -> list[str]:
    """What the metric compares with: the tests of a code row, else the answer as a reply states it."""
    return [
        row.tests or row.answer if task.metric == "pass_at_1" else task.template.gold(row) for row in rows
    ]


def reference_of(outcomes: Sequence[Outcome]) -> str | None:
    """The system that differences refer to: zero-shot, or majority where no model is at hand."""
    names = {outcome.recipe.name for outcome in outcomes}
    return next((name for name in REFERENCES if name in names), None)


def judge(task: Task, outcomes: Sequence[Outcome]) -> tuple[SystemResult, ...]:
    """Results in leaderboard order: best value first, ties by name; single adapters after the others.

    Holm's correction runs over the leaderboard's systems and over the single adapters apart, since a
    bank of any size must not weaken what is said of the systems.
    """
    rows = judged_rows(task)
    answers = answers_of(task, rows)
    reference = next((o for o in outcomes if o.recipe.name == reference_of(outcomes)), None)
    results: list[SystemResult] = []
    for family in (False, True):
        members = [outcome for outcome in outcomes if is_single_adapter(outcome.recipe.name) == family]
        results += _family(task, members, reference, answers)
    oracle = [_oracle(results)] if any(is_single_adapter(r.name) for r in results) else []
    return tuple(
        sorted([*results, *oracle], key=lambda r: (is_single_adapter(r.name), -_sortable(r.value), r.name))
    )


def is_single_adapter(name: str) -> bool:
    """Whether a system is one adapter of the bank, tried as it is."""
    return name.startswith(ADAPTER)


def versus(task: Task, one: Outcome, other: Outcome) -> Comparison:
    """The paired comparison of two systems on the judged rows (uncorrected)."""
    margin, seed = task.settings.report.margin, task.settings.report.seed
    answers = answers_of(task, judged_rows(task))
    return compare_predictions(
        task.metric, one.stated, other.stated, answers, labels=task.labels or None, margin=margin, seed=seed
    )


def per_row(task: Task, outcome: Outcome) -> NDArray[np.float64]:
    """(N,) score of each row, averaged over repeats; is it right, where the metric is no mean."""
    answers = answers_of(task, judged_rows(task))
    kept = []
    for repeat in outcome.stated:
        scores = row_scores(task.metric, repeat, answers, labels=task.labels or None)
        if scores is None:
            scores = row_scores("accuracy", repeat, answers)
        kept.append(np.asarray(scores, np.float64))
    return np.asarray(np.mean(kept, axis=0), np.float64)


def _family(
    task: Task, members: Sequence[Outcome], reference: Outcome | None, answers: Sequence[str]
) -> list[SystemResult]:
    compared = {
        member.recipe.name: versus(task, member, reference)
        for member in members
        if reference is not None and member.recipe.name != reference.recipe.name
    }
    adjusted = dict(zip(compared, holm([c.p for c in compared.values()]), strict=True)) if compared else {}
    results = []
    for member in members:
        name = member.recipe.name
        result = _alone(task, member, answers)
        if name in compared:
            result = _with_comparison(result, compared[name], float(adjusted[name]))
        results.append(result)
    return results


def _alone(task: Task, outcome: Outcome, answers: Sequence[str]) -> SystemResult:
    value, interval = score_interval(
        task.metric, outcome.stated, answers, labels=task.labels or None, seed=task.settings.report.seed
    )
    flat = [row for repeat in outcome.predictions for row in repeat]
    return SystemResult(
        name=outcome.recipe.name,
        kind=outcome.recipe.kind,
        note=outcome.note,
        metric=task.metric,
        value=value,
        interval=interval,
        n=len(answers),
        invalid=sum(row.prediction is None for row in flat),
        difference=None,
        difference_interval=None,
        p=None,
        p_holm=None,
        verdict="reference",
        smallest_difference=None,
        seconds=outcome.seconds,
        latency=outcome.answer_seconds / max(len(flat), 1),
        calls=sum(row.calls for row in flat),
        tokens=sum(row.prompt_tokens + row.completion_tokens for row in flat),
        usd=sum(row.usd for row in flat),
        size_bytes=outcome.size_bytes,
        selection_score=None,
        oracle=False,
    )


def _with_comparison(result: SystemResult, comparison: Comparison, p_holm: float) -> SystemResult:
    corrected = comparison.with_p(p_holm)
    return replace(
        result,
        difference=comparison.difference,
        difference_interval=comparison.interval,
        p=comparison.p,
        p_holm=p_holm,
        verdict=corrected.verdict,
        smallest_difference=comparison.smallest_difference,
    )


def _oracle(results: Sequence[SystemResult]) -> SystemResult:
    best = min((r for r in results if is_single_adapter(r.name)), key=lambda r: (-_sortable(r.value), r.name))
    return replace(
        best,
        name=ORACLE,
        kind="oracle",
        note=f"{best.name}, picked by its test score: an upper reference no honest choice can claim",
        p=None,
        p_holm=None,
        verdict="oracle, for orientation only",
        oracle=True,
    )


def _sortable(value: float) -> float:
    return value if value == value else float("-inf")
