"""What is to be played and what it takes at most, told before the first request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kshot.agents.ablate.arms import Arm, Condition, Variant, conditions_named, variants_of
from kshot.agents.loop import STEPS_A_MOVE
from kshot.agents.strategies import ACTION_TOKENS, Strategy, strategy_named

PROMPT_TOKENS = 4096 - 50 - 10  # the agent's budget of a request


@dataclass(frozen=True, slots=True)
class Plan:
    """Every arm on every task, in the order of playing: conditions of all tasks first, then the questions.

    Attributes:
        tasks: Names, in the order of the list.
        conditions: Rows of the first table.
        questions: Question to task to variants.
    """

    tasks: tuple[str, ...]
    base: Arm
    conditions: tuple[Condition, ...]
    questions: Mapping[str, Mapping[str, tuple[Variant, ...]]]

    def cells(self) -> list[tuple[str, Arm]]:
        """Task and arm, each once."""
        first = [(task, one.arm(self.base)) for one in self.conditions for task in self.tasks]
        then = [
            (task, variant.arm.plain)
            for by_task in self.questions.values()
            for task, variants in by_task.items()
            for variant in variants
        ]
        return list(dict.fromkeys([*first, *then]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a plan takes at most; replies from the journal and episodes that were kept cost nothing.

    Attributes:
        episodes: To be played; ``kept`` are there already.
        act_requests: At most: every episode to its last step.
        learn_requests: At most: every decision, each asked once more.
        known: Whether the decisions were counted, not bounded.
    """

    tasks: int
    cells: int
    episodes: int
    kept: int
    act_requests: int
    learn_requests: int
    prompt_tokens: int
    completion_tokens: int
    known: bool = True

    def to_json(self) -> dict[str, Any]:
        """For ``--dry-run --json``."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """In words."""
        left = f" ({self.kept:,} are there already)" if self.kept else ""
        return (
            f"{self.tasks} tasks, {self.cells} cells, {self.episodes:,} episodes to play{left}; at most "
            f"{self.act_requests:,} requests to act and {self.learn_requests:,} to learn, at most "
            f"{self.prompt_tokens / 1e6:,.1f} million prompt tokens; as a rule episodes end far earlier"
        )


def planned(
    tasks: Sequence[str], *, policy: str, conditions: Sequence[str], questions: Sequence[str]
) -> Plan:
    """The plan for a list of tasks.

    Raises:
        InputError: A policy, condition or question does not exist.

    >>> plan = planned(["a", "b"], policy="react", conditions=["insights"], questions=["transfer"])
    >>> [(task, arm.condition) for task, arm in plan.cells()][-2:]
    [('a', 'task b insight'), ('b', 'task a insight')]
    """
    base = Arm(policy=strategy_named(policy).name)
    by_question = {
        question: {task: variants_of(question, base, task=task, tasks=tasks) for task in tasks}
        for question in questions
    }
    return Plan(tuple(tasks), base, conditions_named(conditions), by_question)


def requests_an_episode(strategy: Strategy, move_limit: int) -> int:
    """The most requests that one episode can take.

    >>> requests_an_episode(strategy_named("react"), 100)
    200
    """
    a_step = strategy.samples * len(strategy.temperatures)
    return strategy.trials * STEPS_A_MOVE * move_limit * a_step + (strategy.trials - 1)


def estimated(
    plan: Plan,
    left: Mapping[tuple[str, Arm], int],
    *,
    limits: Mapping[str, int],
    lessons: int,
    kept: int = 0,
    known: bool = True,
) -> Estimate:
    """What is left of a plan, at most.

    Args:
        plan: See there.
        left: Episodes to play by task and arm.
        limits: Moves of an episode by task.
        lessons: Insights to be learnt.
        kept: Episodes that are there.
        known: See ``Estimate``.

    Example::

        estimated(plan, {("toy", Arm()): 5}, limits={"toy": 100}, lessons=80)
    """
    act = sum(
        count * requests_an_episode(strategy_named(arm.policy), limits[task])
        for (task, arm), count in left.items()
    )
    learn = 2 * lessons
    return Estimate(
        tasks=len(plan.tasks), cells=len(plan.cells()), episodes=sum(left.values()), kept=kept,
        act_requests=act, learn_requests=learn, prompt_tokens=PROMPT_TOKENS * (act + learn),
        completion_tokens=ACTION_TOKENS * act + 150 * learn, known=known,
    )  # fmt: skip


def pools_needed(cells: Iterable[tuple[str, Arm]]) -> int:
    """How many pools are learnt anew for these cells; derived ones cost nothing.

    >>> pools_needed([("a", Arm()), ("a", Arm(k=3)), ("a", Arm(source="corrupted")), ("b", Arm(k=0))])
    2
    """
    kinds = set()
    for task, arm in cells:
        if arm.plain.source != "none":
            owner = arm.other or task
            kinds.add((owner, Arm()))
            kinds.add((owner, Arm(
                source="corrupted" if arm.source == "corrupted" else "own", heuristic=arm.heuristic,
                swapped=arm.swapped,
            )))  # fmt: skip
    return len(kinds)
