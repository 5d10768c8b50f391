"""What an evaluation on ScienceWorld needs before it begins: the test variations and the solved example."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from kshot.agents.examples import Solved, solved_example
from kshot.agents.learning import replayed
from kshot.agents.scienceworld.environment import ScienceWorld
from kshot.agents.scienceworld.tasks import evaluation_order, learning_order
from kshot.models.base import LanguageModel

TRIED = 3  # train variations of which the shortest solved one is the example


@dataclass(frozen=True, slots=True)
class Prepared:
    """Test variations in the order in which they are judged, and the example."""

    variations: tuple[int, ...]
    example: Solved


def prepare(
    task: str | int, *, episodes: int = 10, thinker: LanguageModel | None = None, tried: int = TRIED
) -> Prepared:
    """The first test variations of the released shuffle, and the example of the task's train split.

    Args:
        task: Number or name.
        episodes: Variations at most; the release takes 10.
        thinker: Adds thoughts to the example, in one request; None: the bare gold path.
        tried: The first train variations of the released order that may be the example.

    Raises:
        InputError: Package, Java or task is missing.
        WorldError: The simulator failed.

    Example::

        prepare(6, thinker=endpoint).example.text
    """
    with closing(ScienceWorld(task)) as world:
        variations = evaluation_order(world.variations("test"), most=episodes)
        trajectories = [
            replayed(world, variation, actions, label=world.label(variation), with_valid=False)
            for variation in learning_order(task, world.variations("train"), most=tried)
            if (actions := world.gold_actions(variation))
        ]
    return Prepared(variations, solved_example(trajectories, thinker=thinker))
