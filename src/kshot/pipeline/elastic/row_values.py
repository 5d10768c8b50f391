"""A model judged row by row: by the loss on the answers, or by a metric that is a mean of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.measure.loss import shot_losses
from kshot.measure.metrics import METRICS, check_metric, row_scores
from kshot.measure.predict import predict
from kshot.models.base import System
from kshot.pipeline.elastic.between import Answering

Values: TypeAlias = NDArray[np.float64]
LOSS = "loss"
_WHOLE = ("macro_f1", "pass_at_1")
_SHORTEST_LIMIT, _BEYOND = 64, 8  # tokens of a reply, and past the longest right one


def check_row_metric(metric: str) -> None:
    """Refuse what is not a number for each row.

    Raises:
        InputError: There is no such metric, or it is no mean of rows, or rows would have to hold programs.

    >>> check_row_metric("exact_match")
    """
    if metric == LOSS:
        return
    check_metric(metric)
    rowwise = [name for name in METRICS if not (name in _WHOLE or name.startswith("tweeteval:"))]
    if metric in METRICS and metric not in rowwise:
        raise InputError(
            f"--metric {metric} gives no number for each row by itself; use loss, or {', '.join(rowwise)}"
        )


def is_better_high(metric: str) -> bool:
    """Whether more is better: of everything but the loss.

    >>> is_better_high("loss"), is_better_high("exact_match")
    (False, True)
    """
    return metric != LOSS


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What a model gets on K rows.

    Attributes:
        values: (K,) under the metric; the losses themselves where that is ``loss``.
        losses: (K,) nats per target token, end token included.
    """

    values: Values
    losses: Values


def judged(model: Answering, rows: Sequence[Example], template: Template, *, metric: str) -> Judged:
    """What a model gets on each row.

    Replies are generated greedily, with room for the longest answer of the rows, and read as `kshot run`
    reads them; the rows' answers are seen by the judge alone.

    Raises:
        DataError: There are no rows, or one has no answer.
        InputError: The metric is no mean of rows.
        ModelError: A row is longer than the model, or a loss is no number.

    Example::

        judged(model, rows, Template(instruction="Name the capital."), metric="exact_match").values.mean()
    """
    losses = shot_losses(model, template, rows)
    if metric == LOSS:
        return Judged(losses.target, losses.target)
    system = System("model", "trained", model, template.conversation)
    limit = max(_SHORTEST_LIMIT, int(losses.target_tokens.max()) + _BEYOND)
    found = predict(system, rows, template, shots=rows, max_new_tokens=limit)
    answers = [template.gold(row) for row in rows]
    scores = row_scores(metric, [each.prediction for each in found], answers)
    if scores is None:
        raise InputError(f"{metric} gives no number for each row; use loss or exact_match")
    return Judged(scores, losses.target)


def own_words(rows: Sequence[Example]) -> Template:
    """The template of rows that are no rows of the task: their own words, letters where all have choices.

    >>> own_words([Example("2 + 2 = ?", "4")]).instruction
    ''
    """
    return Template(kind="choice" if rows and all(row.choices for row in rows) else "generation")
