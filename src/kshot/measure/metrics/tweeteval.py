"""Scores over classes: macro-F1, and TweetEval's official score of each of its seven tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kshot.errors import MetricError, collected

# Class order as the official files have it; emoji has 20 classes that the caller names.
TASKS: dict[str, tuple[str, ...]] = {
    "emoji": (),
    "emotion": ("anger", "joy", "optimism", "sadness"),
    "hate": ("non-hate", "hate"),
    "irony": ("non_irony", "irony"),
    "offensive": ("not-offensive", "offensive"),
    "sentiment": ("negative", "neutral", "positive"),
    "stance": ("none", "against", "favor"),
}
_AVERAGED = {"irony": (1,), "stance": (1, 2)}


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A score that is a mean over classes, and no mean of rows.

    Attributes:
        labels: The classes, in order, casefolded.
        averaged: Which of them the mean runs over (indices).
        measure: What is averaged: F1 or recall of each class.
    """

    labels: tuple[str, ...]
    averaged: tuple[int, ...]
    measure: Literal["f1", "recall"]

    def codes(self, texts: Sequence[str | None]) -> NDArray[np.int64]:
        """(N,) class index of each text (case and outer blanks do not count), -1 where it is none."""
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([-1 if t is None else index.get(folded(t), -1) for t in texts], np.int64)

    def from_counts(
        self, hits: NDArray[np.float64], predicted: NDArray[np.float64], actual: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Scores (...) from counts per class (..., C): rows rightly predicted, predicted, and actual.

        F1 = 2 hits / (predicted + actual), recall = hits / actual; 0 where the divisor is 0.
        """
        top, bottom = (2 * hits, predicted + actual) if self.measure == "f1" else (hits, actual)
        per_class = np.divide(top, bottom, out=np.zeros(np.shape(bottom)), where=bottom > 0)
        return np.asarray(per_class[..., list(self.averaged)].mean(axis=-1))

    def score(self, predictions: Sequence[str | None], answers: Sequence[str]) -> float:
        """The score of one list of predictions."""
        said, true, classes = self.codes(predictions), self.codes(answers), np.arange(len(self.labels))
        is_said, is_true = said[:, None] == classes, true[:, None] == classes  # (N, C)
        counts = [part.sum(axis=0).astype(np.float64) for part in (is_said & is_true, is_said, is_true)]
        return float(self.from_counts(*counts))


def class_score(metric: str, answers: Sequence[str], labels: Sequence[str] | None) -> ClassScore | None:
    """The class score behind ``macro_f1`` or ``tweeteval:<task>``; None for any other metric.

    macro_f1 averages over ``labels``, else over the labels that occur in ``answers``. The official
    scores: emoji, emotion, hate, offensive macro-F1; irony F1 of class 1; sentiment macro recall;
    stance mean F1 of classes 1 and 2. ``labels`` gives the class order, but where they are the official
    names in another order, the official order holds.

    Source: Barbieri et al. 2020, arXiv 2010.12421, and the evaluation script of cardiffnlp/tweeteval.

    Raises:
        MetricError: Wrong number of labels, labels that are equal but for case, an answer that is no label.

    >>> score = class_score("tweeteval:irony", ["irony", "non_irony"], None)
    >>> score.score(["irony", "irony"], ["irony", "non_irony"])
    0.6666666666666666
    """
    if metric == "macro_f1":
        found = _labels(labels) if labels else tuple(dict.fromkeys(sorted(map(folded, answers))))
        score = ClassScore(found, tuple(range(len(found))), "f1")
    elif metric.startswith("tweeteval:"):
        task = metric.partition(":")[2]
        found = _official(metric, task, labels)
        averaged = _AVERAGED.get(task, tuple(range(len(found))))
        score = ClassScore(found, averaged, "recall" if task == "sentiment" else "f1")
    else:
        return None
    _check_answers(score, answers)
    return score


def folded(text: str) -> str:
    """A label for comparison: outer blanks off, casefolded.

    >>> folded(" Joy ")
    'joy'
    """
    return text.strip().casefold()


def _labels(labels: Sequence[str]) -> tuple[str, ...]:
    found = tuple(folded(label) for label in labels)
    if len(set(found)) < len(found):
        raise MetricError(f"labels {', '.join(map(repr, labels))}: two of them are equal but for case")
    return found


def _official(metric: str, task: str, labels: Sequence[str] | None) -> tuple[str, ...]:
    default = TASKS[task]
    if not labels:
        if not default:
            raise MetricError(f"{metric}: give the 20 class names as labels, in the order of mapping.txt")
        return default
    found = _labels(labels)
    expected = len(default) or 20
    if len(found) != expected:
        raise MetricError(f"{metric}: {len(found)} labels given, the task has {expected}")
    return default if set(found) == set(default) else found


def _check_answers(score: ClassScore, answers: Sequence[str]) -> None:
    wrong = [
        f"row {row}: answer {answers[row]!r} is none of the labels {', '.join(score.labels[:8])}"
        for row in np.flatnonzero(score.codes(answers) < 0).tolist()
    ]
    if wrong:
        raise MetricError(collected(wrong))
