"""How much of each model goes into the mix: the softmax of the negative losses on the shots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kshot.errors import InputError

Values: TypeAlias = NDArray[np.float64]
_SUM = 1e-6  # how far from 1 the sum of weights may lie


def mixing_weights(losses: ArrayLike, *, temperature: float = 5.0) -> Values:
    """(N,) weights of N models that sum to 1: ``softmax(-loss / temperature)``.

    A higher temperature is flatter: the ratio of two weights is ``exp(difference of losses / temperature)``.
    Infinity gives equal weights; a temperature near 0 gives all to the lowest loss, and models that share
    it share the weight. Permuting the losses permutes the weights, bit for bit.

    Args:
        losses: (N,) of the base and its peers, in nats; never of the model fine-tuned on the same rows.
        temperature: Above 0.

    Raises:
        InputError: There is no loss, one is not finite, or the temperature is not above 0.

    Source: LM-Cocktail (arXiv 2311.13534), equation 2; 5 is the default of its released code.

    >>> mixing_weights([1.0, 1.2, 2.0, 4.0]).round(6).tolist()
    [0.300451, 0.28867, 0.245988, 0.164891]
    """
    values = _finite_losses(losses)
    check_temperature(temperature)
    with np.errstate(over="ignore"):  # a gap too large for a number has weight 0
        gaps = (values - values.min()) / temperature
    parts = np.array([math.exp(-gap) for gap in gaps.tolist()])
    return np.asarray(parts / math.fsum(parts))  # fsum: the order of the models does not matter


def final_weights(weights: ArrayLike, alpha: float) -> Values:
    """(N + 1,) weights of base and peers in their order, then of the fine-tuned model, which comes last.

    ``(1 - alpha) w_i`` for the N models that ``weights`` are of, ``alpha`` for the fine-tuned one, so that
    the whole mix is made in one pass. With alpha 1 all others are exactly 0, with alpha 0 the last is.

    Raises:
        InputError: The weights do not sum to 1 within 1e-6, or alpha is not between 0 and 1.

    Source: LM-Cocktail (arXiv 2311.13534), equation 1; with one weight of 1 it is equation 3.

    >>> final_weights([0.75, 0.25], 0.5).tolist()
    [0.375, 0.125, 0.5]
    """
    values = shares(weights)
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha!r}; expected the share of the fine-tuned model, from 0 to 1")
    return np.append((1 - alpha) * values, float(alpha))


def uniform(count: int) -> Values:
    """(N,) equal weights.

    Raises:
        InputError: There is no model.

    >>> uniform(4).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    if count < 1:
        raise InputError(f"weights of {count} models; expected one model or more")
    return np.full(count, 1.0 / count)


def alone(count: int, model: int) -> Values:
    """(N,) all weight on one model.

    >>> alone(3, 1).tolist()
    [0.0, 1.0, 0.0]
    """
    weights = np.zeros(count)
    weights[model] = 1.0
    return weights


def shares(weights: ArrayLike) -> Values:
    """(N,) the weights as float64, if they can be shares of a whole.

    Raises:
        InputError: There is none, one is negative or not finite, or they do not sum to 1 within 1e-6.

    >>> shares([0.5, 0.5]).tolist()
    [0.5, 0.5]
    """
    values = _numbers(weights, "weights")
    for at, value in enumerate(values.tolist()):
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"weight {at} is {value}; expected a finite number from 0")
    total = math.fsum(values)
    if abs(total - 1) > _SUM:
        raise InputError(f"{len(values)} weights sum to {total:.9g}; expected 1 (within {_SUM:g})")
    return values


def loss_table(table: ArrayLike) -> Values:
    """(N, K) the losses of N models on K examples as float64, all finite.

    Raises:
        InputError: It is no table, is empty, or a loss is not finite; model and example are named.

    >>> loss_table([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    try:
        values = np.asarray(table, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the table of losses: {error}; expected numbers, models by examples") from error
    if values.ndim != 2 or not values.size:
        raise InputError(
            f"the table of losses has shape {values.shape}; expected models by examples, one or more of both"
        )
    if len(wrong := np.argwhere(~np.isfinite(values))):
        model, example = (int(at) for at in wrong[0])
        raise InputError(
            f"the loss of model {model} on example {example} is {values[model, example]}; expected a finite "
            f"number ({len(wrong)} of {values.size} are not); leave the model or the example out"
        )
    return values


def mean_losses(table: Values) -> Values:
    """(N,) mean loss over the examples; columns that are all the same give exactly their value.

    >>> mean_losses(np.array([[0.1, 0.1, 0.1], [1.0, 2.0, 3.0]])).tolist()
    [0.1, 2.0]
    """
    first = table[:, 0]
    return np.asarray(first + (table - first[:, None]).mean(axis=1))


def check_temperature(temperature: float) -> None:
    """Refuse a temperature that is not above 0.

    Raises:
        InputError: Says what was found.

    >>> check_temperature(5.0)
    """
    if not temperature > 0:
        raise InputError(
            f"temperature is {temperature!r}; expected a number above 0 (near 0: the best model alone)"
        )


def check_rows(rows: Sequence[int]) -> None:
    """Refuse rows that are no positions of examples.

    Raises:
        InputError: There is none, or one occurs twice or is negative.

    >>> check_rows([0, 2])
    """
    if not len(rows) or len(set(rows)) != len(rows) or min(rows) < 0:
        raise InputError(f"rows are {list(rows)[:5]}; expected one or more positions of examples, each once")


def _finite_losses(losses: ArrayLike) -> Values:
    values = _numbers(losses, "losses")
    for at, value in enumerate(values.tolist()):
        if not math.isfinite(value):
            raise InputError(
                f"the loss of model {at} is {value}; expected a finite number: leave the model out"
            )
    return values


def _numbers(given: ArrayLike, what: str) -> Values:
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: {error}; expected one number a model") from error
    if values.ndim != 1 or not len(values):
        raise InputError(f"{what} have shape {values.shape}; expected (N,), one number for each of 1 or more")
    return values
