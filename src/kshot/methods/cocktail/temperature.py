"""Which temperature: the one whose weights, found without an example, serve the mixed model on it best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from kshot.errors import InputError
from kshot.methods.cocktail.cross_fit import CrossFit, crossfit
from kshot.methods.cocktail.objective import Objective, mean_loss, remembered
from kshot.methods.cocktail.weights import Values, check_temperature, loss_table, mean_losses, mixing_weights

GRID = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_TIE = 1e-9  # mean losses this close, relative to the lowest, are the same


@final
@dataclass(frozen=True, slots=True, eq=False)
class TemperatureChoice:
    """A temperature chosen among G by cross-fit, and what each would have given.

    Attributes:
        temperature: The chosen one.
        weights: (N,) from all examples at the chosen temperature.
        grid: (G,) ascending.
        grid_weights: (G, N) from all examples at each temperature.
        fits: G cross-fits, in the order of the grid.
        fitted: (G,) the mixed model's mean loss on the same examples that the weights are from.
        evaluations: How many mixes were asked.
    """

    temperature: float
    weights: Values
    grid: tuple[float, ...]
    grid_weights: Values
    fits: tuple[CrossFit, ...]
    fitted: Values
    evaluations: int

    @property
    def crossfit(self) -> Values:
        """(G,) mean cross-fit loss of each temperature; infinity where a mix gave no finite loss."""
        return np.array([fit.loss for fit in self.fits])

    @property
    def crossfit_uniform(self) -> float:
        """Mean loss of equal weights on the same examples; nothing of them was fitted."""
        return self.fits[0].uniform_loss

    @property
    def chosen(self) -> CrossFit:
        """The cross-fit of the chosen temperature, for ``settle``."""
        return self.fits[self.grid.index(self.temperature)]

    @property
    def n(self) -> int:
        """How many examples."""
        return len(self.fits[0].each)

    @property
    def reason(self) -> str:
        """One sentence: the chosen temperature, its cross-fit loss, and that of equal weights."""
        fit = self.chosen
        word = "below" if fit.better else "not below"
        return (
            f"temperature {self.temperature:g} has the lowest cross-fit loss, {fit.loss:.6g}, {word} the "
            f"{fit.uniform_loss:.6g} of equal weights ({self.n} examples, {len(fit.folds)} folds)"
        )

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object a temperature, ascending; None stands for a loss that is no finite number."""
        return [
            {
                "temperature": temperature,
                "weights": [float(weight) for weight in weights],
                "lowest_weight": float(weights.min()),
                "highest_weight": float(weights.max()),
                "crossfit": _finite(fit.loss),
                "fitted": _finite(float(fitted)),
                "below_uniform": fit.better,
                "difference_error": fit.error,
                "chosen": temperature == self.temperature,
            }
            for temperature, weights, fit, fitted in zip(
                self.grid, self.grid_weights, self.fits, self.fitted, strict=True
            )
        ]


def choose_temperature(
    table: ArrayLike,
    objective: Objective,
    *,
    grid: Sequence[float] = GRID,
    folds: int | None = None,
    seed: int = 0,
) -> TemperatureChoice:
    """The temperature whose mixed model has the lowest mean loss on examples its weights did not see.

    For each fold and temperature the weights come from the other examples' losses, and the mixed model is
    asked for the examples of the fold. Ties go to the higher temperature, nearer to equal weights; a mix
    without a finite loss loses. That costs up to G (F + 1) + 1 mixes with F folds; mixes whose weights agree
    to six decimals share one. Where the losses of examples depend on one another (embedders), give a
    ``Remembered`` objective with ``joint``.

    Args:
        table: (N, K) losses of the models by themselves, of two or more examples.
        objective: Of the mixed model on the same K examples.
        grid: Temperatures, each above 0; infinity stands for equal weights.
        folds: As in ``folds_of``: None leaves each example out by itself up to 20, else five folds.
        seed: Of the folds.

    Raises:
        InputError: As ``folds_of`` and ``loss_table``; the grid is empty; or no mix has a finite loss.

    Example:
        >>> def objective(weights, rows):  # only the first model helps, on every example
        ...     return np.array([float(weights[1]) for row in rows])
        >>> table = [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
        >>> choice = choose_temperature(table, objective, grid=(0.1, 1, 10))
        >>> choice.temperature, choice.weights.round(3).tolist()
        (0.1, [1.0, 0.0])
    """
    values = loss_table(table)
    steps = tuple(sorted({float(step) for step in grid}))
    if not steps:
        raise InputError("the grid of temperatures is empty; expected one or more")
    for step in steps:
        check_temperature(step)
    count = values.shape[1]
    ask = remembered(objective, count)
    before = ask.evaluations
    fits = tuple(_fit(values, ask, temperature=step, folds=folds, seed=seed) for step in steps)
    losses = np.array([fit.loss for fit in fits])
    if not np.isfinite(losses).any():
        raise InputError(
            f"no mix at temperatures {', '.join(f'{step:g}' for step in steps)} has a finite loss; check the "
            "models one by one, or give weights by hand"
        )
    best = float(losses.min())
    at = int(np.flatnonzero(losses <= best + _TIE * max(abs(best), 1e-3))[-1])  # the highest among ties
    weights = sweep_weights(mean_losses(values), grid=steps)
    fitted = np.array([mean_loss(ask, row, range(count)) for row in weights])
    return TemperatureChoice(
        temperature=steps[at],
        weights=weights[at],
        grid=steps,
        grid_weights=weights,
        fits=fits,
        fitted=fitted,
        evaluations=ask.evaluations - before,
    )


def sweep_weights(losses: ArrayLike, *, grid: Sequence[float] = GRID) -> Values:
    """(G, N) the weights at each temperature, in the order of the grid; costs no evaluation.

    Raises:
        InputError: As ``mixing_weights``.

    >>> sweep_weights([1.0, 2.0], grid=(0.01, 1, 5)).round(3).tolist()
    [[1.0, 0.0], [0.731, 0.269], [0.55, 0.45]]
    """
    return np.stack([mixing_weights(losses, temperature=step) for step in grid])


def _fit(
    values: Values, objective: Objective, *, temperature: float, folds: int | None, seed: int
) -> CrossFit:
    def find(rows: Sequence[int]) -> Values:
        return mixing_weights(mean_losses(values[:, list(rows)]), temperature=temperature)

    return crossfit(find, objective, values.shape[1], folds=folds, seed=seed)


def _finite(loss: float) -> float | None:
    return loss if np.isfinite(loss) else None
