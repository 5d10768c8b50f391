"""Greedy soup: the best model, and every further one whose part in the average lowers the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from kshot.errors import InputError
from kshot.methods.cocktail.objective import Objective, mean_loss
from kshot.methods.cocktail.weights import Values, alone, mixing_weights


@final
@dataclass(frozen=True, slots=True)
class SoupStep:
    """One model that was tried: the loss of the average with it, and whether it stayed."""

    model: int
    loss: float
    accepted: bool


@final
@dataclass(frozen=True, slots=True, eq=False)
class GreedySoup:
    """The average of some of N models, chosen one by one.

    Attributes:
        weights: (N,) equal for the accepted models, 0 for the others.
        loss: Of the mixed model on the rows; a selection score.
        steps: N, in the order tried; the first is the best single model.
        notes: What the reader must know.
    """

    weights: Values
    loss: float
    steps: tuple[SoupStep, ...]
    notes: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """The models as they were tried, the lowest own loss first."""
        return tuple(step.model for step in self.steps)

    @property
    def accepted(self) -> tuple[int, ...]:
        """The models in the average, in the order they came in."""
        return tuple(step.model for step in self.steps if step.accepted)

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object a step; None stands for a loss that is no finite number."""
        return [
            {
                "model": step.model,
                "loss": step.loss if np.isfinite(step.loss) else None,
                "accepted": step.accepted,
            }
            for step in self.steps
        ]


def greedy_soup(own_losses: ArrayLike, objective: Objective, rows: Sequence[int]) -> GreedySoup:
    """Start with the best single model; add each next one if the average of all accepted has a lower loss.

    Models are tried once, by own loss from the lowest, ties in their given order. A model stays if the loss
    is strictly lower, so that one that changes nothing stays out; the paper, which judges by accuracy on
    many held-out rows, keeps it. The start is asked of the objective too, so that all losses are of one
    measure: N evaluations in all. A mix without a finite loss is not accepted.

    Args:
        own_losses: (N,) of each model by itself.
        objective: Of the mixed model.
        rows: The examples that may be used.

    Raises:
        InputError: A loss is not finite, there is no model, or no mix has a finite loss.

    Source: Model soups (arXiv 2203.05482), recipe 1.

    Example:
        >>> def objective(weights, rows):  # the first two err in opposite directions, the third by far
        ...     return np.array([float(weights @ [-1.0, 1.2, 9.0]) ** 2 for row in rows])
        >>> soup = greedy_soup([1.0, 1.44, 81.0], objective, [0, 1])
        >>> soup.accepted, soup.weights.tolist(), round(soup.loss, 3)
        ((0, 1), [0.5, 0.5, 0.0], 0.01)
    """
    mixing_weights(own_losses)  # refuses what is not finite
    losses = np.asarray(own_losses, np.float64)
    order = [int(model) for model in np.argsort(losses, kind="stable")]
    count = len(order)
    weights = alone(count, order[0])
    best = mean_loss(objective, weights, rows)
    steps = [SoupStep(order[0], best, bool(np.isfinite(best)))]
    for model in order[1:]:
        members = [step.model for step in steps if step.accepted] + [model]
        tried = np.zeros(count)
        tried[members] = 1 / len(members)
        loss = mean_loss(objective, tried, rows)
        if lower := loss < best:
            weights, best = tried, loss
        steps.append(SoupStep(model, loss, lower))
    if not np.isfinite(best):
        raise InputError(
            f"none of {count} models, alone or averaged, has a finite loss; check them one by one"
        )
    lost = sum(not np.isfinite(step.loss) for step in steps)
    notes = (f"{lost} of {count} mixes had no finite loss",) if lost else ()
    return GreedySoup(weights, best, tuple(steps), notes)
