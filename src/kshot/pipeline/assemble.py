"""All that a run found, put together for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kshot.data.task import Task
from kshot.measure.scores import BankScores
from kshot.models.bank import BankEntry
from kshot.models.bank.audit import Audit
from kshot.pipeline.answers import Outcome, judged_rows
from kshot.pipeline.evaluate import answers_of, judge, per_row, reference_of
from kshot.pipeline.panda.controls_seen import panda_findings, usage_findings
from kshot.pipeline.panda.llm import llm_usage
from kshot.pipeline.plan import Plan
from kshot.pipeline.recommend import recommend
from kshot.pipeline.seen import seen
from kshot.pipeline.soups.seen_mixes import seen_mixes
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
    task: Task,
    bench: Workbench,
    plan: Plan,
    outcomes: Sequence[Outcome],
    *,
    findings: tuple[Sequence[Finding], Sequence[Refused]],
    provenance: dict[str, Any],
) -> RunReport:
    """The whole report as one value; ``findings`` are what was found and what failed while building."""
    systems = judge(task, outcomes)
    scored = any(recipe.needs & {"bank", "scores"} for recipe in plan.recipes)
    bank = _bank_rows(bench, systems, bench.scores if scored and bench.experts else None)
    systems = _with_selection_scores(systems, bank)
    recommended, because = recommend(task, outcomes, systems)
    facts = _facts(task, bench, reference_of(outcomes) or "none")
    return RunReport(
        headline=headline_of(facts, miniature=task.settings.miniature),
        miniature=task.settings.miniature,
        task=facts,
        systems=systems,
        bank=bank,
        findings=(*findings[0], *panda_findings(task, outcomes), *usage_findings(llm_usage(bench))),
        refused=(*plan.refused, *findings[1]),
        leaves=plan.leaves,
        recommended=recommended,
        because=because,
        provenance=provenance,
        rows=_row_results(task, outcomes),
        knowledge=seen(task, outcomes, bench.run.folder),
        cocktail=seen_mixes(outcomes),
    )


def _with_selection_scores(
    systems: Sequence[SystemResult], bank: Sequence[BankRow]
) -> tuple[SystemResult, ...]:
    """Single adapters carry what the bank table says of them on the shots."""
    right = {f"adapter: {row.name}": row.right for row in bank}
    return tuple(
        replace(system, selection_score=right.get(system.name)) if system.single_adapter else system
        for system in systems
    )


def _facts(task: Task, bench: Workbench, reference: str) -> TaskFacts:
    settings = task.settings
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


def _bank_rows(
    bench: Workbench, systems: Sequence[SystemResult], scores: BankScores | None
) -> tuple[BankRow, ...]:
    """Every adapter with what its files say, what the audit found, and what was measured of it."""
    if bench.bank is None:
        return ()
    results = {s.name.removeprefix("adapter: "): s for s in systems if s.single_adapter}
    measured = {row["name"]: row for row in scores.rows()} if scores is not None else {}
    return tuple(
        _bank_row(entry, bench.audit, measured.get(entry.name, {}), results.get(entry.name))
        for entry in bench.bank.entries
    )


def _bank_row(
    entry: BankEntry, audit: Audit | None, scores: dict[str, Any], result: SystemResult | None
) -> BankRow:
    findings = [found.sentence for found in audit.findings if found.name == entry.name] if audit else []
    return BankRow(
        name=entry.name,
        rank=max(entry.ranks, default=None),
        alpha=max(entry.alphas, default=None),
        targets=entry.targets,
        size_bytes=entry.size_bytes,
        licence=entry.licence,
        base=entry.base,
        findings=tuple(findings),
        usable=audit is None or entry.name in audit.usable,
        right=scores.get("right"),
        answer_loss=scores.get("answer_loss"),
        reasoning_loss=scores.get("reasoning_loss"),
        perplexity=scores.get("perplexity"),
        test_value=result.value if result else None,
        test_interval=result.interval if result else None,
        verdict=result.verdict if result else "",
    )


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
