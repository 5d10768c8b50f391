"""The loss of the mixed model on the shots: what a search of weights asks, asked once for each mix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, final

import numpy as np

from kshot.errors import InputError
from kshot.methods.cocktail.weights import Values, check_rows

SHARED = 6  # decimals of a weight; mixes that agree in them share one evaluation


class Objective(Protocol):
    """A mix of N models, asked for its loss on some of K examples."""

    def __call__(self, weights: Values, rows: Sequence[int], /) -> Values:
        """(R,) the mixed model's mean loss of each of R examples.

        Args:
            weights: (N,) from 0, they sum to 1.
            rows: R positions of examples, each once.
        """


@final
class Remembered:
    """An objective that asks another one only for what it has not asked yet, and counts.

    Weights that agree when rounded to six decimals share what was measured for the first of them.

    Attributes:
        evaluations: How often the objective was asked; each time costs a mix and a forward pass.

    Example:
        >>> objective = Remembered(lambda weights, rows: np.array([weights[0] + row for row in rows]), 3)
        >>> objective(np.array([1.0, 0.0]), [0, 2]).tolist(), objective.evaluations
        ([1.0, 3.0], 1)
        >>> objective(np.array([1.0, 0.0]), [2]).tolist(), objective.evaluations
        ([3.0], 1)
    """

    def __init__(self, objective: Objective, count: int, *, joint: bool = False) -> None:
        """Remember per example, or per mix.

        Args:
            objective: What is asked.
            count: K, how many examples there are.
            joint: Losses of examples depend on one another, as those of embedders do whose passages are
                contrasted with all others in the batch. Then every mix is asked for all K examples, and
                those that the caller wants are taken from the answer.

        Raises:
            InputError: There is no example.
        """
        if count < 1:
            raise InputError(f"an objective on {count} examples; expected one or more")
        self.evaluations = 0
        self.count = count
        self._objective = objective
        self._joint = joint
        self._known: dict[bytes, tuple[Values, np.ndarray[tuple[int], np.dtype[np.bool_]]]] = {}

    def __call__(self, weights: Values, rows: Sequence[int]) -> Values:
        """(R,) losses, as the objective gave them.

        Raises:
            InputError: A row is not there, or the objective's answer has another shape.
        """
        check_rows(rows)
        if max(rows) >= self.count:
            raise InputError(f"row {max(rows)} of {self.count} examples; expected 0 to {self.count - 1}")
        key = (np.round(weights, SHARED) + 0.0).tobytes()  # + 0.0: no negative zero
        losses, known = self._known.setdefault(key, (np.zeros(self.count), np.zeros(self.count, bool)))
        wanted = range(self.count) if self._joint else rows
        if missing := [int(row) for row in wanted if not known[row]]:
            losses[missing] = asked(self._objective, weights, missing)
            known[missing] = True
            self.evaluations += 1
        return np.asarray(losses[list(rows)])


def remembered(objective: Objective, count: int) -> Remembered:
    """The objective as one that remembers; one that does already is returned as it is.

    >>> once = remembered(lambda weights, rows: np.zeros(len(rows)), 4)
    >>> remembered(once, 4) is once
    True
    """
    return objective if isinstance(objective, Remembered) else Remembered(objective, count)


def asked(objective: Objective, weights: Values, rows: Sequence[int]) -> Values:
    """(R,) what the objective answers, checked for its shape.

    Raises:
        InputError: It is not one loss for each row.

    >>> asked(lambda weights, rows: np.ones(len(rows)), np.array([1.0]), [0, 1]).tolist()
    [1.0, 1.0]
    """
    losses = np.asarray(objective(weights, rows), np.float64)
    if losses.shape != (len(rows),):
        raise InputError(
            f"the objective gave losses of shape {losses.shape} for {len(rows)} rows; expected ({len(rows)},)"
        )
    return losses


def mean_loss(objective: Objective, weights: Values, rows: Sequence[int]) -> float:
    """Mean loss over rows; infinity, the worst there is, where a loss is no finite number.

    >>> mean_loss(lambda weights, rows: np.array([1.0, np.nan]), np.array([1.0]), [0, 1])
    inf
    """
    losses = asked(objective, weights, rows)
    return float(losses.mean()) if np.isfinite(losses).all() else float("inf")
