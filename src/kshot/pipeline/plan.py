"""What a run will do, said before it does it: systems, refusals, and what leaves this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kshot.data.task import Task
from kshot.data.taskfile import TaskFile
from kshot.errors import SandboxError, TaskError
from kshot.measure.metrics import check_metric, evaluate
from kshot.measure.sandbox import sandbox_available
from kshot.pipeline.answers import judged_rows
from kshot.pipeline.evaluate import answers_of
from kshot.pipeline.recipes import Recipe, chosen, missing, table
from kshot.pipeline.workbench import Workbench
from kshot.report.result import Refused

BANK_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """The systems to build, those refused with their reasons, and what would leave this machine."""

    recipes: tuple[Recipe, ...]
    refused: tuple[Refused, ...]
    leaves: tuple[str, ...]
    steps: int
    rows: int

    def lines(self) -> list[str]:
        """The plan as text, one thing a line."""
        lines = [f"build  {recipe.name}" for recipe in self.recipes]
        lines += [f"skip   {item.name}: {item.reason}" for item in self.refused]
        lines += [f"leaves this machine: {what}" for what in self.leaves] or ["nothing leaves this machine"]
        return lines


def make_plan(task: Task, bench: Workbench) -> Plan:
    """Decides which systems are built. Loads no model.

    Above 64 usable adapters the single adapters are not each run on the test rows (the bank table then
    has their scores on the shots only); ``systems: [adapters, ...]`` in the task file runs them all.

    Raises:
        TaskError: The task file names a system that does not exist, or nothing can be built.
        MetricError: There is no such metric, or it does not fit the answers.
        TaskError: There are too few rows, or rows without tests.
        SandboxError: The metric runs code, and this system cannot run it apart.
    """
    check_metric_fits(task)
    recipes = table(bench)
    names = bench.settings.systems
    wanted, unknown = chosen(recipes, names)
    offered = ", ".join(recipe.name for recipe in recipes if not recipe.single_adapter)
    if unknown:
        raise TaskError(f"systems: {unknown[0]!r} is no system for this task; there are: {offered}, adapters")
    refused = [Refused(recipe.name, reason) for recipe in wanted if (reason := missing(recipe, bench))]
    built = [recipe for recipe in wanted if not missing(recipe, bench)]
    if not names and len(bench.experts) > BANK_LIMIT:
        left_out = [recipe for recipe in built if recipe.single_adapter]
        reason = f"more than {BANK_LIMIT} adapters: scored on the shots only; `systems: [adapters]` runs all"
        refused += [Refused(recipe.name, reason) for recipe in left_out]
        built = [recipe for recipe in built if recipe not in left_out]
    if not built:
        raise TaskError(
            "no system can be built for this task: " + "; ".join(f"{r.name}: {r.reason}" for r in refused)
        )
    refused += _unused(bench.settings)
    splits = task.splits()
    rows = len(judged_rows(task))
    steps = sum(len(splits) if recipe.uses_shots else 1 for recipe in built)
    return Plan(tuple(built), tuple(refused), tuple(leaving(bench.settings)), steps, rows)


def check_metric_fits(task: Task) -> None:
    """Scores the right answers themselves, so that a metric that cannot read them fails before any work.

    Raises:
        MetricError: There is no such metric, or it does not fit the answers.
        TaskError: There are too few rows, or rows without tests.
        SandboxError: The metric runs code, and this system cannot run it apart.
    """
    check_metric(task.metric)
    golds = answers_of(task, judged_rows(task))
    if task.metric == "pass_at_1":
        if reason := sandbox_available():
            raise SandboxError(f"metric pass_at_1: {reason}")
        return
    if len(golds) < 2:
        raise TaskError("one test row cannot tell systems apart; give at least two")
    evaluate(task.metric, golds, golds, labels=task.labels or None)


def leaving(settings: TaskFile) -> Sequence[str]:
    """What this run asks of other machines, in words; rows leave only with an LLM behind an endpoint."""
    named: list[tuple[str, str]] = []
    if settings.model is not None and settings.model.base is not None:
        named.append(("base model", settings.model.base))
    if settings.embedder != "hashing":
        named.append(("embedder", settings.embedder))
    if settings.data.embedder not in (None, "hashing", "model"):
        named.append(("embedder", settings.data.embedder or ""))
    named += [("adapter", place) for place in settings.knowledge.adapters]
    named += [("model", place) for place in settings.knowledge.models]
    if settings.knowledge.expert:
        named.append(("expert", settings.knowledge.expert))
    resolved = [(what, settings.resolve(place)) for what, place in named]
    llm = settings.knowledge.llm
    rows = [] if llm is None else [f"shots and test rows, asked of {llm.model} at {llm.base_url}"]
    return rows + [
        f"the name of the {what} {place!r}, asked of the model hub (no rows)"
        for what, place in resolved
        if not isinstance(place, Path)
    ]


def _unused(settings: TaskFile) -> list[Refused]:
    return [
        Refused(f"budget: {name}", "no LLM behind an endpoint is named, so nothing is paid by it")
        for name in idle_limits(settings)
    ]


def idle_limits(settings: TaskFile) -> list[str]:
    """The limits that bind nothing, since no endpoint is asked."""
    if settings.knowledge.llm is not None:
        return []
    return [name for name in ("calls", "tokens", "usd") if getattr(settings.budget, name) is not None]
