"""One pool from lessons: what another pool explained already is taken over, the rest is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kshot.agents.ablate.arms import Arm
from kshot.agents.ablate.course import GOLD_PATHS
from kshot.agents.explanations import EpisodePrompts
from kshot.methods.panda.controls import reversed_preferences
from kshot.methods.panda.label_noise import swapped
from kshot.methods.panda.learn import Lesson, NotLearned, learn, learning_template, planned_insight
from kshot.methods.panda.pool import InsightPool, PoolHeader, PoolWriter
from kshot.methods.panda.records import ExpertFacts, Heuristic, Insight, content_id
from kshot.methods.panda.seams import Ask
from kshot.models.base import LanguageModel

Told = Callable[..., None]


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


def lessons_for(lessons: Sequence[Lesson], arm: Arm, *, seed: int = 0) -> tuple[Lesson, ...]:
    """A task's lessons as an arm has them: reversed for the corrupted control, swapped for a weaker expert.

    A decision without a rival cannot be reversed, and is left out.

    Example::

        lessons_for(ground.lessons, Arm(source="corrupted"))
    """
    preferences = [one.preference for one in lessons]
    if arm.source == "corrupted":
        changed = reversed_preferences(preferences, heuristic=arm.heuristic)
        pairs = zip(changed.kept, changed.preferences, strict=True)
        return tuple(replace(lessons[at], preference=preference) for at, preference in pairs)
    if arm.swapped:
        noisy = swapped(preferences, arm.swapped, seed=seed)
        return tuple(replace(one, preference=new) for one, new in zip(lessons, noisy, strict=True))
    return tuple(lessons)


def pool_folder(
    owner: str, lessons: Sequence[Lesson], arm: Arm, *, settings: PoolSettings, model: str
) -> Path:
    """Where a pool lies. The name tells what it is; its hash tells lessons, wording and model apart.

    Example::

        pool_folder("toy", lessons, Arm(), settings=settings, model=endpoint.id)
    """
    kind: str = "corrupted" if arm.source == "corrupted" else arm.heuristic
    kind += f"-swapped-{arm.swapped:g}" if arm.swapped else ""
    facts = [(one.position, one.key, one.preference.id) for one in lessons]
    digest = content_id(facts, arm.heuristic, learning_template(EpisodePrompts(), settings.ask), model)
    slug = "".join(letter if letter.isalnum() else "-" for letter in owner)
    return settings.folder / f"{slug}-{kind}-{digest[:8]}"


def record_ids(
    lessons: Iterable[Lesson], heuristic: Heuristic, *, ask: Ask = "reason", model: str = ""
) -> list[str]:
    """The id of the insight that each lesson becomes.

    Example::

        set(record_ids(lessons, "top2", model=endpoint.id)) - set(pool.ids)
    """
    prompts = EpisodePrompts()
    return [
        planned_insight(one, prompts=prompts, heuristic=heuristic, ask=ask, model_id=model).id
        for one in lessons
    ]


def learnt_pool(
    owner: str,
    lessons: Sequence[Lesson],
    model: LanguageModel,
    *,
    arm: Arm,
    settings: PoolSettings,
    known: Iterable[Insight] = (),
) -> tuple[InsightPool, int]:
    """A pool with every lesson learnt that can be, and how many could not. Its folder is gone on with.

    Args:
        owner: The task.
        lessons: As the arm has them (``lessons_for``).
        model: Who explains.
        arm: Which pair is explained, and how the pool is called.
        settings: See there.
        known: Insights of another pool: those that are the same record are taken over, without a request.

    Raises:
        BudgetError: A limit was reached; what was learnt is kept.
        DataError, RunError: The folder cannot be used.
        ModelError: The model cannot be used.

    Example::

        pool, failed = learnt_pool("toy", ground.lessons, endpoint, arm=Arm(), settings=settings)
    """
    folder = pool_folder(owner, lessons, arm, settings=settings, model=model.id)
    header = header_for(owner, lessons, arm, settings=settings, model=model.id)
    ids = record_ids(lessons, arm.heuristic, ask=settings.ask, model=model.id)
    wanted, failed, done = set(ids), 0, 0
    with PoolWriter.open(folder, header) as writer:
        for insight in known:
            if insight.id in wanted:
                writer.append(insight)
        left = [one for one, id_ in zip(lessons, ids, strict=True) if id_ not in writer.held]
        outcomes = learn(model, left, prompts=EpisodePrompts(), heuristic=arm.heuristic, ask=settings.ask)
        for found in outcomes:
            done += 1
            if isinstance(found, NotLearned):
                failed += not found.reason.startswith("repeats")
            else:
                writer.append(found)
            if settings.told is not None:
                settings.told("learning", done=done, of=len(left), failed=failed)
    return InsightPool.load(folder), failed


def header_for(
    owner: str, lessons: Sequence[Lesson], arm: Arm, *, settings: PoolSettings, model: str
) -> PoolHeader:
    """What a pool says of itself.

    Example::

        header_for("toy", lessons, Arm(swapped=0.2), settings=settings, model=endpoint.id).expert
    """
    expert = lessons[0].preference.expert if lessons else GOLD_PATHS
    changed = "reversed" if arm.source == "corrupted" else f"{arm.swapped:.0%} swapped" if arm.swapped else ""
    return PoolHeader(
        owner,
        "agent",
        template=learning_template(EpisodePrompts(), settings.ask),
        expert=ExpertFacts(expert.kind, f"{expert.id}, {changed}" if changed else expert.id),
        model=model,
        endpoint=settings.endpoint,
        decoding={"temperature": 0, "max_tokens": 150, "stop": ["\n"]},
    )
