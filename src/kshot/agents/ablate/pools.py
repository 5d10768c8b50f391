"""The insights of every arm: learnt once each, or made of those that are learnt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from kshot.agents.ablate.arms import ALL_ANSWERS, Arm
from kshot.agents.ablate.course import GOLD_PATHS, Ground
from kshot.agents.explanations import EpisodePrompts
from kshot.agents.loop import Lookup
from kshot.data.example import Example
from kshot.errors import DataError, InputError
from kshot.methods.panda.controls import IrrelevantRetriever, reversed_preferences, shuffled
from kshot.methods.panda.label_noise import swapped
from kshot.methods.panda.learn import Lesson, NotLearned, learn, learning_template, planned_insight
from kshot.methods.panda.pool import InsightPool, PoolHeader, PoolWriter
from kshot.methods.panda.records import ExpertFacts, Insight, content_id
from kshot.methods.panda.retrieve import Retrieval, Retriever
from kshot.methods.panda.seams import Ask, Retrieved
from kshot.models.base import Embedder, LanguageModel
from kshot.models.embed import RememberingEmbedder

Told = Callable[..., None]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """How insights are learnt and kept.

    Attributes:
        folder: Of the pools, one folder each.
        ask: What is asked for.
        seed: Of the shuffling and of the weaker expert.
        endpoint: For the pools' headers: address, model, the key's variable.
        told: Called with ``learning`` and ``done``, ``of`` and ``failed`` as insights come.
    """

    folder: Path
    ask: Ask = "reason"
    seed: int = 0
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    told: Told | None = None


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
        found = self._insights(task, arm)
        if isinstance(found, str):
            return found
        if arm.size is not None:
            if arm.size > len(found):
                return f"the pool has {len(found):,} insights"
            found = found[: arm.size]
        if not found:
            return "no insight could be learnt"
        found = tuple(_with_answers(one, arm.answers) for one in found)
        is_far = arm.source == "irrelevant" and len(self._grounds) < 2
        lookup = self._farthest(found, arm.k) if is_far else self._nearest(task, found, arm.k)
        facts = [(one.id, one.explanation) for one in found]
        return Shown(lookup, content_id(facts, self._embedder.id, arm.k, is_far), len(found))

    def pool(self, task: str) -> InsightPool:
        """A task's own pool.

        Raises:
            KshotError: As ``shown``.
        """
        return self._pool(task, Arm())

    def to_learn(self, arms: Iterable[tuple[str, Arm]]) -> dict[str, int]:
        """Insights that have to be learnt for these arms, by pool; what is in its folder already is not counted.

        Example::

            sum(pools.to_learn([("toy", Arm())]).values())
        """
        needed: dict[Path, int] = {}
        for task, arm in arms:
            plain = arm.plain
            if plain.source != "none":
                owner = self._owner(task, plain)
                folder = self._folder(owner, plain)
                needed.setdefault(folder, self._missing(folder, self._lessons(owner, plain)))
        return {folder.name: count for folder, count in needed.items() if count}

    def _insights(self, task: str, arm: Arm) -> Sequence[Insight] | str:
        pool = self._pool(self._owner(task, arm), arm)
        if arm.source != "shuffled":
            return pool.insights
        try:
            return shuffled(pool.insights, seed=self._settings.seed)
        except DataError as error:
            return str(error)

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
            held = None if _is_as_it_is(arm) else self._pool(owner, Arm())
            self._learnt[folder] = self._learn(folder, self._lessons(owner, arm), held)
        return self._learnt[folder]

    def _folder(self, owner: str, arm: Arm) -> Path:
        """A folder's name tells the pool; the hash tells lessons, wording and model apart."""
        kind = "corrupted" if arm.source == "corrupted" else arm.heuristic
        kind += f"-swapped-{arm.swapped:g}" if arm.swapped else ""
        lessons = [(one.position, one.key, one.preference.id) for one in self._lessons(owner, arm)]
        facts = content_id(lessons, arm.heuristic, self._template, self._model.id)
        slug = "".join(letter if letter.isalnum() else "-" for letter in owner)
        return self._settings.folder / f"{slug}-{kind}-{facts[:8]}"

    @property
    def _template(self) -> str:
        return learning_template(EpisodePrompts(), self._settings.ask)

    def _lessons(self, owner: str, arm: Arm) -> list[tuple[Lesson, Arm]] | list[Lesson]:
        lessons = list(self._grounds[owner].lessons)
        preferences = [one.preference for one in lessons]
        if arm.source == "corrupted":
            changed = reversed_preferences(preferences, heuristic=arm.heuristic)
            pairs = zip(changed.kept, changed.preferences, strict=True)
            return [replace(lessons[at], preference=preference) for at, preference in pairs]
        if arm.swapped:
            noisy = swapped(preferences, arm.swapped, seed=self._settings.seed)
            return [replace(one, preference=new) for one, new in zip(lessons, noisy, strict=True)]
        return lessons
