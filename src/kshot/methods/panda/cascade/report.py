"""What a cascade was worth: beside never asking, always asking, and a split by somebody who knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from kshot.errors import InputError
from kshot.measure.metrics import row_scores
from kshot.measure.statistics import Comparison, compare
from kshot.methods.panda.cascade.ask import CascadeResult

Scores = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True)
class CascadeRow:
    """One way to share rows between model and expert.

    Attributes:
        name: ``cascade``, ``never ask``, ``always ask``, ``oracle split``.
        score: Mean over all rows; None where it needs answers of the expert that are not given.
        share_asked: Share of the rows that go to the expert.
        kept_score: Mean over the rows that the model keeps; None where it keeps none.
        asked_score: Mean over the rows that the expert answers; None where it answers none.
        calls: Requests to the model that were paid for.
        usd: What they cost.
    """

    name: str
    score: float | None
    share_asked: float | None
    kept_score: float | None = None
    asked_score: float | None = None
    calls: int = 0
    usd: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class CascadeReport:
    """The cascade beside its three alternatives, and what that says.

    Attributes:
        table: Cascade, never ask, always ask, oracle split (the expert wherever the model alone is wrong:
            nobody could do better with these two).
        against_expert: Cascade against always asking; None where the expert's answers are not given, or
            there are fewer than two rows.
        sentence: What to do.
    """

    table: tuple[CascadeRow, ...]
    against_expert: Comparison | None
    sentence: str

    def rows(self) -> list[dict[str, Any]]:
        """The table as plain rows, for the report."""
        return [asdict(row) for row in self.table]


def cascade_report(
    result: CascadeResult,
    gold: Sequence[str],
    *,
    expert_answers: Sequence[str | None] | None = None,
    metric: str = "exact_match",
    seed: int = 0,
) -> CascadeReport:
    """Scores of the cascade and of its alternatives on the same rows.

    Args:
        result: Of ``cascade``.
        gold: (N,) right answers.
        expert_answers: (N,) the expert's on every row. Without them always asking and the oracle split are
            unknown, unless every row was asked.
        metric: One that is a mean of rows.
        seed: Of the interval.

    Raises:
        InputError: The lengths differ, or there are no rows.
        MetricError: The metric does not exist, or is no mean of rows.

    Example::

        print(cascade_report(found, [row.answer for row in rows], expert_answers=labels).sentence)
    """
    if expert_answers is None and all(result.asked):
        expert_answers = result.expert
    if not len(gold) or {len(gold), len(expert_answers or gold)} != {len(result.answers)}:
        raise InputError(
            f"{len(result.answers)} answers of the cascade, {len(gold)} right answers and "
            f"{len(expert_answers or gold)} of the expert; expected as many of each, and at least one"
        )
    own = _scores(metric, result.drawn.answers, gold)
    both = _scores(metric, result.answers, gold)
    expert = None if expert_answers is None else _scores(metric, expert_answers, gold)
    table = (
        _row("cascade", both, np.asarray(result.asked), result),
        _row("never ask", own, np.zeros(len(own), bool), result),
        *_with_expert(own, expert, result),
    )
    against = compare(both, expert, seed=seed) if expert is not None and len(both) > 1 else None
    return CascadeReport(table, against, _sentence(table, against))


def _scores(metric: str, answers: Sequence[str | None], gold: Sequence[str]) -> Scores:
    scores = row_scores(metric, answers, gold)
    if scores is None:
        raise InputError(f"metric {metric!r} is no mean of rows; a cascade is judged row by row")
    return scores


def _row(name: str, scores: Scores, asked: NDArray[np.bool_], result: CascadeResult) -> CascadeRow:
    kept_score = float(scores[~asked].mean()) if not asked.all() else None
    asked_score = float(scores[asked].mean()) if asked.any() else None
    share = float(asked.mean())
    return CascadeRow(name, float(scores.mean()), share, kept_score, asked_score, result.calls, result.usd)


def _with_expert(own: Scores, expert: Scores | None, result: CascadeResult) -> tuple[CascadeRow, CascadeRow]:
    if expert is None:
        return CascadeRow("always ask", None, 1.0), CascadeRow("oracle split", None, None)
    score = float(expert.mean())
    always = CascadeRow("always ask", score, 1.0, None, score)
    return always, _row("oracle split", np.maximum(own, expert), expert > own, result)


def _sentence(table: Sequence[CascadeRow], against: Comparison | None) -> str:
    ours, never, always, _ = table
    said = f"The cascade asks the expert about {ours.share_asked:.0%} of the rows and scores {ours.score:.3f}"
    said += f" (never asking {never.score:.3f}"
    if always.score is None or ours.score is None:
        return f"{said}; always asking is unknown, as the expert was not asked about every row)."
    said += f", always asking {always.score:.3f})."
    if always.score < ours.score:
        if against is not None and against.verdict == "better":
            return f"{said} It is better than the expert alone."
        return f"{said} That it is better than the expert alone is not shown on these rows."
    if always.score == ours.score:
        return f"{said} The expert alone does as well, without a call to the model."
    if against is not None and against.verdict == "worse":
        return f"{said} The expert alone is better: use it without the model."
    return f"{said} The expert alone is better here, by less than these rows can prove; it costs no call."
