"""Every metric: what is right, what is wrong, what is refused."""

from __future__ import annotations

import doctest
import re
import string
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import MetricError
from kshot.measure.metrics import scoring as metrics
from kshot.measure.metrics.scoring import (
    METRICS,
    check_metric,
    evaluate,
    invalid_count,
    row_scores,
)

ROW_METRICS = ("exact_match", "accuracy", "token_f1", "rouge_l")
TEXTS = st.lists(st.tuples(st.text(max_size=12) | st.none(), st.text(max_size=12)), min_size=1, max_size=8)


def test_examples() -> None:
    assert doctest.testmod(metrics).failed == 0


def one(metric: str, prediction: str | None, answer: str) -> float:
    return evaluate(metric, [prediction], [answer])


@pytest.mark.parametrize(
    ("prediction", "answer", "right"),
    [
        ("Paris", "paris", True), ("  Paris\n", "Paris", True), ('"Paris."', "Paris", True),
        ("**Paris**!", "Paris", True),
        ("“Paris”", "Paris", True), ("Ｐａｒｉｓ", "Paris", True), ("New\n  York", "new york", True),
        ("巴黎。", "巴黎", True),
        ("straße", "STRASSE", True), ("?", "?", True), ("", "", True),
        ("-5", "5", False), (".5", "5", False), ("$5", "5", False), ("(a)", "a", False), ("a)", "a", False),
        ("the cat", "cat", False),
        ("__init__", "init", False), ("Paris, France", "Paris", False), ("?", "!", False),
        ("", "Paris", False),
    ],
)  # fmt: skip
def test_exact_match(prediction: str, answer: str, right: bool) -> None:
    assert one("exact_match", prediction, answer) == right
    assert one("exact_match", answer, prediction) == right


def test_accuracy_is_label_equality_but_for_case_and_outer_blanks() -> None:
    assert evaluate("accuracy", [" Joy", "joy.", None, "anger"], ["joy", "joy", "joy", "joy"]) == 0.25


def test_choice() -> None:
    assert evaluate("choice", ["(B) Paris", "The answer is c.", "A dog", None], ["B", "C", "A", "D"]) == 0.5
    assert one("choice", "B", "b") == 1


def test_number_is_exact() -> None:
    assert (
        evaluate("number", ["so 0.30", "1,000", "0.1", "12", None], ["3/10", "1e3", "0.2", "#### 12", "5"])
        == 0.6
    )
    assert one("number", "0.3333333333333333", "1/3") == 0
    assert one("number", "100000000000000000001", "100000000000000000000") == 0


def squad_f1(prediction: str, answer: str) -> float:
    """The evaluation script of SQuAD 2.0, restated."""

    def bag(text: str) -> list[str]:
        lower = "".join(char for char in text.lower() if char not in set(string.punctuation))
        return re.sub(r"\b(a|an|the)\b", " ", lower).split()

    said, true = bag(prediction), bag(answer)
    if not said or not true:
        return float(said == true)
    common = sum((Counter(said) & Counter(true)).values())
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(true)
    return 2 * precision * recall / (precision + recall)


@given(
    *[st.lists(st.sampled_from(["the", "a", "cat,", "Cat", "dog", "dog", "?"]), max_size=8).map(" ".join)] * 2
)
def test_token_f1_equals_squad_s_script(prediction: str, answer: str) -> None:
    assert one("token_f1", prediction, answer) == squad_f1(prediction, answer)


def test_token_f1_by_hand() -> None:
    assert one("token_f1", "the black cat sat", "a black cat") == pytest.approx(0.8)


def test_rouge_l_by_hand() -> None:
    assert one("rouge_l", "the cat sat", "the cat ran away") == pytest.approx(4 / 7)


@given(TEXTS)
def test_a_metric_is_the_mean_of_its_row_scores(rows: list[tuple[str | None, str]]) -> None:
    said, gold = [row[0] for row in rows], [row[1] for row in rows]
    for metric in ROW_METRICS:
        scores = row_scores(metric, said, gold)
        assert scores is not None
        assert scores.shape == (len(rows),)
        assert scores.dtype == np.float64
        assert evaluate(metric, said, gold) == np.mean(scores)
        assert ((scores >= 0) & (scores <= 1)).all()
        assert all(score == 0 for score, p in zip(scores, said, strict=True) if p is None)
        assert evaluate(metric, said[::-1], gold[::-1]) == pytest.approx(evaluate(metric, said, gold))


@given(st.lists(st.text(max_size=12), min_size=1, max_size=8))
def test_the_answer_itself_is_right(gold: list[str]) -> None:
    assert evaluate("exact_match", gold, gold) == evaluate("accuracy", gold, gold) == 1
    assert evaluate("macro_f1", gold, gold) == evaluate("token_f1", gold, gold) == 1


def test_metrics_over_classes_have_no_row_scores() -> None:
    assert row_scores("macro_f1", ["a"], ["a"]) is None
    assert row_scores("tweeteval:stance", ["none"], ["none"]) is None


def test_no_answer_is_wrong_in_every_metric() -> None:
    for metric, answer in {
        "exact_match": "a", "accuracy": "a", "choice": "A", "number": "1", "token_f1": "a", "rouge_l": "a",
        "macro_f1": "a", "tweeteval:emotion": "joy", "tweeteval:irony": "irony",
        "tweeteval:sentiment": "neutral",
        "tweeteval:hate": "hate", "tweeteval:offensive": "offensive", "tweeteval:stance": "favor",
    }.items():  # fmt: skip
        assert one(metric, None, answer) == 0, metric
        assert one(metric, answer, answer) > 0, metric


def test_invalid_replies_are_counted_apart() -> None:
    replies = ["B", None, "?", "12"]
    assert invalid_count(replies) == 1
    assert invalid_count(replies, metric="choice") == 3
    assert invalid_count(replies, metric="number") == 3
    assert invalid_count([]) == 0


def test_the_names() -> None:
    assert set(METRICS) >= {"exact_match", "accuracy", "choice", "number", "macro_f1", "token_f1", "rouge_l"}
    assert {name for name in METRICS if ":" in name} == {
        f"tweeteval:{task}"
        for task in ("emoji", "emotion", "hate", "irony", "offensive", "sentiment", "stance")
    }


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("exact-match", "did you mean 'exact_match'"),
        ("tweeteval:ironie", "did you mean 'tweeteval:irony'"),
        ("bleurt!!", "does not exist; there are exact_match"),
        ("", "does not exist"),
    ],
)
def test_unknown_metrics_name_the_nearest(metric: str, says: str) -> None:
    for ask in (check_metric, lambda name: evaluate(name, ["a"], ["a"])):
        with pytest.raises(MetricError, match=re.escape(says)):
            ask(metric)


@pytest.mark.parametrize(
    ("metric", "predictions", "answers", "says"),
    [
        ("accuracy", [], [], "no rows"),
        ("macro_f1", [], [], "no rows"),
        ("accuracy", ["a"], ["a", "b"], "1 predictions for 2 answers"),
        ("accuracy", "ab", ["a", "b"], "lists of texts, not one text"),
        ("accuracy", [1], ["a"], "row 0: prediction is int, expected text"),
        ("accuracy", ["a"], [None], "row 0: answer is NoneType, expected text"),
        ("macro_f1", ["a", 2.0], ["a", "b"], "row 1: prediction is float"),
        ("choice", ["A", "B"], ["A", "Paris"], "row 1: answer 'Paris' is not one letter"),
        ("number", ["1"] * 5, ["1"] + ["none"] * 4, "and 1 more of 4"),
    ],
)
def test_rows_that_do_not_fit(metric: str, predictions: list[str], answers: list[str], says: str) -> None:
    for ask in (evaluate, row_scores):
        with pytest.raises(MetricError, match=says):
            ask(metric, predictions, answers)
