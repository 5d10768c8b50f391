"""Cross-fit: weights found without an example, judged on it, for every example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from kshot.errors import InputError
from kshot.methods.cocktail.objective import Objective, asked, remembered
from kshot.methods.cocktail.weights import Values, shares, uniform

Fold: TypeAlias = tuple[int, ...]
LEAVE_ONE_OUT = 20  # up to so many examples each is left out by itself


def folds_of(count: int, *, folds: int | None = None, seed: int = 0) -> tuple[Fold, ...]:
    """The examples that each fold leaves out: every example in exactly one fold, sizes differ by at most 1.

    Args:
        count: K examples.
        folds: How many; None: each example by itself up to 20 examples, five folds beyond.
        seed: Of which examples come together; without meaning where each is by itself.

    Raises:
        InputError: There are fewer than two examples, or folds do not lie between 2 and K.

    >>> folds_of(3)
    ((0,), (1,), (2,))
    >>> [len(fold) for fold in folds_of(22)]
    [5, 5, 4, 4, 4]
    """
    if count < 2:
        raise InputError(f"cross-fit of {count} examples; expected two or more, so that one can be left out")
    chosen = folds if folds is not None else count if count <= LEAVE_ONE_OUT else 5
    if not 2 <= chosen <= count:
        raise InputError(f"{chosen} folds of {count} examples; expected 2 to {count}")
    order = np.arange(count) if chosen == count else np.random.default_rng(seed).permutation(count)
    return tuple(tuple(sorted(int(row) for row in order[at::chosen])) for at in range(chosen))


@final
@dataclass(frozen=True, slots=True, eq=False)
class CrossFit:
    """What a way to find weights is worth on examples that it did not see.

    Attributes:
        each: (K,) the mixed model's loss of each example, with weights found without its fold.
        uniform_each: (K,) with equal weights.
        weights: (F, N) as found without each fold.
        folds: The examples that each fold left out.
    """

    each: Values
    uniform_each: Values
    weights: Values
    folds: tuple[Fold, ...]

    @property
    def loss(self) -> float:
        """Mean cross-fit loss; infinity where a mix gave no finite loss."""
        return _mean(self.each)

    @property
    def uniform_loss(self) -> float:
        """Mean loss of equal weights on the same examples."""
        return _mean(self.uniform_each)

    @property
    def better(self) -> bool:
        """Whether the cross-fit loss is strictly below that of equal weights."""
        return self.loss < self.uniform_loss

    @property
    def error(self) -> float | None:
        """Standard error of the paired difference to equal weights; None with fewer than two finite rows."""
        difference = self.each - self.uniform_each
        if len(difference) < 2 or not np.isfinite(difference).all():
            return None
        return float(difference.std(ddof=1) / np.sqrt(len(difference)))

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object a fold: what was left out, the weights found without it, both losses."""
        return [
            {
                "left_out": list(fold),
                "weights": [float(weight) for weight in weights],
                "loss": _mean(self.each[list(fold)]),
                "uniform_loss": _mean(self.uniform_each[list(fold)]),
            }
            for fold, weights in zip(self.folds, self.weights, strict=True)
        ]


def crossfit(
    find: Callable[[Sequence[int]], ArrayLike],
    objective: Objective,
    count: int,
    *,
    folds: int | None = None,
    seed: int = 0,
) -> CrossFit:
    """Find weights without each fold, and take the mixed model's loss on it; equal weights beside.

    Args:
        find: From the rows that may be used to (N,) weights: a softmax of their mean losses, a greedy soup,
            a search. It must look at no other row.
        objective: Of the mixed model; a ``Remembered`` one saves evaluations, and its ``joint`` is obeyed.
        count: K examples.
        folds: As in ``folds_of``.
        seed: As in ``folds_of``.

    Raises:
        InputError: As ``folds_of``; or weights that are found do not sum to 1.

    Example:
        >>> def objective(weights, rows):  # the first model is right on every example
        ...     return np.array([float(weights[1]) for row in rows])
        >>> found = crossfit(lambda rows: [1.0, 0.0], objective, 4)
        >>> found.loss, found.uniform_loss, found.better
        (0.0, 0.5, True)
    """
    ask = remembered(objective, count)
    parts = folds_of(count, folds=folds, seed=seed)
    each = np.zeros(count)
    weights = []
    for fold in parts:
        left = set(fold)
        found = shares(find([row for row in range(count) if row not in left]))
        weights.append(found)
        each[list(fold)] = asked(ask, found, fold)
    even = asked(ask, uniform(len(weights[0])), range(count))
    return CrossFit(each, even, np.stack(weights), parts)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The weights that are used in the end, and why.

    Attributes:
        weights: (N,).
        kept: Whether they are those that were found, not equal ones instead.
        reason: A sentence with both cross-fit losses.
    """

    weights: Values
    kept: bool
    reason: str


def settle(found: ArrayLike, fit: CrossFit | None, *, forced: bool = False) -> Decision:
    """Keep weights that were fitted to the shots only if they beat equal weights on shots they did not see.

    Args:
        found: (N,) as fitted on all examples.
        fit: Of the way they were found; None where there are too few examples for one.
        forced: Keep them all the same; the reason says what the cross-fit was.

    Raises:
        InputError: The weights do not sum to 1.

    >>> settle([1.0, 0.0], None).weights.tolist()
    [0.5, 0.5]
    """
    weights = shares(found)
    if fit is None:
        said, better = "there are too few examples to cross-fit the weights", False
    else:
        better = fit.better
        word = "below" if better else "not below"
        said = (
            f"the cross-fit loss of {fit.loss:.6g} is {word} the {fit.uniform_loss:.6g} of equal weights "
            f"({len(fit.each)} examples, {len(fit.folds)} folds)"
        )
    if better:
        return Decision(weights, True, f"kept: {said}")
    if forced:
        return Decision(weights, True, f"kept because it was forced, although {said}")
    return Decision(uniform(len(weights)), False, f"equal weights instead: {said}")


def _mean(losses: Values) -> float:
    return float(losses.mean()) if np.isfinite(losses).all() else float("inf")
