"""How sure the weights are: the examples drawn again and again, and each example left out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from kshot.errors import InputError
from kshot.measure.statistics.bootstrap import resampled
from kshot.methods.cocktail.weights import Values, check_temperature, loss_table, mean_losses, mixing_weights

_INTERVAL = (0.025, 0.975)


@final
@dataclass(frozen=True, slots=True, eq=False)
class WeightChances:
    """Weights of N models by K examples, and how far they would move with other examples.

    Attributes:
        temperature: Of the softmax.
        losses: (N,) mean over examples.
        weights: (N,).
        low: (N,) 2.5th percentile of the weight over draws of the examples; None with one example, of
            which every draw is the same and tells nothing.
        high: (N,) 97.5th percentile; None likewise.
        left_out: (K, N) weights without each example; None with one example.
        draws: How often the examples were drawn.
        examples: K.
    """

    temperature: float
    losses: Values
    weights: Values
    low: Values | None
    high: Values | None
    left_out: Values | None
    draws: int
    examples: int

    @property
    def change(self) -> Values | None:
        """(N,) by how much the weight moves, at most, when one example is left out; None with one example."""
        if self.left_out is None:
            return None
        return np.asarray(np.abs(self.left_out - self.weights).max(axis=0))

    @property
    def tells_apart(self) -> bool:
        """Whether some interval excludes 1/N; if not, the weights cannot be told from equal ones."""
        if self.low is None or self.high is None:
            return False
        even, slack = 1 / len(self.weights), 1e-12  # equal losses give 1/N up to the last bit
        return bool(((self.low > even + slack) | (self.high < even - slack)).any())

    @property
    def reason(self) -> str:
        """One sentence for the reader: whether these examples tell the models apart at this temperature."""
        count = len(self.weights)
        if count == 1:
            return "one model: its weight is 1"
        if self.low is None:
            return "one example: the weights have no interval and cannot be told from uniform ones"
        what = f"{self.examples} examples at temperature {self.temperature:g}"
        if not self.tells_apart:
            return f"the weights cannot be told from uniform ones ({1 / count:.4g} each) by {what}"
        return f"the weights differ from uniform ones ({1 / count:.4g} each) by {what}"

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object a model, in the order given; None where one example leaves a number undefined."""
        change = self.change
        return [
            {
                "loss": float(self.losses[at]),
                "weight": float(self.weights[at]),
                "low": None if self.low is None else float(self.low[at]),
                "high": None if self.high is None else float(self.high[at]),
                "change": None if change is None else float(change[at]),
            }
            for at in range(len(self.weights))
        ]


def weight_chances(
    table: ArrayLike, *, temperature: float = 5.0, draws: int = 1000, seed: int = 0
) -> WeightChances:
    """Softmax weights with their intervals over draws of the examples, and without each example.

    A draw takes K examples with replacement, the same ones for all models; a model's loss is the mean over
    examples. Examples on which every model has the same losses give intervals without width. Few examples
    give intervals that are too narrow: the bootstrap knows nothing of what it has not seen.

    Args:
        table: (N, K) losses.
        temperature: As in ``mixing_weights``.
        draws: How many.
        seed: Of the draws.

    Raises:
        InputError: The table is empty or holds a number that is not finite, or a number is too small.

    Source: the percentile bootstrap of Efron 1979, Annals of Statistics 7, 1-26.

    >>> sure = weight_chances([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], temperature=1.0)
    >>> sure.tells_apart, (sure.high - sure.low).tolist(), sure.change.tolist()
    (True, [0.0, 0.0], [0.0, 0.0])
    """
    values = loss_table(table)
    check_temperature(temperature)
    if draws < 1:
        raise InputError(f"{draws} draws of the examples; expected one or more")
    count = values.shape[1]
    losses = mean_losses(values)
    weights = mixing_weights(losses, temperature=temperature)
    if count == 1:
        return WeightChances(temperature, losses, weights, None, None, None, draws, count)
    first = values[:, 0]
    moved = (values - first[:, None]).T  # (K, N); equal examples give exactly 0, and so exactly no width

    def drawn(counts: Values) -> Values:
        return softmax_rows(first + counts @ moved / count, temperature)  # (B, N)

    spread = resampled(np.ones(count, np.int64), drawn, resamples=draws, seed=seed)
    low, high = np.quantile(spread, _INTERVAL, axis=0)
    left_out = softmax_rows(
        np.stack([mean_losses(np.delete(values, row, axis=1)) for row in range(count)]), temperature
    )
    return WeightChances(temperature, losses, weights, low, high, left_out, draws, count)


def softmax_rows(losses: Values, temperature: float) -> Values:
    """(B, N) weights of B rows of losses, each as ``mixing_weights`` gives them.

    >>> softmax_rows(np.array([[1.0, 1.0], [0.0, 0.0]]), 5.0).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    return np.stack([mixing_weights(row, temperature=temperature) for row in losses])
