"""Learn from gold paths, then act with and without insights: all of it with a simulated model."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from kshot.agents import (
    Agent,
    EpisodeLearning,
    Played,
    SimulatedActor,
    play,
    score_difference,
    strategy_named,
)
from kshot.agents.evaluate import Difference
from kshot.agents.scienceworld import ScienceWorldMaker, learn_scienceworld, prepare, task_named
from kshot.methods.panda.retrieve import Retrieval, Retriever
from kshot.models.embed import HashingEncoder


@dataclass(frozen=True)
class WholeRun:
    """What one task gave."""

    task: str
    insights: int
    with_insights: Played
    without: Played
    difference: Difference
    seconds: float


def whole_run(number: int, work: Path, *, learn_from: int, episodes: int, processes: int = 2) -> WholeRun:
    """One task, from nothing to a paired difference."""
    start = time.perf_counter()
    model = SimulatedActor()
    learnt = learn_scienceworld(
        number, work / f"pool-{number}", model, learning=EpisodeLearning(most=learn_from)
    )
    retriever = Retriever(learnt.pool, HashingEncoder(), Retrieval(k=1))
    prepared = prepare(number, episodes=episodes, thinker=model)
    agent = Agent(model, strategy_named("react"), insights=retriever.nearest, example=prepared.example.text)
    maker = ScienceWorldMaker(task_named(number)[1])
    played = [
        play(maker, one, prepared.variations, processes=processes)
        for one in (agent, replace(agent, insights=None))
    ]
    difference = score_difference(played[0].evaluation, played[1].evaluation)
    seconds = time.perf_counter() - start
    return WholeRun(maker.task, len(learnt.pool), played[0], played[1], difference, seconds)
