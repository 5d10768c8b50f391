"""From predictions to the leaderboard: values, intervals, paired tests, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.errors import TaskError
from kshot.measure.metrics import invalid_count, row_scores
from kshot.measure.statistics import Comparison, compare_predictions, holm, score_interval
from kshot.pipeline.answers import Outcome, judged_rows
from kshot.report.result import SystemResult

REFERENCES = ("zero-shot", "LLM: zero-shot", "majority")
ORACLE = "oracle: best adapter on the test"


def answers_of(task: Task, rows: Sequence[Example]) -> list[str]:
    """What the metric compares with: the tests of a code row, else the answer as a reply states it.

    Raises:
        TaskError: The metric runs tests, and a row has none.
    """
    if task.metric != "pass_at_1":
        return [task.template.gold(row) for row in rows]
    if lacking := [row for row in rows if not row.tests]:
        where = lacking[0].source or "a row"
        count = f"{len(lacking)} of {len(rows)} rows lack it"
        raise TaskError(f"{where}: field 'tests' is missing; pass_at_1 runs it ({count})")
    return [row.tests or "" for row in rows]


def reference_of(outcomes: Sequence[Outcome]) -> str | None:
    """The system that differences refer to: zero-shot, the LLM's where there is no base; else majority."""
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
    systems = [outcome for outcome in outcomes if not outcome.recipe.single_adapter]
    adapters = [outcome for outcome in outcomes if outcome.recipe.single_adapter]
    main = _family(task, systems, reference, answers)
    singles = _family(task, adapters, reference, answers)
    candidates = [*singles, *(result for result in main if result.kind == "adapter")]
    oracle = [_oracle(candidates)] if singles else []
    return (*sorted([*main, *oracle], key=_rank), *sorted(singles, key=_rank))


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
        if reference is not None and name == reference.recipe.name:
            result = replace(result, verdict="reference")
        if name in compared:
            result = _with_comparison(result, compared[name], float(adjusted[name]))
        results.append(result)
    return results


def _alone(task: Task, outcome: Outcome, answers: Sequence[str]) -> SystemResult:
    value, interval = score_interval(
        task.metric, outcome.stated, answers, labels=task.labels or None, seed=task.settings.report.seed
    )
    asked, (calls, tokens, usd) = outcome.asked, outcome.built_with
    return SystemResult(
        name=outcome.recipe.name,
        kind=outcome.recipe.kind,
        note=outcome.note,
        metric=task.metric,
        value=value,
        interval=interval,
        n=len(answers),
        invalid=_invalid_rows(task, outcome),
        difference=None,
        difference_interval=None,
        p=None,
        p_holm=None,
        verdict="not compared",
        smallest_difference=None,
        seconds=outcome.seconds,
        latency=outcome.answer_seconds / max(len(asked), 1),
        calls=calls + sum(row.calls for row in asked),
        tokens=tokens + sum(row.prompt_tokens + row.completion_tokens for row in asked),
        usd=usd + sum(row.usd for row in asked),
        size_bytes=outcome.size_bytes,
        selection_score=outcome.selection_score,
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
    best = min(results, key=_rank)
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


def _rank(result: SystemResult) -> tuple[float, str]:
    """Best value first, a value that is no number last; ties by name."""
    return (-result.value if result.value == result.value else float("inf"), result.name)


def _invalid_rows(task: Task, outcome: Outcome) -> int:
    """Rows in which no answer could be read, in any repeat."""
    rows = zip(*outcome.stated, strict=True)
    return sum(any(invalid_count([stated], metric=task.metric) for stated in row) for row in rows)
