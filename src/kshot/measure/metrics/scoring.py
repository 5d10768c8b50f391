"""Replies judged: one number for a list of predictions, and where it is a mean, the number of each row."""

from __future__ import annotations

import difflib
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import normalised
from kshot.errors import MetricError, collected
from kshot.measure.maths import answers_equal, gold_answer, stated
from kshot.measure.metrics.extract_value import extract_choice, extract_number
from kshot.measure.metrics.own import is_own, own_scores
from kshot.measure.metrics.programs import pass_scores
from kshot.measure.metrics.tweeteval import TASKS, class_score, folded
from kshot.measure.overlap.rouge import rouge_l

_QUOTES = "\"'`*‘’‚“”„«»‹›「」『』"
_STOPS = ".,;:!?。、"  # after NFKC, which makes the wide ones narrow
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def evaluate(
    metric: str,
    predictions: Sequence[str | None],
    answers: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
) -> float:
    """One number for predictions against answers, in order; higher is better for every metric.

    A prediction is the stated answer, or None where a reply states none: that row is wrong in every
    metric. Metrics (see ``row_scores`` for what makes a row right):

    - means of rows: exact_match, accuracy, choice, number, math, token_f1, rouge_l, pass_at_1 (answers are
      test programs), and ``path/file.py:function`` (your own, called as function(prediction, answer));
    - over classes: macro_f1 (over ``labels``, else over the labels that occur in ``answers``; a label
      never predicted counts 0), and tweeteval:<task> for emoji, emotion, hate, irony, offensive,
      sentiment, stance: the official score of that task.

    Raises:
        MetricError: Unknown metric, no rows, different lengths, or rows that do not fit the metric.
        SandboxError: pass_at_1 on a system that cannot isolate code.

    >>> evaluate("macro_f1", ["a", "b", None], ["a", "b", "b"])
    0.8333333333333333
    """
    _check(metric, predictions, answers)
    if (score := class_score(metric, answers, labels)) is not None:
        return score.score(predictions, answers)
    return float(np.mean(_scores(metric, predictions, answers)))


def row_scores(
    metric: str,
    predictions: Sequence[str | None],
    answers: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
) -> NDArray[np.float64] | None:
    """(N,) the score of each row where the metric is their mean, else None (macro_f1, tweeteval).

    - exact_match: equal after NFKC, casefold, folding of white space, and taking off outer quotes,
      asterisks and backticks, and full stops and other marks that end a sentence. Signs, brackets and
      articles count. 1 or 0.
    - accuracy: the same label but for case and outer blanks. 1 or 0.
    - choice: the letter that ``extract_choice`` reads is the answer, a letter. 1 or 0.
    - number: the number that ``extract_number`` reads equals the answer's, exactly. 1 or 0.
    - math: the last box of the reply (or what follows "is" or "=", or the whole) is the answer's, by
      ``maths.equivalent``, lenient. 1 or 0.
    - token_f1: F1 of the bags of words after SQuAD's normalisation (ASCII punctuation and English
      articles dropped). Source: the evaluation script of SQuAD 2.0.
    - rouge_l: ``overlap.rouge_l``.
    - pass_at_1: the code runs through the tests. 1 or 0.

    Raises:
        MetricError: As ``evaluate``.

    >>> row_scores("number", ["so 3 + 4 = 7", "8", None], ["#### 7", "#### 7", "#### 7"]).tolist()
    [1.0, 0.0, 0.0]
    """
    _check(metric, predictions, answers)
    if class_score(metric, answers, labels) is not None:
        return None
    return np.asarray(_scores(metric, predictions, answers), np.float64)


def invalid_count(predictions: Sequence[str | None], *, metric: str = "") -> int:
    """How many predictions are no answer; under choice, number and math, also those that state none.

    >>> invalid_count(["B", None, "?"]), invalid_count(["B", None, "?"], metric="choice")
    (1, 2)
    """
    read = {"choice": extract_choice, "number": extract_number, "math": stated}.get(metric)
    return sum(p is None or (read is not None and read(p) is None) for p in predictions)


def check_metric(metric: str) -> None:
    """Refuse a metric that does not exist, naming the nearest one.

    Raises:
        MetricError: The metric does not exist. (The file of one's own metric is looked at when it is used.)

    >>> check_metric("rouge_l")
    """
    if metric in METRICS or is_own(metric):
        return
    nearest = difflib.get_close_matches(metric, METRICS, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise MetricError(
        f"metric {metric!r} does not exist{hint}; there are {', '.join(METRICS)}, and path/file.py:function"
    )


def _exact(prediction: str, answer: str) -> float:
    return float(_bare(prediction) == _bare(answer))


def _bare(text: str) -> str:
    plain = normalised(text)
    bare = plain.lstrip(_QUOTES + " ").rstrip(_QUOTES + _STOPS + " ")
    return bare or plain  # an answer may be a mark: "?"


def _accuracy(prediction: str, answer: str) -> float:
    return float(folded(prediction) == folded(answer))


def _choice(prediction: str, answer: str) -> float:
    return float(extract_choice(prediction) == folded(answer).upper())


def _number(prediction: str, answer: str) -> float:
    return float((found := extract_number(prediction)) is not None and found == extract_number(answer))


def _math(prediction: str, answer: str) -> float:
    return float(answers_equal(prediction, answer))


def _token_f1(prediction: str, answer: str) -> float:
    said, true = _words(prediction), _words(answer)
    if not said or not true:
        return float(said == true)
    if not (common := sum((Counter(said) & Counter(true)).values())):
        return 0.0
    precision, recall = common / len(said), common / len(true)
    return 2 * precision * recall / (precision + recall)


def _words(text: str) -> list[str]:
    lower = text.lower().translate(str.maketrans("", "", string.punctuation))
    return _ARTICLES.sub(" ", lower).split()


_ROW_METRICS: dict[str, Callable[[str, str], float]] = {
    "exact_match": _exact,
    "accuracy": _accuracy,
    "choice": _choice,
    "number": _number,
    "math": _math,
    "token_f1": _token_f1,
    "rouge_l": rouge_l,
}
METRICS: tuple[str, ...] = (*_ROW_METRICS, "macro_f1", "pass_at_1", *(f"tweeteval:{task}" for task in TASKS))


def _scores(metric: str, predictions: Sequence[str | None], answers: Sequence[str]) -> list[float]:
    if is_own(metric):
        return own_scores(metric, predictions, answers)
    if metric == "pass_at_1":
        return pass_scores(predictions, answers)
    _check_answers(metric, answers)
    score = _ROW_METRICS[metric]
    return [0.0 if p is None else score(p, a) for p, a in zip(predictions, answers, strict=True)]


def _check(metric: str, predictions: Sequence[str | None], answers: Sequence[str]) -> None:
    check_metric(metric)
    if isinstance(predictions, str) or isinstance(answers, str):
        raise MetricError(f"{metric}: predictions and answers are lists of texts, not one text")
    if len(predictions) != len(answers):
        raise MetricError(f"{metric}: {len(predictions)} predictions for {len(answers)} answers")
    if not len(answers):
        raise MetricError(f"{metric}: there are no rows to judge")
    wrong = [
        f"row {row}: {name} is {type(value).__name__}, expected text"
        for name, values in (("prediction", predictions), ("answer", answers))
        for row, value in enumerate(values)
        if not isinstance(value, str) and not (value is None and name == "prediction")
    ]
    if wrong:
        raise MetricError(collected(wrong))


def _check_answers(metric: str, answers: Sequence[str]) -> None:
    if metric == "choice":
        fits, expected = [bool(re.fullmatch(r"\s*[A-Za-z]\s*", a)) for a in answers], "one letter"
    elif metric == "number":
        fits, expected = [extract_number(answer) is not None for answer in answers], "a number"
    elif metric == "math":
        fits, expected = [gold_answer(answer) is not None for answer in answers], "a boxed or a short answer"
    else:
        return
    wrong = [
        f"row {row}: answer {answer[:80]!r} is not {expected}, as {metric} needs"
        for row, (answer, fit) in enumerate(zip(answers, fits, strict=True))
        if not fit
    ]
    if wrong:
        raise MetricError(collected(wrong))
