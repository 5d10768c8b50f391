"""The insights of every arm: learnt once each, or made of those that are learnt."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from kshot.agents.ablate.arms import ALL_ANSWERS, Arm
from kshot.agents.ablate.course import Ground
from kshot.agents.ablate.learnt import (
    PoolSettings,
    learnt_pool,
    lessons_for,
    pool_folder,
    record_ids,
)
from kshot.agents.loop import Lookup
from kshot.data.example import Example
from kshot.errors import DataError, InputError
from kshot.methods.panda.controls import IrrelevantRetriever, shuffled
from kshot.methods.panda.learn import Lesson
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.records import Insight, content_id
from kshot.methods.panda.retrieve import Retrieval, Retriever
from kshot.methods.panda.seams import Retrieved
from kshot.models.base import Embedder, LanguageModel
from kshot.models.embed import RememberingEmbedder


@dataclass(frozen=True, slots=True)
class Shown:
    """What an arm shows.

    Attributes:
        lookup: From a key to insights; None: none.
        digest: A hash of the insights and of how they are found.
        size: How many there are.
    """

    lookup: Lookup | None = None
    digest: str = "none"
    size: int = 0


@final
class Pools:
    """Pools of several tasks and of their controls. Each is learnt when it is first asked for.

    Args:
        grounds: By task, in the order of the list.
        model: Who explains.
        embedder: Who encodes situations.
        settings: See there.

    Attributes:
        failed: Decisions that gave no insight, by pool.

    Example::

        pools = Pools({ground.task: ground}, endpoint, embedder, PoolSettings(folder=Path("pools")))
        pools.shown("toy", Arm()).lookup("[observation]: A hall.")
    """

    def __init__(
        self,
        grounds: Mapping[str, Ground],
        model: LanguageModel,
        embedder: Embedder,
        settings: PoolSettings,
    ) -> None:
        self._grounds = grounds
        self._model = model
        self._embedder = RememberingEmbedder(embedder)
        self._settings = settings
        self._learnt: dict[Path, InsightPool] = {}
        self.failed: dict[str, int] = {}

    @property
    def model(self) -> LanguageModel:
        """Who explains."""
        return self._model

    def shown(self, task: str, arm: Arm) -> Shown | str:
        """What an arm shows, or why it cannot be played.

        Raises:
            BudgetError: A limit was reached while a pool was learnt; what was learnt is kept.
            DataError, RunError: A pool's folder cannot be used.
            ModelError: The model cannot be used.
        """
        arm = arm.plain
        if arm.source == "none":
            return Shown()
        found: Sequence[Insight] = self._pool(self._owner(task, arm), arm).insights
        if arm.source == "shuffled":
            try:
                found = shuffled(found, seed=self._settings.seed)
            except DataError as error:
                return str(error)
        if arm.size is not None and arm.size > len(found):
            return f"the pool has {len(found):,} insights"
        found = found[: arm.size]
        if not found:
            return "no insight could be learnt"
        is_far = arm.source == "irrelevant" and len(self._grounds) < 2
        lookup = self._farthest(found, arm.k) if is_far else self._nearest(found, arm.k)
        facts = [(one.id, one.explanation) for one in found]
        digest = content_id(facts, self._embedder.id, arm.k, arm.answers, is_far)
        return Shown(_with_answers(lookup, arm.answers), digest, len(found))

    def pool(self, task: str) -> InsightPool:
        """A task's own pool.

        Raises:
            KshotError: As ``shown``.
        """
        return self._pool(task, Arm())

    def to_learn(self, arms: Iterable[tuple[str, Arm]]) -> dict[str, int]:
        """Insights that these arms still need, by pool; what is there, or another pool lends, is not counted.

        Example::

            sum(pools.to_learn([("toy", Arm())]).values())
        """
        needed: dict[str, int] = {}
        for task, arm in arms:
            plain = arm.plain
            if plain.source != "none":
                owner = self._owner(task, plain)
                needed[self._folder(owner, Arm()).name] = self._lacking(owner, Arm())
                needed[self._folder(owner, plain).name] = self._lacking(owner, plain)
        return {name: count for name, count in needed.items() if count}

    def _owner(self, task: str, arm: Arm) -> str:
        """Whose pool it is; of the irrelevant ones that of the next task of the list."""
        if arm.source == "task":
            if arm.other not in self._grounds:
                raise InputError(f"{arm.other}: is no task of the list")
            return arm.other
        tasks = list(self._grounds)
        return tasks[(tasks.index(task) + 1) % len(tasks)] if arm.source == "irrelevant" else task

    def _pool(self, owner: str, arm: Arm) -> InsightPool:
        folder = self._folder(owner, arm)
        if folder not in self._learnt:
            known = () if folder == self._folder(owner, Arm()) else self._pool(owner, Arm()).insights
            self._learnt[folder], failed = learnt_pool(
                owner,
                self._lessons(owner, arm),
                self._model,
                arm=arm,
                settings=self._settings,
                known=known,
            )
            if failed:
                self.failed[folder.name] = failed
        return self._learnt[folder]

    def _lessons(self, owner: str, arm: Arm) -> tuple[Lesson, ...]:
        return lessons_for(self._grounds[owner].lessons, arm, seed=self._settings.seed)

    def _folder(self, owner: str, arm: Arm) -> Path:
        lessons = self._lessons(owner, arm)
        return pool_folder(owner, lessons, arm, settings=self._settings, model=self._model.id)

    def _lacking(self, owner: str, arm: Arm) -> int:
        folder = self._folder(owner, arm)
        if folder in self._learnt:
            return 0
        ask, model = self._settings.ask, self._model.id
        wanted = set(record_ids(self._lessons(owner, arm), arm.heuristic, ask=ask, model=model))
        if folder != self._folder(owner, Arm()):
            wanted -= set(record_ids(self._lessons(owner, Arm()), "top2", ask=ask, model=model))
        if folder.is_dir():
            wanted -= set(InsightPool.load(folder).ids)
        return len(wanted)

    def _nearest(self, insights: Sequence[Insight], k: int) -> Lookup:
        pool = InsightPool(insights, PoolHeader("tables", "agent"))
        return Retriever(pool, self._embedder, Retrieval(k=k)).nearest

    def _farthest(self, insights: Sequence[Insight], k: int) -> Lookup:
        retrieve, encoding = IrrelevantRetriever(insights, self._embedder, k=k), threading.Lock()

        def farthest(key: str) -> Retrieved:
            with encoding:  # episodes ask from several threads; tokenizers refuse two at once
                return retrieve(Example(key, ""))

        return farthest


def _with_answers(lookup: Lookup, answers: int) -> Lookup:
    """Fewer of the expert's ranking in what is found: a prompt shows what is there."""
    if answers >= ALL_ANSWERS:
        return lookup

    def cut(key: str) -> Retrieved:
        found = lookup(key)
        chosen = tuple(replace(one, insight=_first(one.insight, answers)) for one in found.chosen)
        return replace(found, chosen=chosen)

    return cut


def _first(insight: Insight, answers: int) -> Insight:
    if insight.preference is None:
        return insight
    ranked = insight.preference.candidates[:answers]
    return replace(insight, preference=replace(insight.preference, candidates=ranked))
