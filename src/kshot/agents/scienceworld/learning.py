"""A pool from ScienceWorld's gold paths: the offline expert of the released split and order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from kshot.agents.learn_pool import (
    AS_RELEASED,
    EpisodeLearning,
    EpisodesLearned,
    gold_trajectories,
    learn_from_trajectories,
)
from kshot.agents.scienceworld.environment import ScienceWorld
from kshot.agents.scienceworld.tasks import learning_order
from kshot.methods.panda.pool import PoolHeader
from kshot.models.base import LanguageModel


def learn_scienceworld(
    task: str | int,
    out: Path,
    model: LanguageModel | None,
    *,
    learning: EpisodeLearning = AS_RELEASED,
    header: PoolHeader | None = None,
    told: Callable[..., None] | None = None,
) -> EpisodesLearned:
    """Learns insights from the gold paths of up to 50 train variations, in the released order.

    Args:
        task: Number or name.
        out: The pool's folder; a pool of the same task is gone on with.
        model: Who explains; None only where ``learning.render`` is ``preference``.
        learning: Which trajectories, and how they are explained.
        header: Encoder and endpoint of the pool; its task is set here.
        told: See ``learn_from_trajectories``.

    Raises:
        InputError: Package, Java or task is missing.
        WorldError: The simulator failed.

    Example::

        learn_scienceworld(6, Path("pools/living-thing"), endpoint)
    """
    from dataclasses import replace

    with closing(ScienceWorld(task)) as world:
        variations = learning_order(task, world.variations("train"), most=learning.most)
        found = replace(header or PoolHeader(world.name), task=world.name)
        trajectories = gold_trajectories(world, variations, label=world.label)
        return learn_from_trajectories(trajectories, out, model, header=found, learning=learning, told=told)
