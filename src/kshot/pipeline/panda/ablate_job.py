"""``kshot panda ablate``: a pool learned, every condition judged on the test rows, questions answered."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.errors import InputError
from kshot.measure.predict import unanswered
from kshot.methods.panda.guide import Guide, distil, word_tokens
from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.retrieve import Retrieval
from kshot.methods.panda.seams import Setting
from kshot.models.endpoint import Endpoint
from kshot.pipeline.panda.ablate import run_ablations
from kshot.pipeline.panda.conditions import NAMES, Extras
from kshot.pipeline.panda.evidence import gather_evidence
from kshot.pipeline.panda.evidence_report import Told, panda_report
from kshot.pipeline.panda.expert import Expert
from kshot.pipeline.panda.learn_job import LearnJob, bench_of, close, learning_parts
from kshot.pipeline.panda.learn_pool import learn_pool, lessons_of, prompts_of
from kshot.pipeline.panda.parts import Parts
from kshot.pipeline.workbench import Workbench
from kshot.report.panda import GuideFacts, PandaReport, RuleRow, write_panda_report
from kshot.report.write import ReportPaths
from kshot.runs import Listener

PAPER = ("render", "heuristic", "gold_or_expert", "weaker_expert", "pool_size", "transfer")


@dataclass(frozen=True, slots=True, kw_only=True)
class AblateJob:
    """What is judged.

    Attributes:
        learn: How the pool is learned.
        questions: Of the ablations; the paper's by default.
        conditions: Rows of the leaderboard; all by default.
        others: Pools of other tasks, for ``transfer``; the first is the irrelevant control too.
        limit: Judge so many test rows, drawn by the task's seed; None: all.
        simulated: The LLM is a simulation; the report says so everywhere.
    """

    learn: LearnJob = field(default_factory=LearnJob)
    questions: tuple[str, ...] = PAPER
    conditions: tuple[str, ...] = NAMES
    others: tuple[Path, ...] = ()
    setting: Setting = field(default_factory=lambda: Setting(render="insight"))
    limit: int | None = None
    simulated: bool = False


def ablate_task(
    task: Task, out: Path, job: AblateJob, *, listener: Listener
) -> tuple[PandaReport, ReportPaths]:
    """The report of a task's insights: controls, baselines, ablations, a verdict; written into ``out``.

    The pool lies in ``out/pool``. With an endpoint every reply is in the journal, so the same call goes on
    where an earlier one stopped.

    Raises:
        InputError: There is no test file, or the expert or the LLM cannot be used.
        BudgetError: A limit was reached; what was answered is in the journal.
    """
    if not task.test:
        raise InputError(f"{task.name}: ablations are judged on test rows; name a file under `test`")
    if job.limit is not None and job.limit < len(task.test):
        places = random.Random(task.settings.examples.seed).sample(range(len(task.test)), job.limit)
        task = replace(task, test=tuple(task.test[place] for place in sorted(places)))
    bench = bench_of(task)
    try:
        return _ablated(task, bench, out, job, listener)
    finally:
        close(bench)


def expert_answers(expert: Expert) -> Callable[[Sequence[Example]], list[str | None]]:
    """Rows to the expert's first answers; it sees no row's own."""

    def answers(rows: Sequence[Example]) -> list[str | None]:
        return [found.top.answer for found in expert.prefer([unanswered(row) for row in rows])]

    return answers


def guide_facts(guide: Guide) -> GuideFacts:
    """A guide as the report shows it."""
    rules = tuple(
        RuleRow(
            text=rule.text,
            support=len(rule.support),
            ids=tuple(rule.support),
            conflict=", ".join(map(str, rule.conflicts)),
        )
        for rule in guide.rules
    )
    return GuideFacts(
        text=guide.text, tokens=word_tokens(guide.text), rules=rules, note=" ".join(guide.notes)
    )


def _ablated(
    task: Task, bench: Workbench, out: Path, job: AblateJob, listener: Listener
) -> tuple[PandaReport, ReportPaths]:
    parts = _parts(task, bench, out, job, listener)
    pools = {folder.name: InsightPool.load(folder) for folder in job.others}
    guide = None
    if "guide" in job.conditions:
        instruction = bench.template.instruction
        guide = distil(bench.llm, parts.pool.insights, embedder=bench.embedder, task=instruction)
    extras = Extras(guide=guide.text if guide else "", irrelevant=next(iter(pools.values()), None))
    evidence = gather_evidence(task.test, parts, names=job.conditions, extras=extras)
    tables = run_ablations(task.test, parts, questions=job.questions, pools=pools)
    settings = task.settings
    header = parts.pool.header
    told = Told(
        task=task.name,
        simulated=job.simulated,
        miniature=settings.miniature,
        facts=(
            ("LLM", bench.llm.id),
            ("expert", f"{header.expert.kind}: {header.expert.id}" if header.expert else "unknown"),
            ("encoder", bench.embedder.id),
            ("learned from", f"{len(parts.lessons)} rows, {len(parts.pool)} insights"),
            ("test rows", str(len(task.test))),
        ),
    )
    usage = bench.llm.usage() if isinstance(bench.llm, Endpoint) else ()
    report = panda_report(
        evidence,
        parts,
        told,
        ablations=tables,
        usage=usage,
        guide=guide_facts(guide) if guide is not None else None,
    )
    return report, write_panda_report(report, out)


def _parts(task: Task, bench: Workbench, out: Path, job: AblateJob, listener: Listener) -> Parts:
    rows, expert, _ = learning_parts(bench, job.learn)
    learning, panda = job.learn.learning, task.settings.panda
    learned = learn_pool(bench, rows, expert, out=out / "pool", learning=learning, listener=listener)
    lessons, _ = lessons_of(rows, expert.prefer(rows), learning)

    def progress(name: str, done: int, of: int) -> None:
        listener("answering", name=name, done=done, of=of)

    return Parts(
        template=bench.template,
        metric=task.metric,
        model=bench.llm,
        prompts=prompts_of(bench),
        embedder=bench.embedder,
        pool=learned.pool,
        lessons=tuple(lessons),
        labelled=bench.labelled,
        held_out=bench.labelled if job.learn.rows is not None else (),
        retrieval=Retrieval(k=panda.k, floor=panda.floor),
        setting=job.setting,
        heuristic=learning.heuristic,
        ask=learning.ask,
        expert=None if expert.facts.kind == "gold" else expert_answers(expert),
        seed=task.settings.examples.seed,
        progress=progress,
    )
