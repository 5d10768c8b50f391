"""What was played, put into the words and rows of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kshot.agents.ablate import (
    REFERENCE,
    TITLES,
    Arm,
    Cell,
    Ground,
    Plan,
    Pools,
    ScoreClaim,
    claims,
    headline,
)
from kshot.agents.ablate.compare import SHOWN
from kshot.models.endpoint import StepUsage
from kshot.pipeline.agents.ways import Way, scores_of
from kshot.report.agents import AgentReport, Scores
from kshot.report.panda import ClaimRow, UsageRow

Cells = Mapping[tuple[str, Arm], Cell]
GOLD = "the gold path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the report says beside the scores.

    Attributes:
        model: Id of the LLM.
        facts: Name and value.
    """

    model: str
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    usage: tuple[StepUsage, ...] = ()
    provenance: Mapping[str, str] | None = None
    simulated: bool = False
    seed: int = 0


def agent_report(plan: Plan, cells: Cells, grounds: Mapping[str, Ground], told: Told) -> AgentReport:
    """The report of what there is; what is not there is named.

    Example::

        write_agent_report(agent_report(plan, cells, grounds, Told(model=endpoint.id)), Path("tables"))
    """
    ways = condition_ways(plan, cells, grounds)
    table = scores_of("conditions", "Conditions", ways, plan.tasks, seed=told.seed)
    found = _claims(ways, plan.tasks, told.seed)
    several = len(plan.tasks) > 1
    verdicts = {task: headline(_claims(ways, [task], told.seed)) for task in plan.tasks} if several else None
    used = next((one for one in found if one.question == "used"), None)
    return AgentReport(
        tasks=plan.tasks, policy=plan.base.policy, model=told.model, headline=headline(found),
        tone="none" if used is None else "better" if used.shown else "unsure",
        because=(*_sentences(found), *_expert_alone(table)), verdicts=verdicts, conditions=table,
        questions=tuple(question_scores(plan, cells, name, seed=told.seed) for name in plan.questions),
        claims=tuple(_claim_row(one) for one in found), missing=_missing(cells), facts=told.facts,
        usage=tuple(_usage_row(one) for one in told.usage), notes=told.notes, leaves=told.leaves,
        provenance=dict(told.provenance) if told.provenance else None, simulated=told.simulated,
    )  # fmt: skip


def condition_ways(plan: Plan, cells: Cells, grounds: Mapping[str, Ground]) -> list[Way]:
    """The rows of the first table, and the gold path, which asks no LLM.

    Example::

        [way.name for way in condition_ways(plan, cells, grounds)]
    """
    ways = [
        Way(
            name=one.name, group=one.group, note=one.note, tested=one.tested,
            against="" if one.name == REFERENCE else REFERENCE,
            cells={task: cells[task, one.arm(plan.base)] for task in plan.tasks},
        )
        for one in plan.conditions
    ]  # fmt: skip
    gold = {
        task: Cell(task, Arm(source="none"), ground.gold, len(ground.gold))
        for task, ground in grounds.items()
        if ground.gold
    }
    note = "the environment's own solution, without any LLM"
    return [*ways, Way(name=GOLD, group="expert", note=note, tested="expert", against=REFERENCE, cells=gold)]


def question_scores(plan: Plan, cells: Cells, question: str, *, seed: int = 0) -> Scores:
    """The table of a question.

    Example::

        question_scores(plan, cells, "render").first.rows
    """
    by_name: dict[str, Way] = {}
    for task, variants in plan.questions[question].items():
        for variant in variants:
            known = by_name.get(variant.name)
            found = {task: cells[task, variant.arm.plain]} | (dict(known.cells) if known else {})
            by_name[variant.name] = Way(name=variant.name, against=variant.against or "", cells=found)
    return scores_of(question, TITLES[question], list(by_name.values()), plan.tasks, seed=seed)


def pool_facts(pools: Pools, grounds: Mapping[str, Ground]) -> tuple[tuple[str, str], ...]:
    """How many decisions each task was learnt from.

    Example::

        pool_facts(pools, grounds)
    """
    counts = [f"{ground.task.rpartition(':')[2]} {len(ground.lessons):,}" for ground in grounds.values()]
    return (("decisions learnt from", ", ".join(counts)),)


def survey_notes(grounds: Mapping[str, Ground], failed: Mapping[str, int]) -> tuple[str, ...]:
    """What was left out, in sentences.

    >>> survey_notes({}, {"boil-top2": 2})
    ('boil-top2: 2 decisions gave no insight.',)
    """
    left = [
        f"{ground.task}: {label} was left out: {reason}."
        for ground in grounds.values()
        for label, reason in dict(ground.left_out).items()
    ]
    return (*left, *(f"{pool}: {count} decisions gave no insight." for pool, count in failed.items()))


def _claims(ways: Sequence[Way], tasks: Sequence[str], seed: int) -> tuple[ScoreClaim, ...]:
    return claims({way.tested: way.scores(tasks) for way in ways if way.tested}, seed=seed)


def _sentences(found: Sequence[ScoreClaim]) -> tuple[str, ...]:
    return tuple(one.sentence[0].upper() + one.sentence[1:] for one in found)


def _expert_alone(table: Scores) -> tuple[str, ...]:
    """Whether the expert is above every way that asks the LLM."""
    gold = table.first.row(GOLD)
    others = [
        row for row in table.first.rows if row.name != GOLD and row.score is not None and not row.missing
    ]
    best = max(others, key=lambda row: row.score or 0.0, default=None)
    if gold is None or gold.score is None or best is None or gold.score <= (best.score or 0.0):
        return ()
    told = f"the best of these is {best.name} with {best.score:.1f}"
    return (f"The gold path alone scores {gold.score:.1f}, above every way that asks the LLM; {told}.",)


def _missing(cells: Cells) -> tuple[str, ...]:
    """The reason once, then what is missing, an arm a sentence."""
    lacking = {place: cell for place, cell in cells.items() if cell.missing}
    if not lacking:
        return ()
    reasons = dict.fromkeys(cell.stopped for cell in lacking.values() if cell.stopped)
    wanted = sum(cell.wanted for cell in cells.values())
    count = sum(cell.missing for cell in lacking.values())
    by_arm: dict[str, list[str]] = {}
    for (task, arm), cell in lacking.items():
        told = f"{task.rpartition(':')[2]} ({cell.missing} of {cell.wanted})"
        by_arm.setdefault(f"{arm.policy}, {arm.condition}", []).append(told)
    first = f"{count:,} of {wanted:,} episodes are missing; the same command plays them"
    why = "; ".join(reasons)
    return (
        f"{first}: {why}" if why else first,
        *(f"{arm}: {', '.join(told)}" for arm, told in by_arm.items()),
    )


def _claim_row(one: ScoreClaim) -> ClaimRow:
    seen = one.compared
    smallest = math.nan if seen.smallest is None else seen.smallest
    return ClaimRow(
        question=one.question, a=SHOWN[one.a], b=SHOWN[one.b], difference=seen.difference,
        interval=seen.interval, p=seen.p, n=seen.n, smallest_difference=smallest, shown=one.shown,
        sentence=one.sentence,
    )  # fmt: skip


def _usage_row(one: StepUsage) -> UsageRow:
    return UsageRow(
        step=one.step, calls=one.calls, cached=one.cached, failed=one.failed,
        prompt_tokens=one.prompt_tokens, completion_tokens=one.completion_tokens, usd=one.usd,
        seconds=one.seconds,
    )  # fmt: skip
