"""Comparisons: exact where rows are right or wrong, by bootstrap elsewhere; and how they turn and repeat."""

from __future__ import annotations

import doctest
import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import MetricError
from kshot.measure.metrics.scoring import evaluate, row_scores
from kshot.measure.statistics import paired as statistics
from kshot.measure.statistics.paired import (
    Comparison,
    compare,
    compare_predictions,
    mcnemar_exact,
    score_interval,
    wilson,
)
from kshot.measure.statistics.proportions import tango

SHARES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=30)
SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=12)
LABELS = st.sampled_from(["x", "y", "z"])
ROWS = st.lists(st.tuples(LABELS, LABELS | st.none(), LABELS), min_size=2, max_size=20)


def test_examples() -> None:
    assert doctest.testmod(statistics).failed == 0


def turned(result: Comparison) -> tuple[Any, ...]:
    words = {"better": "worse", "worse": "better"}
    low, high = result.interval
    return (
        -result.difference,
        (-high, -low),
        result.p,
        words.get(result.verdict, result.verdict),
        result.n,
        result.test,
    )


def seen(result: Comparison) -> tuple[Any, ...]:
    return result.difference, result.interval, result.p, result.verdict, result.n, result.test


@given(SHARES)
def test_right_or_wrong_is_exact_mcnemar_with_tango(rows: list[tuple[int, int]]) -> None:
    a, b = zip(*rows, strict=True)
    only_a, only_b = sum(x > y for x, y in rows), sum(y > x for x, y in rows)
    result = compare(a, b)
    assert result.test == "exact McNemar"
    assert result.n == len(rows)
    assert result.difference == (only_a - only_b) / len(rows)
    assert result.p == mcnemar_exact(only_a, only_b)
    assert result.interval == tango(only_a, only_b, len(rows))
    assert compare(np.array(a, bool), np.array(b, bool)) == result


@settings(deadline=None, max_examples=25)
@given(SHARES | SCORES, st.randoms())
def test_swapping_turns_all_signs_and_the_order_of_rows_is_nothing(rows: list[Any], random: Any) -> None:
    a, b = zip(*rows, strict=True)
    result = compare(a, b)
    assert seen(compare(b, a)) == turned(result)
    random.shuffle(rows)
    a, b = zip(*rows, strict=True)
    assert compare(a, b) == result


@settings(deadline=None, max_examples=25)
@given(ROWS, st.randoms())
def test_the_same_for_macro_f1(rows: list[Any], random: Any) -> None:
    gold, a, b = (list(column) for column in zip(*rows, strict=True))
    result = compare_predictions("macro_f1", a, b, gold)
    expected = evaluate("macro_f1", a, gold) - evaluate("macro_f1", b, gold)
    assert result.difference == pytest.approx(expected, abs=1e-12)
    assert result.interval[0] <= result.interval[1]
    assert seen(compare_predictions("macro_f1", b, a, gold)) == turned(result)
    random.shuffle(rows)
    gold, a, b = (list(column) for column in zip(*rows, strict=True))
    assert compare_predictions("macro_f1", a, b, gold) == result


def test_bootstrap_against_the_t_test() -> None:
    from scipy.stats import ttest_rel

    generator = np.random.default_rng(5)
    for shift in (0.0, 0.05, 0.1, 0.2):
        a = generator.random(300)
        b = a - shift + generator.normal(0, 0.5, 300)
        result, expected = compare(a, b), ttest_rel(a, b)
        assert result.test == "paired bootstrap"
        assert result.p == pytest.approx(expected.pvalue, abs=0.02)
        interval = expected.confidence_interval()
        assert result.interval == pytest.approx((interval.low, interval.high), abs=0.008)
        assert result.smallest_difference == pytest.approx(2.8016 * (a - b).std() / np.sqrt(300), rel=0.05)


def test_chance_is_called_a_difference_hardly_more_often_than_it_says() -> None:
    generator = np.random.default_rng(0)
    calls = 0
    for _ in range(200):
        rows = generator.random((40, 2))
        calls += compare(rows[:, 0], rows[:, 1]).verdict in ("better", "worse")
    assert calls / 200 < 0.1


@pytest.mark.parametrize("n", range(2, 6))
def test_five_rows_or_fewer_never_show_a_difference(n: int) -> None:
    for a, b in (([1] * n, [0] * n), (np.linspace(0.9, 1.0, n), np.zeros(n)), ([0.7] * n, [0.2] * n)):
        assert compare(a, b).verdict == "too few rows to tell"
        assert compare(b, a).verdict == "too few rows to tell"


def test_identical_lists() -> None:
    for scores in ([1, 0] * 150, [0.3, 0.8] * 150):
        result = compare(scores, scores)
        assert (result.difference, result.p, result.verdict) == (0.0, 1.0, "tied")
        few = compare(scores[:10], scores[:10])
        assert (few.difference, few.p, few.verdict) == (0.0, 1.0, "too few rows to tell")
        assert few.interval[0] < -0.02 < 0.02 < few.interval[1]
    gold = ["x", "y"] * 150
    result = compare_predictions("macro_f1", gold, gold, gold)
    assert (result.difference, result.p, result.verdict) == (0.0, 1.0, "tied")
    assert math.copysign(1, result.difference) == 1


def test_a_large_scale_widens_what_has_no_spread() -> None:
    low, high = compare([100.0, 50.0] * 5, [100.0, 50.0] * 5).interval
    assert high - low == pytest.approx(2 * 50 * 3.8415 / (10 + 3.8415), rel=1e-4)


def test_repeats_are_averaged_and_rows_are_what_is_drawn() -> None:
    generator = np.random.default_rng(2)
    once = (generator.random((60, 1)) < 0.7).astype(float)
    other = (generator.random((60, 1)) < 0.5).astype(float)
    single = compare(once, other)
    assert single == compare(once[:, 0], other[:, 0])
    # Ten identical repeats are no ten times as many rows.
    repeated = compare(np.repeat(once, 10, axis=1), np.repeat(other, 10, axis=1))
    assert (repeated.n, repeated.test) == (60, "paired bootstrap")
    assert repeated.difference == pytest.approx(single.difference)
    width = repeated.interval[1] - repeated.interval[0]
    assert width == pytest.approx(single.interval[1] - single.interval[0], rel=0.1)


def test_predictions_of_several_repeats() -> None:
    gold = ["x", "y", "y", "x", "z"] * 12
    wrong: list[str | None]
    right: list[str | None]
    wrong, right = ["x", "x", "y", None, "z"] * 12, list(gold)
    for metric in ("macro_f1", "accuracy"):
        both = compare_predictions(metric, [right, wrong], [wrong, wrong], gold)
        expected = (1 + evaluate(metric, wrong, gold)) / 2 - evaluate(metric, wrong, gold)
        assert both.difference == pytest.approx(expected)
        assert both.n == 60
        alone = compare_predictions(metric, [right], [wrong], gold)
        assert alone == compare_predictions(metric, right, wrong, gold)
        value, (low, high) = score_interval(metric, [right, wrong], gold)
        assert value == pytest.approx((1 + evaluate(metric, wrong, gold)) / 2)
        assert 0 <= low < value < high <= 1


def slow_bootstrap(gold: list[str], a: list[Any], b: list[Any]) -> np.ndarray[Any, Any]:
    """Draws of macro-F1 differences, one by one through scikit-learn."""
    from sklearn.metrics import f1_score

    generator, labels, values = np.random.default_rng(9), sorted(set(gold)), []
    for _ in range(250):
        rows = generator.integers(0, len(gold), len(gold))
        scores = [
            f1_score(
                [gold[i] for i in rows],
                [str(said[i]) for i in rows],
                labels=labels,
                average="macro",
                zero_division=0,
            )
            for said in (a, b)
        ]
        values.append(scores[0] - scores[1])
    return np.array(values)


def test_macro_f1_bootstrap_equals_a_loop_over_scikit_learn() -> None:
    generator = np.random.default_rng(4)
    gold = generator.choice(["x", "y", "z"], 120, p=[0.6, 0.3, 0.1]).tolist()
    a = [g if generator.random() < 0.8 else "x" for g in gold]
    b = [g if generator.random() < 0.6 else None for g in gold]
    result, slow = compare_predictions("macro_f1", a, b, gold), slow_bootstrap(gold, a, b)
    low, high = np.quantile(slow, [0.025, 0.975])
    assert result.interval == pytest.approx((low, high), abs=0.04)
    assert (result.interval[1] - result.interval[0]) / (high - low) == pytest.approx(1, abs=0.2)


def test_metrics_that_are_means_go_through_compare() -> None:
    gold, a, b = ["red cat", "y"] * 20, ["red cat", "y"] * 20, ["red cat", "x"] * 20
    result = compare_predictions("exact_match", a, b, gold, margin=0.1, seed=3)
    scores = [row_scores("exact_match", said, gold) for said in (a, b)]
    assert scores[0] is not None
    assert scores[1] is not None
    assert result == compare(scores[0], scores[1], margin=0.1, seed=3)
    assert result.test == "exact McNemar"
    assert compare_predictions("token_f1", ["red cat"] * 40, ["red"] * 40, a).test == "paired bootstrap"


def test_stance_and_labels_go_through() -> None:
    gold = ["none", "against", "favor", "favor"] * 20
    a, b = gold, ["none", "against", "favor", "none"] * 20
    for metric, labels in (("tweeteval:stance", None), ("macro_f1", ["none", "against", "favor"])):
        result = compare_predictions(metric, a, b, gold, labels=labels)
        assert result.verdict == "better"
        assert result.difference == pytest.approx(1 - evaluate(metric, b, gold, labels=labels))


def test_score_intervals() -> None:
    assert score_interval("accuracy", ["x"] * 8 + ["y", None], ["x"] * 10) == (0.8, wilson(8, 10))
    assert score_interval("accuracy", ["x"], ["x"]) == (1.0, wilson(1, 1))
    gold = ["x", "y"] * 50
    value, (low, high) = score_interval("macro_f1", gold, gold)
    assert (value, high) == (1.0, 1.0)
    assert low == pytest.approx(1 - 3.8415 / 103.8415, rel=1e-4)
    value, (low, high) = score_interval("token_f1", ["red cat"] * 60 + [None] * 40, ["red"] * 100)
    half = 1.96 * (0.6 * 0.4) ** 0.5 * (2 / 3) / 10  # rows score 2/3 or 0
    assert value == pytest.approx(0.4)
    assert (low, high) == pytest.approx((0.4 - half, 0.4 + half), abs=0.01)
    generator = np.random.default_rng(0)
    said = [g if generator.random() < 0.7 else "x" for g in gold]
    value, (low, high) = score_interval("macro_f1", said, gold)
    assert value == evaluate("macro_f1", said, gold)
    assert 0.05 < high - low < 0.25
    assert low < value < high


def test_the_seed_decides_and_nothing_else() -> None:
    generator = np.random.default_rng(1)
    a, b = generator.random(50), generator.random(50)
    assert compare(a, b, seed=1) == compare(a, b, seed=1)
    assert compare(a, b, seed=1).interval != compare(a, b, seed=2).interval


def test_ten_thousand_rows_of_twenty_classes_take_seconds() -> None:
    generator = np.random.default_rng(0)
    names = np.array([f"e{i}" for i in range(20)])
    gold = names[generator.integers(0, 20, 10_000)]
    a = np.where(generator.random(10_000) < 0.5, gold, names[generator.integers(0, 20, 10_000)])
    b = np.where(generator.random(10_000) < 0.45, gold, names[generator.integers(0, 20, 10_000)])
    began = time.monotonic()
    result = compare_predictions(
        "tweeteval:emoji", a.tolist(), b.tolist(), gold.tolist(), labels=names.tolist()
    )
    assert result.verdict == "better"
    assert time.monotonic() - began < 30  # 1.5 s on a free core


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ([], [], "0 rows cannot be compared"), ([1], [0], "1 rows cannot be compared"),
        ([1, 2], [1], "shapes"),
        ([1, math.nan], [1, 1], "a: 1 scores are not finite or beyond 1e.100, the first in row 1"),
        ([1, 1], [math.inf, 1], "b: 1 scores"),
        (["a", "b"], [1, 2], "must be numbers"), ([[1], [1, 2]], [[1], [1]], "must be numbers"),
        (1, 1, "shapes"),
        ([[[1]], [[1]]], [[[1]], [[1]]], "shapes"), ([[], []], [[], []], "shapes"),
        ([None, 1], [1, 1], "not finite"), ([1e308, 0], [-1e308, 0], "beyond"),
    ],
)  # fmt: skip
def test_scores_that_cannot_be_compared(a: Any, b: Any, says: str) -> None:
    with pytest.raises(MetricError, match=says):
        compare(a, b)


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf])
def test_a_margin_that_makes_no_sense(margin: float) -> None:
    with pytest.raises(MetricError, match="margin"):
        compare([1, 0], [0, 1], margin=margin)
    with pytest.raises(MetricError, match="margin"):
        compare_predictions("macro_f1", ["a", "b"], ["a", "b"], ["a", "b"], margin=margin)


@pytest.mark.parametrize(
    ("metric", "a", "b", "says"),
    [
        ("macro_f1", [], [], "0 predictions for 2 answers"),
        ("macro_f1", ["x"], ["x"], "1 predictions for 2"),
        ("accuracy", [["x", "y"]], [["x", "y"], ["x", "y"]], "1 repeats against 2"),
        ("f1", ["x"], ["x"], "does not exist"),
        ("macro_f1", [["x", "y"], ["x"]], [["x", "y"], ["x", "y"]], "1 predictions for 2"),
        ("macro_f1", [["x", "y"], None], [["x", "y"], ["x", "y"]], "0 predictions for 2"),
    ],
)  # fmt: skip
def test_predictions_that_cannot_be_compared(metric: str, a: Any, b: Any, says: str) -> None:
    with pytest.raises(MetricError, match=says):
        compare_predictions(metric, a, b, ["x", "y"])


def test_one_row_cannot_be_compared() -> None:
    with pytest.raises(MetricError, match="1 rows cannot be compared"):
        compare_predictions("macro_f1", ["x"], ["y"], ["x"])
