"""A whole evaluation: episodes of one agent over variations and rounds, kept as they end, and summed up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kshot.agents.episode import Episode
from kshot.agents.evaluate import Evaluation, evaluate_episodes
from kshot.agents.loop import Agent
from kshot.agents.parallel import run_episodes
from kshot.agents.process import Maker
from kshot.errors import BudgetError


@dataclass(frozen=True, slots=True)
class Played:
    """Episodes by round and variation, and their sum.

    Attributes:
        stopped: Why not all were played: a budget was reached; empty where all were.
        left: Episodes that were not played to their end.
    """

    evaluation: Evaluation
    episodes: tuple[Episode, ...]
    stopped: str = ""
    left: int = 0


def play(
    maker: Maker,
    agent: Agent,
    variations: Sequence[int],
    *,
    rounds: int = 1,
    processes: int = 1,
    told: Callable[[Episode], None] | None = None,
) -> Played:
    """Plays each variation ``rounds`` times, several at once, and sums up.

    Args:
        maker: Opens the environment in each process.
        agent: Who acts.
        variations: Of the test split, in any order.
        rounds: The release takes 5.
        processes: Environments at once.
        told: Called with each episode as it ends.

    Raises:
        BudgetError: A limit was reached before any episode ended; later, what has ended is given with
            ``stopped``.
        KshotError: As ``run_episodes``.

    Example::

        play(ScienceWorldMaker("boil"), agent, variations, rounds=5, processes=2).evaluation.score
    """
    jobs = [(variation, repeat) for repeat in range(rounds) for variation in variations]
    found: list[Episode] = []
    stopped = ""
    try:
        for episode in run_episodes(maker, agent, jobs, processes=processes):
            found.append(episode)
            if told is not None:
                told(episode)
    except BudgetError as error:
        if not found:
            raise
        stopped = str(error)
    found.sort(key=lambda episode: (episode.round, episode.variation))
    return Played(evaluate_episodes(found), tuple(found), stopped, len(jobs) - len(found))
