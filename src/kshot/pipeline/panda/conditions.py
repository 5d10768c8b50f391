"""The rows of every PANDA report, and how each is put to the LLM: what the insights have to beat."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from kshot.data.example import Example
from kshot.errors import DataError
from kshot.methods.panda.answer import Reader
from kshot.methods.panda.controls import IrrelevantRetriever, neutral, reversed_preferences, shuffled
from kshot.methods.panda.learn import Lesson, learn
from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.preferences import gold_led
from kshot.methods.panda.records import Insight
from kshot.methods.panda.seams import Render, Setting
from kshot.pipeline.panda.parts import Parts, learned, reader_of

Group: TypeAlias = Literal["baseline", "insights", "control", "expert"]
REFERENCE = "no insights"


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the report.

    Attributes:
        tested: What the verdict on faithfulness calls it, where it takes part.
        note: One line for the report.
    """

    name: str
    group: Group
    note: str
    tested: str = ""


CONDITIONS: tuple[Condition, ...] = (
    Condition("majority", "baseline", "the most frequent label of the learning rows"),
    Condition(REFERENCE, "baseline", "the same prompt without insights", "empty"),
    Condition("random examples", "baseline", "as many labelled rows as insights, drawn at random"),
    Condition("nearest examples, gold labels", "baseline", "the nearest learning rows with their labels"),
    Condition(
        "nearest examples, expert's labels", "baseline",
        "the nearest learning rows with the expert's answers: learned without a call", "preference",
    ),
    Condition("preferences", "insights", "the nearest learning rows with the expert's first two answers"),
    Condition("insights", "insights", "text and explanation", "real"),
    Condition("insights and labels", "insights", "text, the expert's answer and the explanation", "both"),
    Condition("guide", "insights", "the pool as one short text, without retrieval"),
    Condition("cascade", "insights", "insights; the expert where the LLM's draws disagree"),
    Condition("shuffled insights", "control", "each text with another's explanation", "shuffled"),
    Condition("irrelevant insights", "control", "the least similar records, or another task's", "irrelevant"),
    Condition("corrupted insights", "control", "explanations of the reversed preference", "corrupted"),
    Condition("neutral filler", "control", "filler of the same length", "neutral"),
    Condition("the expert itself", "expert", "without the LLM", "expert"),
)  # fmt: skip
NAMES = tuple(one.name for one in CONDITIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What single conditions need beside the parts.

    Attributes:
        guide: The pool distilled; empty: the guide is not judged.
        irrelevant: Another task's pool for the irrelevant control; None: the least similar records.
        draws: Of the cascade, at ``temperature``.
    """

    guide: str = ""
    irrelevant: InsightPool | None = None
    draws: int = 3
    temperature: float = 0.7


def reader_for(name: str, parts: Parts, extras: Extras) -> Reader | str:
    """How a condition puts rows to the LLM, or why it cannot.

    Conditions that ask nobody (``majority``, ``the expert itself``) have no reader. ``cascade`` reads as
    ``insights`` does. Corrupted insights are learned here, by the same LLM.

    Example::

        reader = reader_for("shuffled insights", parts, Extras())
    """
    if len(parts.pool) == 0 and name not in (REFERENCE, "random examples"):
        return "the pool is empty"
    return _MAKERS[name](parts, extras)


def majority_label(parts: Parts) -> str | None:
    """The most frequent answer of the labelled rows, else of the expert; ties: the earlier label.

    Example::

        majority_label(parts)
    """
    found = parts.gold([row for row in parts.labelled if row.answer])
    found = found or [one.answer for one in parts.pool if one.answer is not None]
    order = {label: at for at, label in enumerate(parts.labels or ())}
    counts = Counter(found)
    return min(counts, key=lambda label: (-counts[label], order.get(label, 0)), default=None)


def as_rendered(parts: Parts, render: Render, *, answers: int = 1) -> Setting:
    """The evaluation's setting with another way of showing insights."""
    return replace(parts.setting, render=render, answers=answers)


def corrupted_insights(parts: Parts, *, name: str = "corrupted insights") -> tuple[Insight, ...]:
    """Explanations of the reversed preferences, learned by the same LLM and wording.

    Example::

        insights = corrupted_insights(parts)
    """
    changed = reversed_preferences([one.preference for one in parts.lessons], heuristic=parts.heuristic)
    lessons = [
        replace(parts.lessons[at], preference=preference)
        for at, preference in zip(changed.kept, changed.preferences, strict=True)
    ]
    return learned(parts, lessons, name=f"{name}: learning")[0]


def _plain(parts: Parts, extras: Extras) -> Reader:
    return reader_of(parts, None)


def _random(parts: Parts, extras: Extras) -> Reader | str:
    rows = [row for row in parts.labelled if row.answer]
    if not rows:
        return "there are no labelled rows"
    count = min(parts.retrieval.k, len(rows))
    drawn = tuple(random.Random(parts.seed).sample(rows, count))
    setting = replace(parts.setting, shots=count)
    return Reader(parts.prompts, shots=_with_spare(drawn, rows), setting=setting)


def _with_spare(drawn: tuple[Example, ...], rows: Sequence[Example]) -> tuple[Example, ...]:
    """One more, for a row that is itself among the drawn ones."""
    return (*drawn, *[row for row in rows if row not in drawn][:1])


def _nearest_gold(parts: Parts, extras: Extras) -> Reader | str:
    golds = {one.position: parts.template.gold(one.row) for one in parts.lessons if one.row.answer}
    lessons: list[Lesson] = []
    for one in parts.lessons:
        gold = one.preference.gold or golds.get(one.position)
        if gold:
            lessons.append(replace(one, preference=gold_led(replace(one.preference, gold=gold))))
    if not lessons:
        return "no learning row has a label"
    found = learn(None, lessons, prompts=parts.prompts, render="preference")
    insights = [one for one in found if isinstance(one, Insight)]
    return reader_of(parts, insights, setting=as_rendered(parts, "preference"))


def _rendered(render: Render, answers: int = 1) -> Callable[[Parts, Extras], Reader | str]:
    def make(parts: Parts, extras: Extras) -> Reader | str:
        if render != "insight" and not any(one.preference for one in parts.pool):
            return "the pool does not tell what the expert preferred"
        setting = as_rendered(parts, render, answers=answers)
        return reader_of(parts, parts.pool.insights, setting=setting)

    return make


def _real(parts: Parts, extras: Extras) -> Reader | str:
    return reader_of(parts, parts.pool.insights)


def _guide(parts: Parts, extras: Extras) -> Reader | str:
    if not extras.guide.strip():
        return "there is no guide"
    return replace(reader_of(parts, None), guide=extras.guide)


def _shuffled(parts: Parts, extras: Extras) -> Reader | str:
    try:
        return reader_of(parts, shuffled(parts.pool.insights, seed=parts.seed))
    except DataError as error:
        return str(error)


def _irrelevant(parts: Parts, extras: Extras) -> Reader | str:
    if extras.irrelevant is not None:
        return reader_of(parts, extras.irrelevant.insights)
    retrieve = IrrelevantRetriever(parts.pool, parts.embedder, k=parts.retrieval.k)
    return replace(reader_of(parts, None), retrieve=retrieve)


def _corrupted(parts: Parts, extras: Extras) -> Reader | str:
    insights = corrupted_insights(parts)
    return reader_of(parts, insights) if insights else "no preference could be reversed and explained"


def _neutral(parts: Parts, extras: Extras) -> Reader | str:
    return reader_of(parts, neutral(parts.pool.insights))


_MAKERS: Mapping[str, Callable[[Parts, Extras], Reader | str]] = {
    REFERENCE: _plain,
    "random examples": _random,
    "nearest examples, gold labels": _nearest_gold,
    "nearest examples, expert's labels": _rendered("preference"),
    "preferences": _rendered("preference", 2),
    "insights": _real,
    "insights and labels": _rendered("both"),
    "guide": _guide,
    "cascade": _real,
    "shuffled insights": _shuffled,
    "irrelevant insights": _irrelevant,
    "corrupted insights": _corrupted,
    "neutral filler": _neutral,
}
