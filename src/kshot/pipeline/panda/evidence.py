"""The evidence on a pool: every row of a PANDA report answered on the same items, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from kshot.data.example import Example
from kshot.errors import InputError
from kshot.measure.metrics import invalid_count, row_scores
from kshot.measure.predict import unanswered
from kshot.measure.statistics import Comparison, compare_predictions, holm, score_interval
from kshot.methods.panda.cascade import CascadeReport, CascadeResult, cascade, cascade_report
from kshot.methods.panda.faithfulness import Verdict, faithfulness
from kshot.methods.panda.seams import Retrieved
from kshot.models.base import Reply
from kshot.models.embed.remember import RememberingEmbedder
from kshot.pipeline.panda.cascading import chosen_threshold
from kshot.pipeline.panda.conditions import (
    CONDITIONS,
    NAMES,
    REFERENCE,
    Condition,
    Extras,
    majority_label,
    reader_for,
)
from kshot.pipeline.panda.parts import Parts, answered, parts_for, without_rows

PLAIN = Extras()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One condition's answers to all items, and what they took.

    Attributes:
        answers: (N,) in the order of the items; None: the reply states none.
        value: Under the metric, with its 95 % ``interval``.
        comparison: To the reference on the same items; its p is corrected over all conditions, ``raw_p`` not.
        prompt_tokens: Of all items, also where replies came from the journal.
        calls: Requests that this run paid for.
    """

    condition: Condition
    answers: tuple[str | None, ...]
    value: float
    interval: tuple[float, float]
    invalid: int = 0
    comparison: Comparison | None = None
    raw_p: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    usd: float = 0.0
    failed: int = 0

    @property
    def name(self) -> str:
        """The condition's."""
        return self.condition.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PandaEvidence:
    """What all conditions answered to the same items.

    Attributes:
        outcomes: In the order of ``CONDITIONS``.
        skipped: Conditions that were not judged, with the reason.
        verdict: Whether the insights do the work.
        retrieved: (N,) what the condition ``insights`` had in its prompts; empty where it did not run.
        cascade: The cascade beside never and always asking; its metric is one of single rows.
        notes: What a reader should know, a sentence each.
    """

    metric: str
    items: tuple[Example, ...]
    gold: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    verdict: Verdict
    skipped: tuple[tuple[str, str], ...] = ()
    retrieved: tuple[Retrieved, ...] = ()
    cascade: CascadeReport | None = None
    notes: tuple[str, ...] = ()

    def outcome(self, name: str) -> Outcome | None:
        """The outcome of a condition; None where it was not judged."""
        return next((one for one in self.outcomes if one.name == name), None)


def gather_evidence(
    rows: Sequence[Example],
    parts: Parts,
    *,
    names: Sequence[str] = NAMES,
    extras: Extras = PLAIN,
) -> PandaEvidence:
    """Every condition on the same items, each compared with ``no insights``; then the verdict.

    Nothing of the judged rows is in the pool, the lessons or the examples: what has their text is taken out
    and noted. The answers are read here and nowhere before. With a journal behind the model a stopped run
    goes on for free. Comparisons are paired, p values are Holm's over all of them.

    Args:
        rows: The test rows, with answers.
        parts: What everything stands on.
        names: Which conditions; ``no insights`` is always judged.
        extras: What single conditions need.

    Raises:
        InputError: No rows, a row without answer, or a condition that does not exist.
        BudgetError: A limit was reached; what was answered stands in the model's journal.

    Example::

        evidence = gather_evidence(task.test, parts)
        print(evidence.verdict.headline)
    """
    _check(rows, names)
    clean, notes = parts_for(parts, rows)
    clean = replace(clean, embedder=RememberingEmbedder(clean.embedder))
    if extras.irrelevant is not None:
        extras = replace(extras, irrelevant=without_rows(extras.irrelevant, rows))
    work = _Work(tuple(rows), clean, tuple(clean.gold(rows)), extras)
    found: list[Outcome] = []
    skipped: list[tuple[str, str]] = []
    for condition in CONDITIONS:
        if condition.name not in names and condition.name != REFERENCE:
            continue
        outcome = work.judged(condition)
        if isinstance(outcome, str):
            skipped.append((condition.name, outcome))
        else:
            found.append(outcome)
    tested = {one.condition.tested: one.answers for one in found if one.condition.tested}
    verdict = faithfulness(clean.metric, work.gold, tested, labels=clean.labels, seed=clean.seed)
    return PandaEvidence(
        metric=clean.metric,
        items=work.rows,
        gold=work.gold,
        outcomes=_compared(found, work),
        verdict=verdict,
        skipped=tuple(skipped),
        retrieved=tuple(work.retrieved),
        cascade=work.cascade,
        notes=notes,
    )


def row_metric(metric: str) -> str:
    """The metric by which single rows are judged: the given one where it is a mean of rows.

    >>> row_metric("macro_f1"), row_metric("rouge_l")
    ('accuracy', 'rouge_l')
    """
    if metric.startswith("tweeteval:") or metric == "macro_f1":
        return "accuracy"
    return metric


@final
class _Work:
    """The run itself: what is found on the way is kept here."""

    def __init__(
        self, rows: tuple[Example, ...], parts: Parts, gold: tuple[str, ...], extras: Extras
    ) -> None:
        self.rows = rows
        self.parts = parts
        self.gold = gold
        self.extras = extras
        self.retrieved: list[Retrieved] = []
        self.cascade: CascadeReport | None = None
        self._expert: tuple[str | None, ...] | None = None

    def judged(self, condition: Condition) -> Outcome | str:
        """One condition, or why it was not judged."""
        if condition.name == "majority":
            label = majority_label(self.parts)
            if self.parts.labels is None or label is None:
                return "the task has no labels, or no learning row has an answer"
            return self.outcome(condition, [label] * len(self.rows))
        if condition.name == "the expert itself":
            said = self.expert()
            return said if isinstance(said, str) else self.outcome(condition, said)
        reader = reader_for(condition.name, self.parts, self.extras)
        if isinstance(reader, str):
            return reader
        if condition.name == "cascade":
            return self._cascade(condition)
        found = answered(self.parts, self.rows, reader, name=condition.name)
        if condition.name == "insights":
            self.retrieved = [one.retrieved for one in found]
        return self.outcome(condition, [one.answer for one in found], [one.reply for one in found])

    def expert(self) -> tuple[str | None, ...] | str:
        """The expert's answers to the items, asked for once."""
        if self.parts.expert is None:
            return "the labels are the expert, and those of the items are not known to anybody"
        if self._expert is None:
            self._expert = tuple(self.parts.expert([unanswered(row) for row in self.rows]))
            if len(self._expert) != len(self.rows):
                raise InputError(f"the expert gave {len(self._expert)} answers for {len(self.rows)} rows")
        return self._expert

    def outcome(
        self, condition: Condition, answers: Sequence[str | None], replies: Sequence[Reply] = ()
    ) -> Outcome:
        """Answers judged, with what their replies took."""
        metric, labels = self.parts.metric, self.parts.labels
        value, interval = score_interval(metric, answers, self.gold, labels=labels, seed=self.parts.seed)
        return Outcome(
            condition=condition,
            answers=tuple(answers),
            value=value,
            interval=interval,
            invalid=invalid_count(answers, metric=metric),
            prompt_tokens=sum(reply.prompt_tokens for reply in replies),
            completion_tokens=sum(reply.completion_tokens for reply in replies),
            calls=sum(reply.calls for reply in replies),
            usd=sum(reply.usd for reply in replies),
            failed=sum(reply.finish_reason == "error" for reply in replies),
        )

    def _cascade(self, condition: Condition) -> Outcome | str:
        said = self.expert()
        if isinstance(said, str):
            return said
        reader = reader_for("cascade", self.parts, self.extras)
        if isinstance(reader, str):
            return reader
        metric = row_metric(self.parts.metric)
        choice = chosen_threshold(self.parts, self.extras, metric)
        by_row = dict(zip((unanswered(row) for row in self.rows), said, strict=True))
        result: CascadeResult = cascade(
            self.parts.model, self.rows, reader, expert=lambda rows: [by_row[row] for row in rows],
            draws=self.extras.draws, temperature=self.extras.temperature, threshold=choice.threshold,
        )  # fmt: skip
        if row_scores(metric, said, self.gold) is not None:
            self.cascade = cascade_report(
                result, self.gold, expert_answers=said, metric=metric, seed=self.parts.seed
            )
        drawn = [reply for group in result.drawn.replies for reply in group]
        return self.outcome(replace(condition, note=choice.note), result.answers, drawn)


def _compared(found: Sequence[Outcome], work: _Work) -> tuple[Outcome, ...]:
    reference = next(one for one in found if one.name == REFERENCE)
    others = [one for one in found if one is not reference]
    seen = [
        compare_predictions(
            work.parts.metric, one.answers, reference.answers, work.gold,
            labels=work.parts.labels, margin=work.parts.margin, seed=work.parts.seed,
        )
        for one in others
    ]  # fmt: skip
    corrected = {
        one.name: replace(one, comparison=comparison.with_p(p), raw_p=comparison.p)
        for one, comparison, p in zip(others, seen, holm([c.p for c in seen]), strict=True)
    }
    return tuple(corrected.get(one.name, one) for one in found)


def _check(rows: Sequence[Example], names: Sequence[str]) -> None:
    if len(rows) < 2:
        raise InputError(f"evidence: {len(rows)} rows to be judged on; expected two or more")
    lacking = [row.source or row.prompt[:40] for row in rows if not row.answer]
    if lacking:
        raise InputError(f"evidence: {len(lacking)} rows have no answer, the first is {lacking[0]!r}")
    if unknown := [name for name in names if name not in NAMES]:
        raise InputError(f"evidence: condition {unknown[0]!r} is none of {', '.join(NAMES)}")
