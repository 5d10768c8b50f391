"""What a run's own controls say of its insights: one finding a sentence, the verdict first."""

from __future__ import annotations

from collections.abc import Sequence

from kshot.data.task import Task
from kshot.methods.panda.faithfulness import faithfulness
from kshot.models.endpoint import StepUsage
from kshot.pipeline.answers import Outcome, judged_rows
from kshot.pipeline.evaluate import answers_of
from kshot.pipeline.panda.table import REAL
from kshot.report.result import Finding

_CONDITIONS = {
    "real": REAL,
    "empty": "panda: no insights",
    "shuffled": "panda: shuffled insights",
    "irrelevant": "panda: irrelevant insights",
    "corrupted": "panda: corrupted insights",
    "both": "panda: insights and preferences",
    "preference": "panda: preferences",
    "expert": "expert classifier",
}


def usage_findings(usage: Sequence[StepUsage]) -> list[Finding]:
    """What an endpoint was asked by this process, a sentence a step."""
    return [
        Finding(
            "cost",
            "info",
            f"{step.step}: {step.calls} requests paid, {step.cached} replies from the journal, "
            f"{step.prompt_tokens + step.completion_tokens} tokens, ${step.usd:.4f}, {step.failed} failed",
        )
        for step in usage
    ]


def panda_findings(task: Task, outcomes: Sequence[Outcome]) -> list[Finding]:
    """The verdict on a run's insights; nothing where they were not built, or no control beside them was.

    Answers of the first repeat are compared, row by row.
    """
    found = {outcome.recipe.name: outcome for outcome in outcomes}
    stated = {condition: found[name].stated[0] for condition, name in _CONDITIONS.items() if name in found}
    if "real" not in stated or len(stated) < 2:
        return []
    gold = answers_of(task, judged_rows(task))
    seed = task.settings.report.seed
    verdict = faithfulness(task.metric, gold, stated, labels=task.labels or None, seed=seed)
    return [Finding("insights", "info", sentence) for sentence in verdict.sentences]
