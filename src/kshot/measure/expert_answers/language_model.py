"""Probabilities over choices from a language model's losses: an adapter, or a fine-tuned model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import DataError, ModelError
from kshot.measure.predict import unanswered
from kshot.models.base import LossModel

Shares: TypeAlias = NDArray[np.float64]


def choice_probabilities(
    model: LossModel, rows: Sequence[Example], choices: Sequence[Sequence[str]], *, template: Template
) -> list[Shares]:
    """N times (C,): ``softmax(-loss)`` over each row's choices, loss = mean nats per token of the choice.

    The tokens are those of ``LossModel.choice_scores``: the end token counts only where one choice begins
    another. So the likeliest choice is the one that ``measure.predict`` picks with ``normalise="token"``.
    Nobody sees a row's answer.

    Args:
        model: Who is asked.
        rows: N rows.
        choices: For each row what it may answer, as a reply would state it: labels, letters, or texts; at
            least one, no two the same.
        template: The task's words.

    Raises:
        DataError: Numbers differ, a row has no choice, or names one twice.
        ModelError: A loss is no number.

    Source: arXiv 2402.12835 has classifiers alone; this expert is ours.

    Example::

        shares = choice_probabilities(adapter, rows, [template.labels] * len(rows), template=template)
    """
    if len(rows) != len(choices):
        raise DataError(f"{len(rows)} rows but {len(choices)} lists of choices; expected one each")
    for number, (row, names) in enumerate(zip(rows, choices, strict=True)):
        if not names or len(set(names)) < len(names):
            where = row.source or f"row {number}"
            raise DataError(f"{where}: choices {list(names)[:6]}; expected at least one, and none twice")
    if not rows:
        return []
    conversations = [template.conversation(unanswered(row)) for row in rows]
    found = []
    for number, score in enumerate(model.choice_scores(conversations, choices)):
        nats = -score.log_likelihood.astype(np.float64) / np.maximum(score.token_count, 1)  # (C,)
        if not np.isfinite(nats).all():
            raise ModelError(f"row {number}: the losses of its choices are {nats.tolist()[:6]}, no numbers")
        found.append(mean_loss_softmax(nats))
    return found


def mean_loss_softmax(nats: Shares) -> Shares:
    """(C,) probabilities that fall with the loss.

    >>> mean_loss_softmax(np.array([0.0, np.log(3)])).round(6).tolist()
    [0.75, 0.25]
    """
    likelihood = np.exp(nats.min() - nats)
    shares: Shares = likelihood / likelihood.sum()
    return shares
