"""More than luck? Intervals, paired tests, Holm's correction, and a verdict in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kshot.errors import MetricError
from kshot.measure.metrics.scoring import row_scores
from kshot.measure.metrics.tweeteval import ClassScore, class_score
from kshot.measure.statistics.bootstrap import grouped, p_value, percentile_interval, resampled
from kshot.measure.statistics.proportions import Interval, mcnemar_exact, tango, two_sided, wilson
from kshot.measure.statistics.verdicts import Comparison, Verdict, smallest_difference, verdict

Floats: TypeAlias = NDArray[np.float64]
Stated: TypeAlias = Sequence[str | None]
_LARGEST = 1e100  # sums and squares of scores must stay finite
MCNEMAR, BOOTSTRAP = "exact McNemar", "paired bootstrap"


def compare(a: ArrayLike, b: ArrayLike, *, margin: float = 0.02, seed: int = 0) -> Comparison:
    """Whether scores ``a`` are higher than ``b`` on the same rows, in the same order.

    Scores are (N,), or (N, R) where rows were judged R times (repeated k-fold): the rows are what is
    drawn, the R scores of a row are averaged. One score of 0 or 1 each: exact McNemar test and Tango's
    interval. Otherwise a paired bootstrap of rows: percentile interval, p from the draws centred on the
    observed difference (``bootstrap.p_value``). Where no row tells the two apart from a constant
    difference, the bootstrap has nothing to vary and the interval is that of n rows without a discordant
    one. The order of rows does not matter; swapping a and b turns all signs.

    Raises:
        MetricError: Different shapes, fewer than two rows, a score that is not finite, a bad margin.

    >>> result = compare([1, 1, 1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0, 0, 0])
    >>> result.difference, result.p, result.verdict
    (0.875, 0.015625, 'better')
    """
    first, second = _paired(a, b)
    _check(margin, len(first))
    if first.shape[1] == 1 and np.isin(np.hstack([first, second]), (0.0, 1.0)).all():
        return _compare_shares(first[:, 0], second[:, 0], margin=margin)
    span = max(1.0, float(np.ptp(np.hstack([first, second]))))
    delta = first.mean(axis=1) - second.mean(axis=1)
    values, counts = grouped(delta[:, None])
    mirrored, mirrored_counts = grouped(-delta[:, None])
    if flip := (mirrored.tolist(), mirrored_counts.tolist()) < (values.tolist(), counts.tolist()):
        values, counts = mirrored, mirrored_counts
    draws = resampled(counts, lambda drawn: drawn @ values[:, 0] / len(delta), seed=seed)
    difference = math.fsum(values[:, 0] * counts) / len(delta)
    result = _from_draws(draws, difference, n=len(delta), span=span, margin=margin)
    return _turned(result) if flip else result


def compare_predictions(  # noqa: PLR0913 - two systems, their answers, and what a metric needs
    metric: str,
    a: Stated | Sequence[Stated],
    b: Stated | Sequence[Stated],
    answers: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    margin: float = 0.02,
    seed: int = 0,
) -> Comparison:
    """Whether predictions ``a`` score higher than ``b`` under a metric, on the same rows.

    ``a`` and ``b`` are lists of N predictions, or lists of R such lists (repeated k-fold; the metric is
    averaged over repeats and a row is drawn with all its repeats). Metrics that are means of rows go
    through ``compare``; macro-F1 and TweetEval's scores are bootstrapped themselves, rows drawn jointly.

    Raises:
        MetricError: As ``metrics.evaluate`` and ``compare``.

    >>> compare_predictions("macro_f1", ["x", "y"] * 9, ["x"] * 18, ["x", "y"] * 9).verdict
    'better'
    """
    first, second = _repeats(a), _repeats(b)
    if len(first) != len(second):
        raise MetricError(f"{metric}: {len(first)} repeats against {len(second)}; expected the same number")
    rows = [_row_matrix(metric, side, answers, labels) for side in (first, second)]
    if rows[0] is not None and rows[1] is not None:
        return compare(rows[0], rows[1], margin=margin, seed=seed)
    score = _class_score(metric, answers, labels)
    codes = [np.stack([score.codes(one) for one in side], axis=1) for side in (first, second)]  # (N, R)
    _check(margin, len(answers))
    return _compare_classes(score, score.codes(answers), codes[0], codes[1], margin=margin, seed=seed)


def score_interval(
    metric: str,
    predictions: Stated | Sequence[Stated],
    answers: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[float, Interval]:
    """A metric's value and its 95 % interval: Wilson's where rows score 0 or 1, else by bootstrap of rows.

    Predictions as in ``compare_predictions``. Where all rows are alike the bootstrap has nothing to vary,
    and the interval is widened by what n rows without a single exception leave open.

    Raises:
        MetricError: As ``metrics.evaluate``.

    >>> score_interval("accuracy", ["x"] * 8 + ["y"] * 2, ["x"] * 10)
    (0.8, (0.49016247153664183, 0.9433178485456247))
    """
    repeats = _repeats(predictions)
    rows = _row_matrix(metric, repeats, answers, labels)
    if rows is None:
        score = _class_score(metric, answers, labels)
        value = float(np.mean([score.score(one, answers) for one in repeats]))
        codes = np.stack([score.codes(one) for one in repeats], axis=1)
        groups, counts = grouped(np.column_stack([score.codes(answers), codes]))
        draws = resampled(counts, _class_statistic(score, groups, groups[:, 1:]), seed=seed)
        return value, _widened(draws, value, n=len(answers), span=1.0, unit=True)
    value = float(np.mean([np.mean(column) for column in np.ascontiguousarray(rows.T)]))
    if rows.shape[1] == 1 and np.isin(rows, (0.0, 1.0)).all():
        return value, wilson(int(rows.sum()), len(answers))
    groups, counts = grouped(rows.mean(axis=1)[:, None])
    draws = resampled(counts, lambda drawn: drawn @ groups[:, 0] / len(answers), seed=seed)
    unit = bool((rows >= 0).all() and (rows <= 1).all())
    span = max(1.0, float(np.ptp(rows)))
    return value, _widened(draws, value, n=len(answers), span=span, unit=unit)


def _compare_shares(a: Floats, b: Floats, *, margin: float) -> Comparison:
    n, only_a, only_b = len(a), int(np.sum(a > b)), int(np.sum(b > a))
    difference, interval, p = (only_a - only_b) / n, tango(only_a, only_b, n), mcnemar_exact(only_a, only_b)
    smallest = smallest_difference(n, discordant_share=(only_a + only_b) / n)
    said = verdict(difference, interval, p, margin=margin)
    return Comparison(difference, interval, p, said, n, MCNEMAR, smallest, margin)


def _compare_classes(
    score: ClassScore,
    answers: NDArray[np.int64],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    *,
    margin: float,
    seed: int,
) -> Comparison:
    repeats = a.shape[1]
    groups, counts = grouped(np.column_stack([answers, a, b]))
    mirrored, mirrored_counts = grouped(np.column_stack([answers, b, a]))
    if flip := (mirrored.tolist(), mirrored_counts.tolist()) < (groups.tolist(), counts.tolist()):
        groups, counts = mirrored, mirrored_counts
    first = _class_statistic(score, groups, groups[:, 1 : 1 + repeats])
    second = _class_statistic(score, groups, groups[:, 1 + repeats :])
    draws = resampled(counts, lambda drawn: first(drawn) - second(drawn), seed=seed)
    whole = counts[None, :].astype(np.float64)
    difference = float((first(whole) - second(whole))[0])
    result = _from_draws(draws, difference, n=len(answers), span=1.0, margin=margin)
    return _turned(result) if flip else result


def _class_statistic(score: ClassScore, groups: Floats, said: Floats) -> Callable[[Floats], Floats]:
    """(B, G) counts of drawn groups to (B,) scores, averaged over the repeats in ``said`` (G, R)."""
    classes = np.arange(len(score.labels))
    is_true = (groups[:, :1] == classes).astype(np.float64)  # (G, C)
    is_said = [(said[:, [r]] == classes).astype(np.float64) for r in range(said.shape[1])]

    def statistic(drawn: Floats) -> Floats:
        actual = drawn @ is_true  # (B, C)
        each = [score.from_counts(drawn @ (part * is_true), drawn @ part, actual) for part in is_said]
        return np.asarray(np.mean(each, axis=0))

    return statistic


def _from_draws(draws: Floats, difference: float, *, n: int, span: float, margin: float) -> Comparison:
    interval = _widened(draws, difference, n=n, span=span, unit=False)
    spread = max(float(draws.std()), (interval[1] - interval[0]) / (2 * two_sided(0.95)))
    p = 1.0 if difference == 0 else p_value(draws, difference, n=n)
    said = verdict(difference, interval, p, margin=margin)
    smallest = smallest_difference(1, sd=spread)
    return Comparison(difference, interval, p, said, n, BOOTSTRAP, smallest, margin)


def _widened(draws: Floats, value: float, *, n: int, span: float, unit: bool) -> Interval:
    """The percentile interval; one without width gets that of n equal rows, z^2 / (n + z^2) of the span."""
    low, high = percentile_interval(draws)
    if high - low <= 1e-12 * max(1.0, abs(value)):
        square = two_sided(0.95) ** 2
        half = span * square / (n + square)
        low, high = value - half, value + half
    return (max(0.0, low), min(1.0, high)) if unit else (low, high)


def _turned(result: Comparison) -> Comparison:
    low, high = result.interval
    flipped: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}
    said = flipped.get(result.verdict, result.verdict)
    return replace(result, difference=-result.difference or 0.0, interval=(-high, -low), verdict=said)


def _repeats(predictions: Stated | Sequence[Stated]) -> list[Stated]:
    """R lists of predictions, whether one or several were given."""
    nested = len(predictions) > 0 and not isinstance(predictions[0], str | None)
    return [list(one or ()) for one in predictions] if nested else [predictions]  # type: ignore[list-item]


def _row_matrix(
    metric: str, repeats: Sequence[Stated], answers: Sequence[str], labels: Sequence[str] | None
) -> Floats | None:
    """(N, R) row scores, or None where the metric is no mean of rows."""
    columns = [row_scores(metric, one, answers, labels=labels) for one in repeats]
    kept = [column for column in columns if column is not None]
    return np.stack(kept, axis=1) if kept else None


def _class_score(metric: str, answers: Sequence[str], labels: Sequence[str] | None) -> ClassScore:
    score = class_score(metric, answers, labels)
    if score is None:
        raise MetricError(f"metric {metric!r} is neither a mean of rows nor a score over classes")
    return score


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Both as (N, R) float64, checked."""
    try:
        first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    except (TypeError, ValueError) as error:
        raise MetricError(f"scores must be numbers, as many in every row: {error}") from error
    if first.shape != second.shape or first.ndim not in (1, 2) or 0 in first.shape[1:]:
        raise MetricError(
            f"scores of shapes {first.shape} and {second.shape}; expected two of (N,) or (N, R)"
        )
    for name, scores in (("a", first), ("b", second)):
        if len(wrong := np.argwhere(~(np.abs(scores) <= _LARGEST))):
            row = int(wrong[0][0])
            raise MetricError(
                f"{name}: {len(wrong)} scores are not finite or beyond {_LARGEST:g}, the first in row {row}"
            )
    if first.ndim == 1:
        return first[:, None], second[:, None]
    return first, second


def _check(margin: float, n: int) -> None:
    if n < 2:
        raise MetricError(f"{n} rows cannot be compared; expected at least two")
    if not 0 <= margin < math.inf:
        raise MetricError(f"margin is {margin!r}, expected a number from 0")
