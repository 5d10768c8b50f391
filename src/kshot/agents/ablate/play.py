"""Every cell of the tables played: one arm on one task, only the episodes that are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import final

from kshot.agents.ablate.arms import Arm
from kshot.agents.ablate.course import Course, Ground
from kshot.agents.ablate.kept import kept_text
from kshot.agents.ablate.pools import Pools
from kshot.agents.ablate.store import EpisodeKey, EpisodeStore
from kshot.agents.episode import Episode
from kshot.agents.examples import solved_example
from kshot.agents.loop import Agent
from kshot.agents.parallel import run_episodes
from kshot.agents.prompt import wording_id
from kshot.agents.strategies import Strategy, strategy_named
from kshot.errors import BudgetError, ModelError
from kshot.methods.panda.records import content_id
from kshot.models.base import LanguageModel


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm on one task.

    Attributes:
        episodes: Those that have ended, failed ones too, by round and variation.
        wanted: How many there should be.
        size: Insights that could be retrieved.
        skipped: Why it cannot be played at all; empty where it can.
        stopped: Why episodes are missing; empty where none is.
    """

    task: str
    arm: Arm
    episodes: tuple[Episode, ...] = ()
    wanted: int = 0
    size: int = 0
    skipped: str = ""
    stopped: str = ""

    @property
    def missing(self) -> int:
        """Episodes that were not played."""
        return 0 if self.skipped else self.wanted - len(self.episodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaySettings:
    """How episodes are played.

    Attributes:
        rounds: Times that each variation is played; the release takes 5.
        processes: Environments at once.
        examples: Folder of the solved examples, which a model may have thought about.
        told: Called with ``answering`` and ``name``, ``done``, ``of`` as episodes end.
    """

    examples: Path
    rounds: int = 1
    processes: int = 1
    told: Callable[..., None] | None = None


@final
class Player:
    """Plays cells; what the store holds is not played again, and equal arms are one.

    After a budget is spent nothing is asked any more: later cells give what the store holds.

    Args:
        courses: By task.
        grounds: By task.
        model: Who acts.
        pools: Of the same tasks.
        store: Of the episodes.
        settings: See there.

    Attributes:
        stopped: Why nothing is asked any more; empty while it is.

    Example::

        player = Player(courses, grounds, endpoint, pools, store, PlaySettings(examples=folder))
        player.cell("toy", Arm()).episodes
    """

    def __init__(
        self,
        courses: Mapping[str, Course],
        grounds: Mapping[str, Ground],
        model: LanguageModel,
        pools: Pools,
        store: EpisodeStore,
        settings: PlaySettings,
    ) -> None:
        self._courses, self._grounds = courses, grounds
        self._model, self._pools, self._store = model, pools, store
        self._settings = settings
        self._cells: dict[tuple[str, Arm], Cell] = {}
        self.stopped = ""

    def cell(self, task: str, arm: Arm) -> Cell:
        """One arm on one task, played as far as it can be.

        Raises:
            KshotError: Model or disk fail; what has ended is in the store.
        """
        plain = arm.plain
        if (task, plain) not in self._cells:
            self._cells[task, plain] = self._played(task, plain)
        return self._cells[task, plain]

    def _played(self, task: str, arm: Arm) -> Cell:
        ground = self._grounds[task]
        wanted = self._settings.rounds * len(ground.variations)
        try:
            shown = self._pools.shown(task, arm)
            if isinstance(shown, str):
                return Cell(task, arm, skipped=shown)
            strategy = strategy_named(arm.policy)
            agent = Agent(self._model, strategy, shown.lookup, self._example(ground, strategy), arm.render)
        except BudgetError as error:
            self.stopped = self.stopped or str(error)
            return Cell(task, arm, wanted=wanted, stopped=self.stopped)
        keys = self._keys(ground, arm, agent, shown.digest)
        failed = self._play(task, arm, agent, keys)
        found = (*self._store.of(keys.values()), *failed)
        episodes = tuple(sorted(found, key=lambda one: (one.round, one.variation)))
        stopped = self.stopped if len(episodes) < wanted else ""
        return Cell(task, arm, episodes, wanted, shown.size, stopped=stopped)

    def _play(
        self, task: str, arm: Arm, agent: Agent, keys: Mapping[tuple[int, int], EpisodeKey]
    ) -> list[Episode]:
        """Plays what is missing into the store; gives the episodes that failed."""
        jobs = [job for job, key in keys.items() if self._store.get(key) is None]
        failed: list[Episode] = []
        if self.stopped or not jobs:
            return failed
        try:
            maker = self._courses[task].maker
            for episode in run_episodes(maker, agent, jobs, processes=self._settings.processes):
                named = replace(episode, environment=task)
                self._store.keep(keys[episode.variation, episode.round], named)
                failed += [named] if named.failed else []
                if self._settings.told is not None:
                    done = sum(self._store.get(key) is not None for key in keys.values())
                    name = f"{task}, {arm.policy}, {arm.condition}"
                    self._settings.told("answering", name=name, done=done, of=len(keys))
        except BudgetError as error:
            self.stopped = str(error)
        return failed

    def _keys(self, ground: Ground, arm: Arm, agent: Agent, digest: str) -> dict[tuple[int, int], EpisodeKey]:
        setup = content_id(
            wording_id(), asdict(agent.strategy), agent.example, agent.budget, agent.stop, ground.move_limit,
            digest, arm.render if digest != "none" else "",
        )  # fmt: skip
        rounds: Iterable[int] = range(self._settings.rounds)
        return {
            (variation, round_): EpisodeKey(
                ground.task, variation, round_, arm.condition, arm.policy, self._model.id, setup
            )
            for round_ in rounds
            for variation in ground.variations
        }

    def _example(self, ground: Ground, strategy: Strategy) -> str:
        """The solved example; with thoughts it costs one request, made once."""
        paths: Sequence[str] = [f"{one.label} {[turn.said for turn in one.turns]}" for one in ground.solved]
        digest = content_id(self._model.id if strategy.thoughts else "", list(paths), wording_id())
        thinker = self._model if strategy.thoughts else None
        path = self._settings.examples / f"{digest}.txt"

        def make() -> str:
            found = solved_example(ground.solved, thinker=thinker)
            if found.reply is not None and found.reply.finish_reason == "error":
                why = found.reply.error or "no reply"
                raise ModelError(f"{ground.task}: no thoughts for the solved example ({why}); run it again")
            return found.text

        return kept_text(path, make)
