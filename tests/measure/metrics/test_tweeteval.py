"""Scores over classes: the specification's toy case, scikit-learn, and the released predictions."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import MetricError
from kshot.measure.metrics import tweeteval
from kshot.measure.metrics.scoring import evaluate
from kshot.measure.metrics.tweeteval import TASKS, class_score

TWEETS = Path(__file__).parents[3] / ".." / "shared" / "data" / "tweeteval"
needs_tweets = pytest.mark.skipif(not TWEETS.is_dir(), reason="the TweetEval rows are not here")
LABELS = st.sampled_from(["a", "b", "c"])
STANCE = {  # target: n, macro-F1, official
    "abortion": (280, 0.6142, 0.6521), "atheism": (220, 0.7197, 0.7515), "climate": (169, 0.5431, 0.4462),
    "feminist": (285, 0.6307, 0.5999), "hillary": (295, 0.6710, 0.6896),
}  # fmt: skip
README = {  # task: expert macro-F1 and accuracy, to three decimals
    "irony": (0.709, 0.733), "offensive": (0.816, 0.859), "emotion": (0.798, 0.834),
    "stance_abortion": (0.614, 0.654), "stance_atheism": (0.720, 0.791), "stance_climate": (0.543, 0.828),
    "stance_feminist": (0.631, 0.635), "stance_hillary": (0.671, 0.732),
}  # fmt: skip


def test_examples() -> None:
    assert doctest.testmod(tweeteval).failed == 0


def read(task: str) -> tuple[list[str], list[str], list[str]]:
    """Expert predictions, answers, labels."""
    lists = [
        [json.loads(line)["label"] for line in (TWEETS / task / name).read_text("utf-8").split("\n") if line]
        for name in ("expert_predictions.jsonl", "test.jsonl")
    ]
    return lists[0], lists[1], (TWEETS / task / "labels.txt").read_text("utf-8").split()


def test_an_invalid_reply_misses_its_class_and_adds_none() -> None:
    gold, said = ["0", "0", "1", "1", "2", "2"], ["0", "0", "1", "1", "2", None]
    assert evaluate("macro_f1", said, gold) == pytest.approx(0.8889, abs=5e-5)
    assert evaluate("macro_f1", [*said[:5], "-1"], gold) == evaluate("macro_f1", said, gold)


@settings(deadline=None)  # scikit-learn is imported on the way
@given(st.lists(st.tuples(LABELS, LABELS | st.none()), min_size=1, max_size=30))
def test_equals_scikit_learn(rows: list[tuple[str, str | None]]) -> None:
    from sklearn.metrics import f1_score, recall_score

    gold, said = [row[0] for row in rows], [row[1] for row in rows]
    plain = [p if p is not None else "none of them" for p in said]
    present, every = sorted(set(gold)), ["a", "b", "c"]
    for metric, labels, expected in (
        ("macro_f1", None, f1_score(gold, plain, labels=present, average="macro", zero_division=0)),
        ("macro_f1", every, f1_score(gold, plain, labels=every, average="macro", zero_division=0)),
        (
            "tweeteval:sentiment",
            every,
            recall_score(gold, plain, labels=every, average="macro", zero_division=0),
        ),
        (
            "tweeteval:stance",
            every,
            f1_score(gold, plain, labels=["b", "c"], average="macro", zero_division=0),
        ),
    ):
        assert evaluate(metric, said, gold, labels=labels) == pytest.approx(expected, abs=1e-12)


def test_irony_is_f1_of_the_second_class_and_official_names_keep_their_order() -> None:
    gold, said = ["irony", "irony", "irony", "non_irony"], ["irony", "irony", "non_irony", "non_irony"]
    expected = pytest.approx(0.8)  # and 2/3 for non_irony
    assert evaluate("tweeteval:irony", said, gold) == expected
    assert evaluate("tweeteval:irony", said, gold, labels=["irony", "non_irony"]) == expected
    assert evaluate("tweeteval:irony", ["y"], ["y"], labels=["n", "y"]) == 1
    assert evaluate("tweeteval:irony", ["n"], ["n"], labels=["n", "y"]) == 0


def test_case_and_outer_blanks_do_not_count() -> None:
    assert evaluate("tweeteval:emotion", [" JOY "], ["joy"]) == 0.25  # one class of four
    assert evaluate("macro_f1", ["Joy\n"], ["joy"]) == 1


@needs_tweets
@pytest.mark.parametrize("task", README)
def test_the_data_readme_s_macro_f1_and_accuracy(task: str) -> None:
    said, gold, labels = read(task)
    assert round(evaluate("macro_f1", said, gold, labels=labels), 3) == pytest.approx(README[task][0])
    assert round(evaluate("accuracy", said, gold), 3) == pytest.approx(README[task][1])


@needs_tweets
@pytest.mark.parametrize(
    ("task", "official", "macro"),
    [("emotion", 0.7983, 0.7983), ("irony", 0.6248, 0.7090), ("offensive", 0.8155, 0.8155)],
)
def test_the_released_predictions_official_and_macro(task: str, official: float, macro: float) -> None:
    said, gold, labels = read(task)
    for given_labels in (None, labels):
        assert round(evaluate(f"tweeteval:{task}", said, gold, labels=given_labels), 4) == official
    assert round(evaluate("macro_f1", said, gold, labels=labels), 4) == macro


@needs_tweets
def test_stance_is_scored_over_the_five_targets_together() -> None:
    everything: tuple[list[str], list[str]] = ([], [])
    each = []
    for target, (n, macro, official) in STANCE.items():
        said, gold, labels = read(f"stance_{target}")
        each.append(evaluate("tweeteval:stance", said, gold))
        assert (len(gold), round(each[-1], 4)) == (n, official)
        assert round(evaluate("macro_f1", said, gold, labels=labels), 4) == macro
        everything[0].extend(said)
        everything[1].extend(gold)
    assert round(evaluate("tweeteval:stance", *everything), 4) == 0.7244
    assert round(evaluate("macro_f1", *everything, labels=TASKS["stance"]), 4) == 0.6961
    assert round(float(np.mean(each)), 4) == 0.6279


@pytest.mark.parametrize(
    ("metric", "labels", "says"),
    [
        ("tweeteval:emoji", None, "20 class names"),
        ("tweeteval:emoji", ["a", "b"], "2 labels given, the task has 20"),
        ("tweeteval:irony", ["a", "b", "c"], "3 labels given, the task has 2"),
        ("tweeteval:irony", None, "row 0: answer 'a' is none of the labels non_irony, irony"),
        ("macro_f1", ["b", "c"], "row 0: answer 'a' is none of the labels b, c"),
        ("macro_f1", ["a", "A"], "equal but for case"),
    ],
)
def test_labels_that_do_not_fit(metric: str, labels: list[str] | None, says: str) -> None:
    with pytest.raises(MetricError, match=says):
        class_score(metric, ["a"], labels)


def test_emoji_takes_its_twenty_names() -> None:
    names = [f"e{i}" for i in range(20)]
    assert evaluate("tweeteval:emoji", names, names, labels=names) == 1
