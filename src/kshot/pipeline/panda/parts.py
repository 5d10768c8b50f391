"""What every part of a PANDA evaluation stands on: one task, one LLM, one encoder, one pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from kshot.data.example import Example, normalised
from kshot.data.template import Template
from kshot.methods.panda.answer import Answered, Reader, answer
from kshot.methods.panda.cascade import ExpertAnswers
from kshot.methods.panda.learn import Lesson, NotLearned, drop_equal_texts, learn
from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.records import Heuristic, Insight
from kshot.methods.panda.retrieve import Retrieval, Retriever
from kshot.methods.panda.seams import Ask, Prompts, Setting
from kshot.models.base import Embedder, LanguageModel

Progress: TypeAlias = Callable[[str, int, int], None]
MARGIN = 0.02
NEAREST = Retrieval()
EXPLAINED = Setting(render="insight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of an evaluation.

    Attributes:
        metric: As ``kshot.measure.metrics.evaluate``.
        pool: Learned from ``lessons``, or from nothing that is known any more.
        lessons: What the pool was learned from; by default they are rebuilt from the pool, which does for
            rows without choices, history or system turn.
        labelled: Rows with answers that are no test rows: random examples come from them.
        held_out: Shots on which usefulness is measured; where the pool was learned from one, its own insight
            is left out of its prompt.
        retrieval: How insights are chosen.
        setting: Shots and reasoning; its ``render`` is that of the conditions ``real`` and of all controls.
        expert: Rows to the expert's answers; None where the labels are the expert.
        seed: Of every draw.
        margin: Differences below it count as none, for the verdicts.
        progress: Told of each condition how many rows are answered, and of how many.
    """

    template: Template
    metric: str
    model: LanguageModel
    prompts: Prompts
    embedder: Embedder
    pool: InsightPool
    lessons: tuple[Lesson, ...] = ()
    labelled: tuple[Example, ...] = ()
    held_out: tuple[Example, ...] = ()
    retrieval: Retrieval = NEAREST
    setting: Setting = EXPLAINED
    heuristic: Heuristic = "top2"
    ask: Ask = "reason"
    expert: ExpertAnswers | None = None
    seed: int = 0
    margin: float = MARGIN
    progress: Progress | None = None

    def gold(self, rows: Sequence[Example]) -> list[str]:
        """The right answers as replies state them."""
        return [self.template.gold(row) for row in rows]

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Of a classification task; None elsewhere."""
        return self.template.labels or None


def parts_for(parts: Parts, rows: Sequence[Example]) -> tuple[Parts, tuple[str, ...]]:
    """Parts that hold nothing of the rows to be judged, with lessons; and what was taken out, in sentences.

    Insights, lessons and labelled rows whose text equals that of a judged row are left out. Texts are
    compared normalised.

    Example::

        parts, notes = parts_for(parts, task.test)
    """
    judged = {normalised(row.prompt) for row in rows}
    pool = without_rows(parts.pool, rows)
    lessons = parts.lessons or lessons_of_pool(pool)
    clean, _ = drop_equal_texts(lessons, [row.prompt for row in rows])
    labelled, held_out = (
        tuple(row for row in side if normalised(row.prompt) not in judged)
        for side in (parts.labelled, parts.held_out)
    )
    notes = []
    if count := len(parts.pool) - len(pool):
        notes.append(f"{count} of {len(parts.pool)} insights were left out: a test row has their text.")
    found = replace(parts, pool=pool, lessons=tuple(clean), labelled=labelled, held_out=held_out)
    return found, tuple(notes)


def without_rows(pool: InsightPool, rows: Sequence[Example]) -> InsightPool:
    """A pool without the insights whose text equals that of a row to be judged; compared normalised.

    Example::

        other = without_rows(InsightPool.load("pools/emotion"), task.test)
    """
    judged = {normalised(row.prompt) for row in rows}
    kept = [one for one in pool if normalised(one.key) not in judged]
    return pool if len(kept) == len(pool) else pool.with_insights(kept)


def lessons_of_pool(insights: Iterable[Insight]) -> tuple[Lesson, ...]:
    """The lessons that insights were learned from, as far as records tell: text, ranking, key, order.

    Records without a ranking give none.

    Example::

        lessons_of_pool(InsightPool.load("pools/irony"))
    """
    return tuple(
        Lesson(Example(one.preference.text, one.preference.gold or ""), one.preference, one.row, one.key)
        for one in insights
        if one.preference is not None
    )


def learned(
    parts: Parts, lessons: Sequence[Lesson], *, heuristic: Heuristic | None = None, name: str = "learn"
) -> tuple[tuple[Insight, ...], int]:
    """Insights of these lessons by the same LLM and wording, and how many lessons gave none.

    Example::

        insights, failed = learned(parts, lessons, heuristic="far")
    """
    found: list[Insight] = []
    failed = 0
    outcomes = learn(
        parts.model, lessons, prompts=parts.prompts, heuristic=heuristic or parts.heuristic, ask=parts.ask
    )
    for outcome in outcomes:
        if isinstance(outcome, NotLearned):
            failed += 1
        else:
            found.append(outcome)
        if parts.progress is not None:
            parts.progress(name, len(found) + failed, len(lessons))
    return tuple(found), failed


def reader_of(
    parts: Parts,
    insights: Sequence[Insight] | None,
    *,
    setting: Setting | None = None,
    retrieval: Retrieval | None = None,
) -> Reader:
    """How rows are put with these insights to choose from; None: with no retrieval at all.

    Example::

        reader_of(parts, parts.pool.insights, setting=replace(parts.setting, render="both"))
    """
    found = None
    if insights is not None:
        pool = InsightPool(insights, parts.pool.header)
        found = Retriever(pool, parts.embedder, retrieval or parts.retrieval)
    asked = setting or parts.setting
    # one to spare, for a row that is itself the next one; the others are never looked at
    shots = parts.labelled[: asked.shots + 1] if asked.shots else ()
    return Reader(parts.prompts, found, shots=shots, setting=asked)


def answered(parts: Parts, rows: Sequence[Example], reader: Reader, *, name: str) -> list[Answered]:
    """The outcome of each row, with progress under ``name``; calls count as step ``answer``."""
    tell = parts.progress

    def on_answer(done: int, of: int) -> None:
        if tell is not None:
            tell(name, done, of)

    return answer(parts.model, rows, reader, on_answer=on_answer)
