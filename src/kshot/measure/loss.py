"""Losses of the shots: nats per token of the answer, of the reasoning, and of the whole target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import DataError
from kshot.models.base import LossModel, TokenLosses

Values: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ShotLosses:
    """Losses of K rows under one model, in the order of the rows; all in nats.

    A row's value is the mean over its own tokens, so that long rows weigh no more than short ones. The
    value of an adapter over all rows is the caller's: the mean of ``perplexity(target)`` over K, say.

    Attributes:
        answer: (K,) per token of the answer; a token that reaches over its border counts.
        reasoning: (K,) per token of the reasoning; NaN where a row has none.
        target: (K,) per token of the whole target, end token included: the reasoning perplexity of the
            source is ``exp`` of this.
        answer_sum: (K,) sums over the answer.
        reasoning_sum: (K,) sums over the reasoning, 0 where there is none.
        target_sum: (K,) sums over the target.
        answer_tokens: (K,) how many tokens the answer has.
        reasoning_tokens: (K,) how many the reasoning has.
        target_tokens: (K,) how many the target has, end token included.

    Source: arXiv 2408.15915v2, Eq. 1-4; there the printed sum form and the mean form differ, here both can
    be had.
    """

    answer: Values
    reasoning: Values
    target: Values
    answer_sum: Values
    reasoning_sum: Values
    target_sum: Values
    answer_tokens: Counts
    reasoning_tokens: Counts
    target_tokens: Counts


def shot_losses(
    model: LossModel,
    template: Template,
    examples: Sequence[Example],
    *,
    shots_in_prompt: Sequence[Example] = (),
) -> ShotLosses:
    """The losses of each example's target under a model, in the words that it is trained on.

    Args:
        model: Who is measured.
        template: The task's words; its reasoning order decides where the reasoning stands.
        examples: K rows with answers.
        shots_in_prompt: Earlier turns of every prompt; give none of the examples themselves.

    Raises:
        DataError: There is no example, a row has no answer, or no token of its answer is scored.

    Example::

        losses = shot_losses(model, template, task.shots)
        value = perplexity(losses.target).mean()
    """
    if not examples:
        raise DataError("no examples to measure losses on; expected at least one")
    for number, row in enumerate(examples):
        if not row.answer:
            raise DataError(f"{row.source or f'row {number}'}: has no answer, so it has no loss")
    conversations = [template.conversation(row, shots_in_prompt) for row in examples]
    found = model.token_losses(conversations, [template.target(row) for row in examples])
    for number, (row, losses) in enumerate(zip(examples, found, strict=True)):
        if not losses.answer.any():
            raise DataError(f"{row.source or f'row {number}'}: no token belongs to the answer {row.answer!r}")
    return _summed(found)


def perplexity(nats: float | Values) -> Values:
    """``exp`` of nats per token; too large a loss gives infinity without a warning.

    >>> float(perplexity(0.0))
    1.0
    """
    with np.errstate(over="ignore"):
        return np.exp(np.asarray(nats, dtype=np.float64))


def _summed(found: Sequence[TokenLosses]) -> ShotLosses:
    answer, answer_sum, answer_tokens = _over(found, [row.answer for row in found])
    reasoning, reasoning_sum, reasoning_tokens = _over(found, [row.reasoning for row in found])
    target, target_sum, target_tokens = _over(found, [np.ones(len(row.nats), dtype=bool) for row in found])
    return ShotLosses(
        answer, reasoning, target,
        answer_sum, reasoning_sum, target_sum,
        answer_tokens, reasoning_tokens, target_tokens,
    )  # fmt: skip


def _over(found: Sequence[TokenLosses], masks: Sequence[NDArray[np.bool_]]) -> tuple[Values, Values, Counts]:
    """Means, sums and counts of each row's marked tokens; the mean of none is NaN."""
    sums = np.array([row.nats[m].sum(dtype=np.float64) for row, m in zip(found, masks, strict=True)])
    counts = np.array([int(mask.sum()) for mask in masks], dtype=np.int64)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), sums, counts
