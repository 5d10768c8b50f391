"""How much of the fine-tuned model: the alpha that keeps the target and gives back most of the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kshot.errors import InputError
from kshot.methods.cocktail.weights import Values

_SLACK = 1e-12  # means that rounding has set apart
_ONE_SIGMA = 0.1587  # of a normal distribution lies more than one standard deviation above its mean


@final
@dataclass(frozen=True, slots=True, eq=False)
class AlphaChoice:
    """The recommended alpha, and what each of A values gives; all of it selection scores.

    Attributes:
        alpha: The recommended share of the fine-tuned model.
        index: Its position.
        alphas: (A,) as given.
        target_means: (A,).
        target_errors: (A,) standard errors of the means; None with one target example.
        general_means: (A,).
        general_errors: (A,); None with one general example.
        allowed: (A,) whether the target mean is within one standard error of the best.
        higher_is_better: Of both; False for losses.
        reason: A sentence with the numbers that decided.
    """

    alpha: float
    index: int
    alphas: Values
    target_means: Values
    target_errors: Values | None
    general_means: Values
    general_errors: Values | None
    allowed: NDArray[np.bool_]
    higher_is_better: bool
    reason: str

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object an alpha, in the order given; None for an error that one example leaves open."""
        return [
            {
                "alpha": float(self.alphas[at]),
                "target": float(self.target_means[at]),
                "target_error": None if self.target_errors is None else float(self.target_errors[at]),
                "general": float(self.general_means[at]),
                "general_error": None if self.general_errors is None else float(self.general_errors[at]),
                "allowed": bool(self.allowed[at]),
                "chosen": at == self.index,
            }
            for at in range(len(self.alphas))
        ]


def recommend_alpha(
    alphas: Sequence[float], target: ArrayLike, general: ArrayLike, *, higher_is_better: bool
) -> AlphaChoice:
    """The alpha with the best general mean among those whose target mean is near the best target mean.

    Near means within one standard error, that of the best alpha's own mean, s / sqrt(K); with one target
    example there is none and only the best itself is near. Where values are right or wrong, s is 0 as soon
    as all K are right, which would make one miss a proof: so the error is never taken for less than the
    share of misses that K rows without one leave open with one standard deviation's confidence, 1 -
    0.1587^(1 / K). Ties in the general mean go to the larger alpha,
    nearer to the fine-tuned model; of equal best target means the larger alpha gives the standard error.
    Both ends take part, so that "no mixing" can win.

    Args:
        alphas: A different shares of the fine-tuned model, from 0 to 1, in any order.
        target: (A, K) losses or scores of the mixed model on the target examples.
        general: (A, G) on the general examples.
        higher_is_better: True for scores, False for losses.

    Raises:
        InputError: Shapes do not fit, a number is not finite, or an alpha is out of range or given twice.

    Source: the rule of one standard error: Breiman and others 1984, Classification and Regression Trees; its
    lower end for right-or-wrong values is ours.

    >>> target = [[0, 0, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]
    >>> choice = recommend_alpha([0, 0.5, 1], target, [[1, 1], [1, 1], [0, 1]], higher_is_better=True)
    >>> choice.alpha, choice.allowed.tolist()
    (0.5, [False, True, True])
    """
    steps = _checked_alphas(alphas)
    on_target = _table(target, steps, "target")
    on_general = _table(general, steps, "general")
    sign = 1.0 if higher_is_better else -1.0
    target_means, general_means = on_target.mean(axis=1), on_general.mean(axis=1)
    target_errors, general_errors = _errors(on_target), _errors(on_general)
    best = _highest(sign * target_means, steps, np.ones(len(steps), np.bool_))
    near = 0.0 if target_errors is None else max(float(target_errors[best]), _least_error(on_target))
    allowed = _as_good(sign * target_means, float(sign * target_means[best]) - near)
    index = _highest(sign * general_means, steps, allowed)
    what = f"one standard error ({near:.4g})" if target_errors is not None else "0 (one target example)"
    reason = (
        f"alpha {steps[index]:g}: the best general mean, {general_means[index]:.4g}, among "
        f"{int(allowed.sum())} of {len(steps)} alphas whose target mean is within {what} of the best, "
        f"{target_means[best]:.4g} at alpha {steps[best]:g}; its own target mean is {target_means[index]:.4g}"
    )
    return AlphaChoice(
        alpha=float(steps[index]),
        index=index,
        alphas=steps,
        target_means=target_means,
        target_errors=target_errors,
        general_means=general_means,
        general_errors=general_errors,
        allowed=allowed,
        higher_is_better=higher_is_better,
        reason=reason,
    )


def _highest(values: Values, alphas: Values, allowed: NDArray[np.bool_]) -> int:
    """Position of the highest allowed value; of ties the one with the largest alpha."""
    tied = allowed & _as_good(values, float(values[allowed].max()))
    return int(np.flatnonzero(tied)[np.argmax(alphas[tied])])


def _as_good(values: Values, bound: float) -> NDArray[np.bool_]:
    return np.asarray(values >= bound - _SLACK * max(1.0, abs(bound)))


def _least_error(table: Values) -> float:
    """What right-or-wrong values of K examples leave open when none is wrong; 0 for other values.

    Source: the exact binomial bound (Clopper and Pearson 1934) for no failure in K.
    """
    is_binary = bool(np.isin(table, (0.0, 1.0)).all())
    return 1 - _ONE_SIGMA ** (1 / table.shape[1]) if is_binary else 0.0


def _errors(table: Values) -> Values | None:
    """(A,) standard errors of the rows' means; None with one column."""
    count = table.shape[1]
    return None if count < 2 else np.asarray(table.std(axis=1, ddof=1) / math.sqrt(count))


def _checked_alphas(alphas: Sequence[float]) -> Values:
    steps = np.asarray(alphas, np.float64)
    if steps.ndim != 1 or not len(steps):
        raise InputError(f"alphas have shape {steps.shape}; expected one or more numbers from 0 to 1")
    for step in steps.tolist():
        if not 0 <= step <= 1:
            raise InputError(f"alpha is {step}; expected the share of the fine-tuned model, from 0 to 1")
    if len(set(steps.tolist())) != len(steps):
        raise InputError(f"alphas are {steps.tolist()}; expected each once")
    return steps


def _table(given: ArrayLike, alphas: Values, what: str) -> Values:
    """(A, K) as float64, checked."""
    try:
        table = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the {what} table: {error}; expected numbers, alphas by examples") from error
    if table.ndim != 2 or len(table) != len(alphas) or not table.shape[1]:
        raise InputError(
            f"the {what} table has shape {table.shape}; expected ({len(alphas)}, examples), one row an alpha"
        )
    if len(wrong := np.argwhere(~np.isfinite(table))):
        row, example = (int(at) for at in wrong[0])
        raise InputError(
            f"the {what} value at alpha {alphas[row]:g}, example {example}, is {table[row, example]}; "
            f"expected a finite number ({len(wrong)} of {table.size} are not)"
        )
    return table
