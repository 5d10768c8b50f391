"""Gold paths replayed in the raw environment and through the loop; and how fast each way is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from kshot.agents import Agent, run_episode, strategy_named
from kshot.agents.scienceworld import ScienceWorld, learning_order, task_named
from kshot.models.fake import ScriptedModel


@dataclass(frozen=True)
class Replay:
    """One gold path: scores of the raw environment, and of the loop."""

    label: str
    task: str
    raw_scores: tuple[int, ...]
    loop_scores: tuple[int, ...]
    ended: str
    again: tuple[int, ...]

    @property
    def told(self) -> str:
        """Whether both give the same score at every step; the simulator may differ from itself."""
        if self.loop_scores == self.raw_scores:
            return "equal"
        return "not equal" if self.again == self.raw_scores else "not equal, nor is raw to raw"


@contextmanager
def package_environment() -> Iterator[Any]:
    """The package's own class, its memory bounded in the only way that it offers."""
    from scienceworld import ScienceWorldEnv

    os.environ["JAVA_TOOL_OPTIONS"] = "-Xmx512m -XX:+UseSerialGC"
    environment = ScienceWorldEnv("", "", envStepLimit=100)
    del os.environ["JAVA_TOOL_OPTIONS"]
    try:
        yield environment
    finally:
        environment.close()


def replay(package: Any, number: int, *, variations: int = 1) -> Iterator[Replay]:
    """The first train variations of the released order."""
    name = task_named(number)[1]
    with closing(ScienceWorld(number)) as world:
        for variation in learning_order(number, world.variations("train"), most=variations):
            package.load(name, variation, "easy", generateGoldPath=True)
            actions = package.get_gold_action_sequence()
            scores = raw_scores(package, actions)
            agent = Agent(ScriptedModel(actions), strategy_named("react"))
            episode = run_episode(world, agent, variation)
            again = raw_scores(package, actions)
            yield Replay(world.label(variation), name, scores, episode.scores, episode.ended, again)


def raw_scores(package: Any, actions: list[str]) -> tuple[int, ...]:
    """Scores in the raw environment, up to the end that its own class states."""
    server = package.server
    server.reset()
    server.step("look around")
    scores = [round(100 * server.getScore())]
    for action in actions:
        server.step(action)
        scores.append(round(100 * server.getScore()))
        if server.getCompleted() or scores[-1] < 0 or server.getNumMoves() > 100:
            break
    return tuple(scores)


def speeds(package: Any, number: int, *, rounds: int = 8) -> dict[str, float]:
    """Milliseconds a step on one gold path, each way; the best of rounds that take the ways in turn.

    ``raw``: ``server.step`` alone. ``environment``: ours, with look, inventory, score and moves. ``loop``:
    the whole loop with a scripted model. ``package``: the package's own ``step``, which builds the list of
    valid actions.
    """
    name = task_named(number)[1]
    with closing(ScienceWorld(number)) as world:
        variation = learning_order(number, world.variations("train"), most=1)[0]
        package.load(name, variation, "easy", generateGoldPath=True)
        actions = package.get_gold_action_sequence()
        actions = actions[: len(raw_scores(package, actions)) - 1]

        def loop() -> None:
            run_episode(world, Agent(ScriptedModel(actions), strategy_named("react")), variation)

        ways: dict[str, Callable[[], None]] = {
            "raw": lambda: _steps(package.server.reset, package.server.step, actions),
            "environment": lambda: _steps(lambda: world.reset(variation), world.step, actions),
            "loop": loop,
            "package": lambda: _steps(package.reset, package.step, actions),
        }
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for way, work in ways.items():
                start = time.perf_counter()
                work()
                best[way] = min(best[way], time.perf_counter() - start)
    return {way: 1000 * seconds / len(actions) for way, seconds in best.items()}


def _steps(reset: Callable[[], object], step: Callable[[str], object], actions: list[str]) -> None:
    reset()
    for action in actions:
        step(action)
