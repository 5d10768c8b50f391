"""``kshot panda ablate``: a pool learned, then judged on the test rows; both go on where they stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kshot.data.task import Task
from kshot.errors import InputError
from kshot.methods.panda.retrieve import Retrieval
from kshot.pipeline.panda.evaluation import Evaluation, Judged, judge_pool
from kshot.pipeline.panda.learn_job import LearnJob, learn_from_task
from kshot.pipeline.panda.purse import Purse
from kshot.report.panda import PandaReport, write_panda_report
from kshot.report.write import ReportPaths
from kshot.runs import Listener

PAPER = ("render", "heuristic", "gold_or_expert", "weaker_expert", "pool_size", "transfer")


def ablate_task(
    task: Task, out: Path, learning: LearnJob, asked: Evaluation, *, listener: Listener
) -> tuple[PandaReport, ReportPaths]:
    """Learns into ``out/pool`` and writes the report into ``out``.

    Expert, learning rows and retrieval of ``asked`` are those of ``learning`` and of the task; the task's
    budget is that of both parts together.

    Raises:
        InputError: There is no test file, or the expert or the LLM cannot be used.
        BudgetError: A limit was reached; what was answered is in the journal.
    """
    purse = Purse(task.settings.budget, listener)
    report = learn_and_judge(task, out, learning, asked, purse=purse).report
    return report, write_panda_report(report, out)


def learn_and_judge(task: Task, out: Path, learning: LearnJob, asked: Evaluation, *, purse: Purse) -> Judged:
    """As ``ablate_task``, with the answers, and no report is written; the purse pays and listens.

    Example::

        judged = learn_and_judge(task, Path("runs/irony"), LearnJob(), Evaluation(), purse=purse)
    """
    if not task.test:
        raise InputError(f"{task.name}: ablations are judged on test rows; name a file under `test`")
    learned = learn_from_task(purse.allow(task), out / "pool", learning, listener=purse)
    panda = task.settings.panda
    judged = replace(
        asked,
        retrieval=Retrieval(k=panda.k, floor=panda.floor),
        expert=learning.expert,
        expert_rows=learning.expert_rows,
        rows=learning.rows,
        spent=learned.usage,
    )
    return judge_pool(purse.allow(task), out / "pool", judged, listener=purse)
