"""A pool of insights from an expert's trajectories: replayed, explained, appended; resumable at any point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kshot.agents.base import Environment
from kshot.agents.explanations import EpisodePrompts
from kshot.agents.learning import Trajectory, lessons_of, refused_because, replayed
from kshot.errors import InputError, RunError
from kshot.methods.panda.learn import (
    MOST_TOKENS,
    Lesson,
    NotLearned,
    learn,
    learning_template,
    planned_insight,
)
from kshot.methods.panda.pool import InsightPool, PoolHeader, PoolWriter
from kshot.methods.panda.records import ExpertFacts, Heuristic
from kshot.methods.panda.seams import Ask, Render
from kshot.models.base import LanguageModel

ROWS_A_TRAJECTORY = 1000  # positions kept for one, so that a position does not depend on the others


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeLearning:
    """What is learnt from, and how it is explained.

    Attributes:
        most: Trajectories at most; the release takes 50.
        min_score: Trajectories that end below it are left out.
        success_only: Only those that reach 100.
        heuristic: Which rivals an explanation names: ``top2`` one, ``top3`` two.
        ask: What is asked for.
        render: ``preference`` learns without a call of the LLM.
        seed: Of the rivals.
    """

    most: int = 50
    min_score: int | None = None
    success_only: bool = False
    heuristic: Heuristic = "top2"
    ask: Ask = "reason"
    render: Render = "both"
    seed: int = 0


GOLD_PATHS = ExpertFacts("gold", "gold paths")
AS_RELEASED = EpisodeLearning()


@dataclass(frozen=True, slots=True)
class EpisodesLearned:
    """A pool, and what did not get into it.

    Attributes:
        new: Insights learnt by this call; the others were there.
        dropped: Trajectory or decision, and why it was left out.
        trajectories: How many were learnt from.
    """

    pool: InsightPool
    new: int
    trajectories: int
    dropped: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def reasons(self) -> dict[str, int]:
        """How many were left out, by reason."""
        return dict(Counter(reason for _, reason in self.dropped).most_common())


def gold_trajectories(
    environment: Environment, variations: Iterable[int], *, label: Callable[[int], str]
) -> Iterable[Trajectory]:
    """The environment's own solutions, replayed one by one; variations without one are passed over.

    Raises:
        WorldError: The environment failed.

    Example::

        gold_trajectories(world, learning_order(6, world.variations("train"))[:3], label=world.label)
    """
    for variation in variations:
        actions = environment.gold_actions(variation)
        if actions:
            yield replayed(environment, variation, actions, label=label(variation))


def learn_from_trajectories(
    trajectories: Iterable[Trajectory],
    out: Path,
    model: LanguageModel | None,
    *,
    header: PoolHeader,
    learning: EpisodeLearning = AS_RELEASED,
    told: Callable[..., None] | None = None,
) -> EpisodesLearned:
    """Explains the decisions of each trajectory and appends the insights to a pool as replies come.

    What the folder holds already is not asked for again, whatever ended the earlier call.

    Args:
        trajectories: In learning order; taken one by one, so that each is learnt before the next is replayed.
        out: The pool's folder.
        model: Who explains; None only for ``preference``.
        header: Task, expert, encoder and endpoint of the pool; wording and model are set here.
        learning: See there.
        told: Called with ``learning`` and the fields ``done`` and ``failed`` after each trajectory.

    Raises:
        DataError: The folder holds something else.
        BudgetError: A limit was reached; what was learnt is kept.
        InputError: Nothing could be learnt from.
        RunError: There were decisions, and none gave an insight: an empty pool answers like none.
    """
    prompts = EpisodePrompts()
    new, used, dropped = 0, 0, list[tuple[str, str]]()
    with PoolWriter.open(out, _completed(header, model, learning)) as writer:
        for place, trajectory in enumerate(trajectories):
            refused = refused_because(
                trajectory.scores, min_score=learning.min_score, success_only=learning.success_only
            )
            if refused:
                dropped.append((trajectory.label, refused))
                continue
            used += 1
            first, expert = place * ROWS_A_TRAJECTORY, header.expert or GOLD_PATHS
            lessons = lessons_of(trajectory, expert=expert, position=first, seed=learning.seed)
            left = _not_held(lessons, writer, model, learning)
            settings = {"heuristic": learning.heuristic, "ask": learning.ask, "render": learning.render}
            for found in learn(model, left, prompts=prompts, **settings):  # type: ignore[arg-type]
                if isinstance(found, NotLearned):
                    dropped.append((f"{trajectory.label} step {found.position - first}", found.reason))
                else:
                    new += writer.append(found)
            if told is not None:
                told("learning", done=place + 1, failed=len(dropped))
        writer.close({"trajectories": used, "left_out": len(dropped)})
    learnt = EpisodesLearned(InsightPool.load(out), new, used, tuple(dropped))
    _check_not_empty(learnt, header.task, out)
    return learnt


def _check_not_empty(learnt: EpisodesLearned, task: str, out: Path) -> None:
    if not learnt.trajectories:
        told = [f"{label}: {reason}" for label, reason in learnt.dropped[:3]]
        raise InputError(f"{task}: nothing to learn from ({'; '.join(told) or 'there is no trajectory'})")
    if not len(learnt.pool):
        most = list(learnt.reasons.items())[:3]
        why = "; ".join(f"{reason} ({count})" for reason, count in most) or "there was no decision"
        raise RunError(f"{out}: no decision gave an insight: {why}")


def _not_held(
    lessons: Sequence[Lesson], writer: PoolWriter, model: LanguageModel | None, learning: EpisodeLearning
) -> list[Lesson]:
    prompts, model_id = EpisodePrompts(), model.id if model else ""
    plans = [
        planned_insight(
            lesson, prompts=prompts, heuristic=learning.heuristic, ask=learning.ask, model_id=model_id,
            render=learning.render,
        )
        for lesson in lessons
    ]  # fmt: skip
    return [lesson for lesson, plan in zip(lessons, plans, strict=True) if plan.id not in writer.held]


def _completed(header: PoolHeader, model: LanguageModel | None, learning: EpisodeLearning) -> PoolHeader:
    """The header with what learning adds; a pool learnt without calls names no model and no wording."""
    from dataclasses import replace

    explained = learning.render != "preference"
    limits = {"temperature": 0, "max_tokens": MOST_TOKENS, "stop": ["\n"]}
    decoding: dict[str, Any] = limits if explained else {}
    return replace(
        header,
        kind="agent",
        expert=header.expert or GOLD_PATHS,
        template=learning_template(EpisodePrompts(), learning.ask) if explained else "",
        model=model.id if model and explained else "",
        decoding=decoding,
    )
