"""The ablations run: every variant on the same items, each question's variants compared with its first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from kshot.data.example import Example
from kshot.errors import InputError, MetricError
from kshot.measure.metrics import invalid_count
from kshot.measure.statistics import compare_predictions, holm, score_interval
from kshot.methods.panda.answer import Answered, Reader
from kshot.methods.panda.filters import filter_preferences
from kshot.methods.panda.label_noise import swapped
from kshot.methods.panda.learn import Lesson
from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.preferences import from_gold
from kshot.methods.panda.records import Heuristic, Insight
from kshot.methods.panda.seams import Retrieve, Retrieved
from kshot.methods.panda.usefulness import measure_usefulness, with_counters
from kshot.models.embed.remember import RememberingEmbedder
from kshot.pipeline.panda.ablations import QUESTIONS, TITLES, Variant, variants_of
from kshot.pipeline.panda.evidence import row_metric
from kshot.pipeline.panda.parts import Parts, answered, learned, parts_for, reader_of, without_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantOutcome:
    """One variant's answers to all items.

    Attributes:
        difference: To the first variant of its table, paired, with its 95 % interval; None for the first.
        p_holm: Holm's over the variants of the table.
        pool_size: Records that could be retrieved.
        failed: Lessons that gave no insight where it was learned anew.
    """

    variant: Variant
    answers: tuple[str | None, ...]
    value: float
    interval: tuple[float, float]
    invalid: int
    pool_size: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    failed: int = 0
    difference: float | None = None
    difference_interval: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class Ablation:
    """One question answered: its variants in their order, and those that were not run with the reason."""

    question: str
    title: str
    outcomes: tuple[VariantOutcome, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def run_ablations(
    rows: Sequence[Example],
    parts: Parts,
    *,
    questions: Sequence[str] = QUESTIONS,
    pools: Mapping[str, InsightPool] | None = None,
) -> tuple[Ablation, ...]:
    """Tables of variants, one a question, on the same items.

    What two questions share is learned and answered once. With a journal behind the model a stopped run goes
    on for free. Choosing a variant by these figures is choosing on the test rows: they compare, they do not
    tune.

    Args:
        rows: The test rows, with answers.
        parts: What everything stands on.
        questions: Of ``QUESTIONS``.
        pools: Other tasks' pools by name, for ``transfer``.

    Raises:
        InputError: A question does not exist, or fewer than two rows.
        BudgetError: A limit was reached; what was answered stands in the model's journal.

    Example::

        for table in run_ablations(task.test, parts, questions=("render", "k")):
            print(table.title, [(one.variant.name, one.value) for one in table.outcomes])
    """
    if len(rows) < 2:
        raise InputError(f"ablations: {len(rows)} rows to be judged on; expected two or more")
    clean, _ = parts_for(parts, rows)
    clean = replace(clean, embedder=RememberingEmbedder(clean.embedder))
    others = {name: without_rows(pool, rows) for name, pool in (pools or {}).items()}
    work = _Work(tuple(rows), clean, others)
    tables = [
        (question, variants_of(question, pool_size=len(clean.pool), pools=tuple(work.pools)))
        for question in questions
    ]
    return tuple(work.table(question, variants) for question, variants in tables)


@final
class _Work:
    """The run itself: learned pools and answers, each once."""

    def __init__(self, rows: tuple[Example, ...], parts: Parts, pools: dict[str, InsightPool]) -> None:
        self.rows = rows
        self.parts = parts
        self.pools = pools
        self.gold = parts.gold(rows)
        self._learned: dict[tuple[Heuristic, bool, float], tuple[tuple[Insight, ...], int]] = {}
        self._done: dict[Variant, VariantOutcome | str] = {}

    def table(self, question: str, variants: Sequence[Variant]) -> Ablation:
        """All variants of a question."""
        found: list[VariantOutcome] = []
        skipped: list[tuple[str, str]] = []
        for variant in variants:
            key = self._plain(variant)
            if key not in self._done:
                self._done[key] = self._outcome(variant)
            outcome = self._done[key]
            if isinstance(outcome, str):
                skipped.append((variant.name, outcome))
            else:
                found.append(replace(outcome, variant=variant))
        title = next(text for name, text in TITLES.items() if name == question)
        return Ablation(question, title, self._compared(found), tuple(skipped))

    def _plain(self, variant: Variant) -> Variant:
        """The variant without its name and without what the evaluation does anyway."""
        parts = self.parts
        has_own_render = (variant.render, variant.answers) == (parts.setting.render, parts.setting.answers)
        return replace(
            variant,
            name="",
            render=None if has_own_render else variant.render,
            heuristic=None if variant.heuristic == parts.heuristic else variant.heuristic,
            size=None if variant.size == len(parts.pool) else variant.size,
            k=None if variant.k == parts.retrieval.k else variant.k,
        )

    def _outcome(self, variant: Variant) -> VariantOutcome | str:
        insights = self._insights(variant)
        if isinstance(insights, str):
            return insights
        found = answered(self.parts, self.rows, self._reader(variant, insights[0]), name=variant.name)
        return self._judged(variant, found, pool_size=len(insights[0]), failed=insights[1])

    def _insights(self, variant: Variant) -> tuple[Sequence[Insight], int] | str:
        """What can be retrieved, and how many lessons failed; or why the variant is not run."""
        if variant.pool is not None:
            other = self.pools[variant.pool].insights
            return (other, 0) if other else "the pool is empty, or holds nothing but texts of test rows"
        insights, failed = self._pool_of(variant)
        if not insights:
            return "no insight could be learned" if variant.gold else "the pool is empty"
        if variant.size is not None and variant.size > len(insights):
            return f"the pool has {len(insights):,} insights"
        kept = self._filtered(variant, insights[: variant.size])
        if variant.useful and not isinstance(kept, str):
            kept = self._useful(kept)
        return kept if isinstance(kept, str) else (kept, failed)

    def _pool_of(self, variant: Variant) -> tuple[Sequence[Insight], int]:
        heuristic = variant.heuristic or self.parts.heuristic
        if heuristic == self.parts.heuristic and not variant.gold and not variant.swapped:
            return self.parts.pool.insights, 0
        key = (heuristic, variant.gold, variant.swapped)
        if key not in self._learned:
            lessons = self._lessons(variant)
            name = f"{variant.name}: learning"
            found, failed = learned(self.parts, lessons, heuristic=heuristic, name=name)
            self._learned[key] = (tuple(sorted(found, key=lambda one: one.row)), failed)
        return self._learned[key]

    def _lessons(self, variant: Variant) -> list[Lesson]:
        preferences = [one.preference for one in self.parts.lessons]
        if variant.swapped:
            preferences = list(swapped(preferences, variant.swapped, seed=self.parts.seed))
        changed = zip(self.parts.lessons, preferences, strict=True)
        lessons = [replace(one, preference=preference) for one, preference in changed]
        if not variant.gold:
            return lessons
        labelled = [(one, one.preference.gold or self.parts.template.gold(one.row)) for one in lessons]
        return [
            replace(
                one,
                preference=from_gold(one.preference.text, gold, expert_preference=one.preference),
            )
            for one, gold in labelled
            if gold
        ]

    def _filtered(self, variant: Variant, insights: Sequence[Insight]) -> Sequence[Insight] | str:
        if not variant.min_probability and not variant.drop_against_gold:
            return insights
        preferences = [one.preference for one in insights if one.preference is not None]
        if len(preferences) < len(insights):
            return "the pool does not tell what the expert preferred"
        try:
            kept = filter_preferences(
                preferences,
                min_probability=variant.min_probability,
                gold="drop" if variant.drop_against_gold else "flag",
            ).kept
        except InputError as error:
            return str(error)
        return [insights[at] for at in kept] or "no record is left"

    def _useful(self, insights: Sequence[Insight]) -> Sequence[Insight] | str:
        shots = [row for row in self.parts.held_out if row.answer]
        if not shots:
            return "there are no held-out shots to measure usefulness on"
        retrieval = replace(self.parts.retrieval, leave_one_out=True)
        reader = reader_of(self.parts, insights, retrieval=retrieval)
        gold, metric = self.parts.gold(shots), row_metric(self.parts.metric)
        try:
            found = measure_usefulness(self.parts.model, shots, reader, gold=gold, metric=metric)
        except MetricError as error:
            return str(error)
        counted = with_counters(insights, found.counters)
        return [one for one in counted if one.counters.hurt <= one.counters.helped] or "all of them hurt"

    def _reader(self, variant: Variant, insights: Sequence[Insight]) -> Reader:
        base = self.parts.retrieval
        retrieval = replace(
            base,
            k=base.k if variant.k is None else variant.k,
            distinct_keys=variant.distinct_keys or base.distinct_keys,
            overlap=variant.overlap if variant.overlap is not None else base.overlap,
            mmr=variant.mmr if variant.mmr is not None else base.mmr,
        )
        setting = self.parts.setting
        if variant.render is not None:
            setting = replace(setting, render=variant.render, answers=variant.answers)
        reader = reader_of(self.parts, insights, setting=setting, retrieval=retrieval)
        if variant.farthest_first and reader.retrieve is not None:
            return replace(reader, retrieve=_turned(reader.retrieve))
        return reader

    def _judged(
        self, variant: Variant, found: Sequence[Answered], *, pool_size: int, failed: int
    ) -> VariantOutcome:
        metric, answers = self.parts.metric, tuple(one.answer for one in found)
        value, interval = score_interval(
            metric, answers, self.gold, labels=self.parts.labels, seed=self.parts.seed
        )
        return VariantOutcome(
            variant=variant, answers=answers, value=value, interval=interval, pool_size=pool_size,
            failed=failed, invalid=invalid_count(answers, metric=metric),
            prompt_tokens=sum(one.reply.prompt_tokens for one in found),
            completion_tokens=sum(one.reply.completion_tokens for one in found),
        )  # fmt: skip

    def _compared(self, found: Sequence[VariantOutcome]) -> tuple[VariantOutcome, ...]:
        if not found:
            return ()
        seen = [
            compare_predictions(
                self.parts.metric, one.answers, found[0].answers, self.gold,
                labels=self.parts.labels, seed=self.parts.seed,
            )
            for one in found[1:]
        ]  # fmt: skip
        corrected = holm([one.p for one in seen])
        others = [
            replace(one, difference=comparison.difference, difference_interval=comparison.interval,
                    p=comparison.p, p_holm=p)
            for one, comparison, p in zip(found[1:], seen, corrected, strict=True)
        ]  # fmt: skip
        return (found[0], *others)


def _turned(retrieve: Retrieve) -> Retrieve:
    """The same insights, the most similar last."""

    def turned(row: Example) -> Retrieved:
        found = retrieve(row)
        return replace(found, chosen=found.chosen[::-1])

    return turned
