"""All that a run found, put together for the report, and the one sentence that recommends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kshot.data.task import Task
from kshot.pipeline.evaluate import (
    Outcome,
    answers_of,
    is_single_adapter,
    judge,
    judged_rows,
    per_row,
    reference_of,
    versus,
)
from kshot.pipeline.plan import Plan
from kshot.pipeline.workbench import Workbench
from kshot.report.result import (
    HELD_OUT,
    BankRow,
    Finding,
    Refused,
    RowResult,
    RunReport,
    SystemResult,
    TaskFacts,
    headline_of,
)


def assemble(
    bench: Workbench,
    plan: Plan,
    outcomes: Sequence[Outcome],
    *,
    findings: Sequence[Finding],
    failed: Sequence[Refused],
    provenance: dict[str, Any],
) -> RunReport:
    """The whole report as one value."""
    task = bench.task
    systems = judge(task, outcomes)
    recommended, because = recommend(task, outcomes, systems)
    facts = _facts(bench, reference_of(outcomes) or "none")
    return RunReport(
        headline=headline_of(facts, miniature=task.settings.miniature),
        miniature=task.settings.miniature,
        task=facts,
        systems=systems,
        bank=_bank_rows(bench, systems),
        findings=tuple(findings),
        refused=(*plan.refused, *failed),
        leaves=plan.leaves,
        recommended=recommended,
        because=because,
        provenance=provenance,
        rows=_row_results(task, outcomes),
    )


def recommend(
    task: Task, outcomes: Sequence[Outcome], systems: Sequence[SystemResult]
) -> tuple[str | None, str]:
    """The best system that is better than the reference, or the plain statement that there is none.

    Single adapters and the oracle are no candidates: picking them by test score would be choosing on the
    test. The runner-up is named with its paired comparison, since a first place may be luck.
    """
    reference = reference_of(outcomes)
    candidates = [s for s in systems if not s.oracle and not is_single_adapter(s.name)]
    if reference is None:
        return None, "neither zero-shot nor majority ran, so there is nothing to compare with."
    better = [s for s in candidates if s.verdict == "better"]
    if not better:
        return None, _nothing(candidates, reference)
    best = better[0]
    text = f"better than {reference} by {_signed(best.difference)} {_range(best.difference_interval)}"
    text += f", p = {_p(best.p_holm)} (Holm)"
    rivals = [s for s in candidates if s.name not in {best.name, reference}]
    if not rivals:
        return best.name, text + "."
    by_name = {outcome.recipe.name: outcome for outcome in outcomes}
    duel = versus(task, by_name[best.name], by_name[rivals[0].name])
    text += f"; against the next, {rivals[0].name}: {_signed(duel.difference)} {_range(duel.interval)}"
    return best.name, text + f", {duel.verdict} (uncorrected)."


def _nothing(candidates: Sequence[SystemResult], reference: str) -> str:
    rivals = [s for s in candidates if s.name != reference and s.difference is not None]
    if not rivals:
        return f"only {reference} ran."
    best = rivals[0]
    text = f"the highest of the others, {best.name}, lies {_signed(best.difference)} from it"
    text += f" {_range(best.difference_interval)}, p = {_p(best.p_holm)} (Holm)"
    if best.smallest_difference is None:
        return text + "."
    return text + f"; {best.n} rows could have shown a difference of {best.smallest_difference:.3f}."


def _facts(bench: Workbench, reference: str) -> TaskFacts:
    task, settings = bench.task, bench.task.settings
    folds = settings.folds
    repeated = f"{folds.repeats} x {folds.count}-fold over the labelled rows"
    counts = Counter(shot.answer for shot in task.shots) if task.labels else Counter[str]()
    return TaskFacts(
        name=task.name,
        kind=task.template.kind,
        instruction=task.template.instruction,
        metric=task.metric,
        k=len(task.shots),
        seed=settings.examples.seed,
        n_test=len(judged_rows(task)),
        labels=tuple(task.labels),
        label_counts=dict(counts),
        base_model=settings.model.base if settings.model else None,
        embedder=bench.embedder.id,
        evaluation=HELD_OUT if task.test else repeated,
        reference=reference,
        margin=settings.report.margin,
    )


def _bank_rows(bench: Workbench, systems: Sequence[SystemResult]) -> tuple[BankRow, ...]:
    if bench.bank is None:
        return ()
    results = {s.name.removeprefix("adapter: "): s for s in systems if is_single_adapter(s.name)}
    scores = bench.scores if bench.experts else None
    audit = bench.audit
    rows = []
    for entry in bench.bank.entries:
        found = [f for f in audit.findings if f.name == entry.name] if audit else []
        result = results.get(entry.name)
        at = scores.experts.index(entry.name) if scores and entry.name in scores.experts else None
        reasoning = float(np.nanmean(scores.reasoning_loss[at])) if scores and at is not None and _any(scores, at) else None
        target = float(np.exp(scores.target_loss[at]).mean()) if scores and at is not None else None
        rows.append(
            BankRow(
                name=entry.name,
                rank=max(entry.ranks, default=None),
                alpha=max(entry.alphas, default=None),
                targets=entry.targets,
                size_bytes=entry.size_bytes,
                licence=entry.licence,
                base=entry.base,
                findings=tuple(f.sentence for f in found),
                usable=audit is None or entry.name in audit.usable,
                right=float(scores.right[at].mean()) if scores and at is not None else None,
                answer_loss=float(scores.answer_loss[at].mean()) if scores and at is not None else None,
                reasoning_loss=reasoning,
                perplexity=target,
                test_value=result.value if result else None,
                test_interval=result.interval if result else None,
                verdict=result.verdict if result else "",
            )
        )
    return tuple(rows)


def _any(scores: Any, at: int) -> bool:
    return bool(np.isfinite(scores.reasoning_loss[at]).any())


def _row_results(task: Task, outcomes: Sequence[Outcome]) -> tuple[RowResult, ...]:
    rows = judged_rows(task)
    answers = answers_of(task, rows)
    scores = {outcome.recipe.name: per_row(task, outcome) for outcome in outcomes}
    return tuple(
        RowResult(
            id=row.id,
            prompt=row.prompt,
            answer=answer,
            source=row.source,
            predictions={o.recipe.name: o.predictions[0][i].prediction for o in outcomes},
            scores={name: float(values[i]) for name, values in scores.items()},
        )
        for i, (row, answer) in enumerate(zip(rows, answers, strict=True))
    )


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


def _range(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"[{interval[0]:+.3f}, {interval[1]:+.3f}]"


def _p(value: float | None) -> str:
    return "" if value is None else ("< 0.001" if value < 0.001 else f"{value:.3f}")


