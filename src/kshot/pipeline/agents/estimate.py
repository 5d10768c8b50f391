"""What the tables take at most, before the first request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

from kshot.agents.ablate import (
    Course,
    EpisodeStore,
    Estimate,
    Ground,
    Plan,
    Player,
    PlaySettings,
    Pools,
    PoolSettings,
    estimated,
    pools_needed,
)
from kshot.agents.ablate.arms import Arm
from kshot.agents.ablate.kept import ground_of
from kshot.agents.loop import STEPS_A_MOVE
from kshot.data.example import Conversation
from kshot.errors import BudgetError
from kshot.models.base import Embedder, Reply
from kshot.pipeline.agents.tables import EPISODES, TablesAsked, plan_of, survey_path

_MOVES = 100  # of an episode whose environment was not asked yet


@final
class NobodyAsked:
    """Stands for a model whose name alone is known: what has to be asked stays open.

    >>> NobodyAsked("some model").id
    'some model'
    """

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def id(self) -> str:
        """The model's."""
        return self._name

    def generate(self, conversations: Sequence[Conversation], **decoding: object) -> list[Reply]:
        """Refuses.

        Raises:
            BudgetError: Always.
        """
        raise BudgetError("nothing is asked in an estimate")


def estimate_tables(
    courses: Sequence[Course], out: Path, model_id: str, embedder: Embedder, asked: TablesAsked
) -> Estimate:
    """What is left to play and to learn, at most. Nothing is asked, no environment is opened.

    Where all tasks were surveyed before, decisions are counted and episodes that are kept are left out; else
    every path counts with all the steps that an episode may have.

    Args:
        courses: The tasks.
        out: The folder of the tables.
        model_id: Of the LLM; empty: not known, and nothing counts as kept.
        embedder: Who encodes situations.
        asked: What is to be played.

    Raises:
        InputError: A task, policy, condition or question cannot be used.
        DataError, RunError: The folder cannot be used.

    Example::

        print(estimate_tables(courses, Path("tables"), "", embedder, TablesAsked()).sentence)
    """
    plan = plan_of(courses, asked)
    files = [survey_path(course, out, asked) for course in courses]
    if model_id and all(path.is_file() for path in files):
        grounds = {ground.task: ground for ground in map(ground_of, files)}
        pools = Pools(
            grounds,
            NobodyAsked(model_id),
            embedder,
            PoolSettings(folder=out / "pools", ask=asked.ask, seed=asked.seed),
        )
        lessons = sum(pools.to_learn(plan.cells()).values())
        left = _left(plan, grounds, pools, out, asked)
        kept = sum(asked.rounds * len(grounds[task].variations) for task, _ in left) - sum(left.values())
        limits = {name: ground.move_limit for name, ground in grounds.items()}
        return estimated(plan, left, limits=limits, lessons=lessons, kept=kept)
    cells = plan.cells()
    left = dict.fromkeys(cells, asked.rounds * asked.episodes)
    lessons = pools_needed(cells) * asked.learn_from * STEPS_A_MOVE * _MOVES
    return estimated(plan, left, limits=dict.fromkeys(plan.tasks, _MOVES), lessons=lessons, known=False)


def _left(
    plan: Plan, grounds: dict[str, Ground], pools: Pools, out: Path, asked: TablesAsked
) -> dict[tuple[str, Arm], int]:
    """Episodes to play by cell: all of them where the insights are still to be learnt."""
    settings = PlaySettings(examples=out / "examples", rounds=asked.rounds)
    left = {}
    with EpisodeStore(out / EPISODES) as store:
        player = Player({}, grounds, pools.model, pools, store, settings)
        player.stopped = "an estimate plays nothing"
        for task, arm in plan.cells():
            wanted = asked.rounds * len(grounds[task].variations)
            is_open = bool(pools.to_learn([(task, arm)]))
            left[task, arm] = wanted if is_open else player.cell(task, arm).missing
    return left
