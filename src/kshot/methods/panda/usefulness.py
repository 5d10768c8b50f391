"""Which insights help: held-out shots answered with and without each of them.

Source: arXiv 2402.12835 keeps every insight; counting what one does to answers is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from kshot.data.example import Example
from kshot.errors import InputError
from kshot.measure.metrics import row_scores
from kshot.measure.predict import unanswered
from kshot.methods.panda.answer import Reader, conversation_with, decoding_of
from kshot.methods.panda.records import Counters, Insight
from kshot.methods.panda.seams import Retrieved
from kshot.models.asking import Question, replies
from kshot.models.base import LanguageModel, Reply


@final
@dataclass(frozen=True, slots=True)
class Usefulness:
    """What each insight did on the rows.

    Attributes:
        counters: By insight id: shown (a comparison was made), turned right, turned wrong.
        rows_used: Rows that were answered with and without each of their insights.
        rows_left: Rows that the bound on questions left out, or that have no insight.
        questions: Questions asked.
        failed: Comparisons that a failed request spoiled; they count nowhere.
        calls: Requests paid for.
        tokens: Of prompts and replies.
        usd: What they cost.
    """

    counters: Mapping[str, Counters]
    rows_used: int
    rows_left: int
    questions: int
    failed: int = 0
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0


def measure_usefulness(
    model: LanguageModel,
    rows: Sequence[Example],
    reader: Reader,
    *,
    gold: Sequence[str],
    metric: str = "exact_match",
    most_questions: int | None = None,
) -> Usefulness:
    """Counters of every insight that stands in a row's prompt: with it and without it, all else equal.

    An answer that is better with the insight adds ``helped``, one that is worse adds ``hurt``.

    Args:
        model: Who answers, greedily.
        rows: Held-out shots, never test rows; their answers are taken off before anybody looks.
        reader: With a retriever that leaves a row's own insight out.
        gold: (N,) right answers, as ``Template.gold`` has them.
        metric: One that is a mean of rows.
        most_questions: Rows are taken in their order as long as their questions fit; None: all.

    Raises:
        InputError: The lengths differ, the reader has no retriever, the metric is no mean of rows, or a row
            finds an insight that was learned from its own text.
        MetricError: The metric does not exist.

    Example::

        found = measure_usefulness(endpoint, shots, reader, gold=[shot.answer for shot in shots])
        pool = with_counters(pool.insights, found.counters)
    """
    if len(gold) != len(rows):
        raise InputError(f"{len(gold)} right answers for {len(rows)} rows; expected one a row")
    if gold and row_scores(metric, gold, gold) is None:  # before anything is paid for
        raise InputError(f"metric {metric!r} is no mean of rows; insights are judged row by row")
    retrieved = _all_retrieved(rows, reader)
    taken = _fitting([_questions_of(found) for found in retrieved], most_questions)
    asked = [(place, left_out) for place in taken for left_out in (None, *_ids(retrieved[place]))]
    how = decoding_of(reader)
    prompts = [conversation_with(rows[p], _without(retrieved[p], left_out), reader) for p, left_out in asked]
    found = replies(model, [Question(prompt, how, step="usefulness") for prompt in prompts])
    scores = _scored(found, [gold[place] for place, _ in asked], reader, metric)
    counters, failed = _counted(asked, scores)
    return Usefulness(
        counters,
        len(taken),
        len(rows) - len(taken),
        len(asked),
        failed,
        sum(reply.calls for reply in found),
        sum(reply.prompt_tokens + reply.completion_tokens for reply in found),
        sum(reply.usd for reply in found),
    )


def with_counters(insights: Sequence[Insight], counters: Mapping[str, Counters]) -> tuple[Insight, ...]:
    """The insights with the counts added to those they have.

    >>> one = Insight(0, "x", "because", counters=Counters(shown=1))
    >>> with_counters([one], {one.id: Counters(2, 1, 0)})[0].counters
    Counters(shown=3, helped=1, hurt=0)
    """
    return tuple(
        replace(insight, counters=_sum(insight.counters, counters.get(insight.id, Counters())))
        for insight in insights
    )


def _sum(a: Counters, b: Counters) -> Counters:
    return Counters(a.shown + b.shown, a.helped + b.helped, a.hurt + b.hurt)


def _all_retrieved(rows: Sequence[Example], reader: Reader) -> list[Retrieved]:
    if reader.retrieve is None:
        raise InputError("usefulness is measured of insights; the reader has no retriever")
    found = [reader.retrieve(unanswered(row)) for row in rows]
    for row, retrieved in zip(rows, found, strict=True):
        if any(chosen.insight.key == row.prompt for chosen in retrieved.chosen):
            raise InputError(
                f"row {row.id} finds an insight that was learned from its own text; "
                "give a retriever that leaves equal keys out (leave_one_out=True)"
            )
    return found


def _ids(retrieved: Retrieved) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chosen.insight.id for chosen in retrieved.chosen))


def _questions_of(retrieved: Retrieved) -> int:
    return 1 + len(_ids(retrieved)) if retrieved.chosen else 0


def _fitting(counts: Sequence[int], most: int | None) -> list[int]:
    """Places of the rows with questions, in order, up to the first one that no longer fits."""
    taken, total = [], 0
    for place, count in enumerate(counts):
        if not count:
            continue
        if most is not None and total + count > most:
            break
        taken.append(place)
        total += count
    return taken


def _without(retrieved: Retrieved, left_out: str | None) -> Retrieved:
    return replace(retrieved, chosen=tuple(c for c in retrieved.chosen if c.insight.id != left_out))


def _scored(found: Sequence[Reply], gold: Sequence[str], reader: Reader, metric: str) -> list[float | None]:
    """Score of each reply; None where the request failed."""
    if not found:
        return []
    stated = [reader.prompts.read(reply, reader.setting) for reply in found]
    scores = row_scores(metric, stated, gold)
    return [
        None if reply.finish_reason == "error" else float(score)
        for reply, score in zip(found, scores if scores is not None else (), strict=True)
    ]


def _counted(
    asked: Sequence[tuple[int, str | None]], scores: Sequence[float | None]
) -> tuple[dict[str, Counters], int]:
    with_all = {place: score for (place, out), score in zip(asked, scores, strict=True) if out is None}
    counters: dict[str, Counters] = {}
    failed = 0
    for (place, left_out), without in zip(asked, scores, strict=True):
        if left_out is None:
            continue
        having = with_all[place]
        if having is None or without is None:
            failed += 1
            continue
        one = Counters(1, int(having > without), int(having < without))
        counters[left_out] = _sum(counters.get(left_out, Counters()), one)
    return counters, failed
