"""A learned pool judged on a task's test rows: evidence, guide and ablations in one report."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from kshot import __version__
from kshot.data.example import Example
from kshot.data.task import Task
from kshot.errors import InputError
from kshot.measure.metrics import evaluate
from kshot.methods.panda.guide import Guide, distil
from kshot.methods.panda.pool import InsightPool, approximate_tokens
from kshot.methods.panda.records import Heuristic
from kshot.methods.panda.retrieve import Retrieval
from kshot.methods.panda.seams import Ask, Setting
from kshot.models.endpoint import StepUsage
from kshot.pipeline.panda.ablate import Ablation, run_ablations
from kshot.pipeline.panda.conditions import NAMES, Extras
from kshot.pipeline.panda.evidence import PandaEvidence, gather_evidence
from kshot.pipeline.panda.evidence_report import Told, panda_report
from kshot.pipeline.panda.expert import Expert, expert_name, open_expert
from kshot.pipeline.panda.learn_job import Rows, bench_of, close, expert_rows_of, rows_at
from kshot.pipeline.panda.learn_pool import LEARNED_EVERY, prompts_of
from kshot.pipeline.panda.llm import llm_usage
from kshot.pipeline.panda.parts import EXPLAINED, NEAREST, Parts, lessons_of_pool, parts_for
from kshot.pipeline.workbench import Workbench
from kshot.report.panda import GuideFacts, PandaReport, RuleRow, write_panda_report
from kshot.report.write import ReportPaths
from kshot.runs import Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What is judged of a pool, and how.

    Attributes:
        names: Conditions, see ``conditions.NAMES``.
        questions: Ablations, see ``ablations.QUESTIONS``; none by default.
        pools: Other tasks' pools by name, for the question ``transfer``.
        irrelevant: Folder of another task's pool for the irrelevant control; None: the least similar records.
        setting: Its ``render`` is that of the insights and of all controls.
        expert: As ``LearnJob``; None as the task says.
        expert_rows: Labelled rows that an expert ``head`` learns on.
        rows: Labelled rows that the pool was learned from, where those are not the shots.
        most: Judge so many test rows, drawn by the task's seed; None: all.
        guide_tokens: Budget of the guide; 0: none is made.
        official: A data set's own metric, shown beside; empty: there is none.
        spent: What learning the pool took, for the counts of usage.
        simulated: The LLM is a simulation, and every part of the report says so.
    """

    names: tuple[str, ...] = NAMES
    questions: tuple[str, ...] = ()
    pools: Mapping[str, Path] = field(default_factory=dict)
    irrelevant: Path | None = None
    retrieval: Retrieval = NEAREST
    setting: Setting = EXPLAINED
    expert: str | None = None
    expert_rows: Rows | None = None
    rows: Rows | None = None
    most: int | None = None
    guide_tokens: int = 400
    official: str = ""
    spent: tuple[StepUsage, ...] = ()
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A pool judged: the report, and the answers behind its figures."""

    report: PandaReport
    evidence: PandaEvidence
    ablations: tuple[Ablation, ...]


def evaluate_pool(
    task: Task, folder: Path, out: Path, asked: Evaluation, *, listener: Listener
) -> tuple[PandaReport, ReportPaths]:
    """Judges a pool on the task's test rows and writes ``panda.html``, ``panda.md`` and ``panda.json``.

    Raises:
        InputError: The task has no test rows, or the pool, the expert or the LLM cannot be used.
        BudgetError: A limit was reached; what was answered is in the journal, and a rerun goes on.

    Example::

        asked = Evaluation(questions=("render", "k"))
        report, paths = evaluate_pool(task, Path("pools/irony"), Path("runs/irony"), asked, listener=silent)
    """
    report = judge_pool(task, folder, asked, listener=listener).report
    return report, write_panda_report(report, out)


def judge_pool(task: Task, folder: Path, asked: Evaluation, *, listener: Listener) -> Judged:
    """As ``evaluate_pool``, with the answers, and nothing is written.

    Example::

        judge_pool(task, Path("pools/irony"), Evaluation(), listener=silent).evidence.outcomes
    """
    rows = judged_rows(task, asked.most)
    if not rows:
        raise InputError(f"{task.name}: there are no test rows to judge a pool on; name a file under `test:`")
    bench = bench_of(task)
    try:
        expert = _expert(bench, asked)
        parts = parts_of(task, bench, folder, asked, expert=expert, listener=listener)
        guide = _guide(parts_for(parts, rows)[0], asked)
        irrelevant = InsightPool.load(asked.irrelevant) if asked.irrelevant is not None else None
        extras = Extras(guide=guide.text if guide else "", irrelevant=irrelevant)
        evidence = gather_evidence(rows, parts, names=asked.names, extras=extras)
        pools = {name: InsightPool.load(place) for name, place in asked.pools.items()}
        tables = run_ablations(rows, parts, questions=asked.questions, pools=pools)
        usage = (*asked.spent, *llm_usage(bench))
        report = panda_report(
            evidence, parts, _told(task, bench, folder, asked, expert=expert),
            ablations=tables, usage=usage, guide=guide_facts(guide) if guide else None,
        )  # fmt: skip
    finally:
        close(bench, listener)
    report = replace(
        _with_official(report, evidence, asked.official, task.labels), notes=(*task.notes, *report.notes)
    )
    return Judged(report, evidence, tables)


def judged_rows(task: Task, most: int | None) -> tuple[Example, ...]:
    """So many test rows, drawn by the task's seed, in their order: files may be sorted by label."""
    if most is None or most >= len(task.test):
        return task.test
    places = random.Random(task.settings.examples.seed).sample(range(len(task.test)), most)
    return tuple(task.test[place] for place in sorted(places))


def parts_of(
    task: Task, bench: Workbench, folder: Path, asked: Evaluation, *, expert: Expert, listener: Listener
) -> Parts:
    """The parts of an evaluation from a task's workbench and a pool's folder.

    Raises:
        InputError: The pool cannot be used, or its labels are not the task's.

    Example::

        parts = parts_of(task, bench, Path("pools/irony"), Evaluation(), expert=expert, listener=silent)
    """
    pool = InsightPool.load(folder)
    if foreign := sorted(set(pool.header.labels) - set(bench.template.labels)):
        known = ", ".join(bench.template.labels) or "none"
        raise InputError(f"{folder}: the pool's label {foreign[0]!r} is none of the task's ({known})")
    labelled = bench.labelled if asked.rows is None else _free(bench, asked.rows)
    known_rows = {row.prompt: row for row in labelled}
    lessons = tuple(
        replace(one, row=known_rows.get(one.row.prompt, one.row)) for one in lessons_of_pool(pool)
    )
    is_gold = expert.facts.kind == "gold"

    def said(rows: Sequence[Example]) -> list[str]:
        return [one.top.answer for one in expert.prefer(rows)]

    def progress(name: str, done: int, of: int) -> None:
        if done % LEARNED_EVERY == 0 or done == of:
            listener("answering", name=name, done=done, of=of)

    return Parts(
        template=bench.template, metric=task.metric, model=bench.llm, prompts=prompts_of(bench),
        embedder=bench.embedder, pool=pool, lessons=lessons, labelled=tuple(labelled),
        held_out=tuple(bench.labelled), retrieval=asked.retrieval, setting=asked.setting,
        heuristic=_heuristic(pool), ask=_ask(pool), expert=None if is_gold else said,
        seed=bench.settings.report.seed, margin=bench.settings.report.margin, progress=progress,
    )  # fmt: skip


def _with_official(
    report: PandaReport, evidence: PandaEvidence, metric: str, labels: Sequence[str]
) -> PandaReport:
    """Every row of the leaderboard with one more metric."""
    if not metric or metric == report.metric:
        return report
    values = [evaluate(metric, one.answers, evidence.gold, labels=labels) for one in evidence.outcomes]
    rows = zip(report.systems, values, strict=True)
    return replace(
        report, systems=tuple(replace(row, more={**(row.more or {}), metric: value}) for row, value in rows)
    )


def guide_facts(guide: Guide) -> GuideFacts:
    """A guide as the report shows it.

    >>> guide_facts(Guide("Look twice.")).tokens
    3
    """
    return GuideFacts(
        text=guide.text,
        tokens=approximate_tokens(guide.text),
        rules=tuple(
            RuleRow(
                text=one.text, support=len(one.support), ids=one.support, conflict="; ".join(one.conflicts)
            )
            for one in guide.rules
        ),
        note=" ".join(f"{note[0].upper()}{note[1:]}." for note in guide.notes if note),
    )


def _heuristic(pool: InsightPool) -> Heuristic:
    """The one that most records were learned with; the others fell back for want of answers."""
    found = Counter(one.heuristic for one in pool).most_common(1)
    return found[0][0] if found else "top2"


def _ask(pool: InsightPool) -> Ask:
    """What was asked for, as the id of the learning prompt ends."""
    last = pool.header.template.rpartition("/")[2]
    return next((ask for ask in get_args(Ask) if ask == last), "reason")


def _expert(bench: Workbench, asked: Evaluation) -> Expert:
    learned_on = expert_rows_of(bench, asked.expert_rows)
    return open_expert(bench, asked.expert or expert_name(bench), learned_on=learned_on)


def _free(bench: Workbench, place: Rows) -> tuple[Example, ...]:
    return bench.without_test_rows(rows_at(place))


def _guide(parts: Parts, asked: Evaluation) -> Guide | None:
    if not asked.guide_tokens or "guide" not in asked.names:
        return None
    return distil(
        parts.model, parts.pool.insights, embedder=parts.embedder, task=parts.template.instruction,
        token_budget=asked.guide_tokens,
    )  # fmt: skip


def _told(task: Task, bench: Workbench, folder: Path, asked: Evaluation, *, expert: Expert) -> Told:
    simulated = asked.simulated or bench.llm.id.startswith("simulated")
    facts = (("pool", folder.name), ("expert", f"{expert.facts.kind} {expert.facts.id}".strip()))
    pool = InsightPool.load(folder)
    return Told(
        task=task.name, simulated=simulated, miniature=bool(bench.settings.miniature), facts=facts,
        provenance={
            "kshot": __version__, "explained by": pool.header.model, "learning prompt": pool.header.template,
            "answering prompt": prompts_of(bench).id, "pool created": pool.header.created,
            "heuristic": _heuristic(pool), "seed": str(bench.settings.report.seed),
        },
    )  # fmt: skip
