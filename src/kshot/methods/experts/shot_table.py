"""E experts on K shots, one by one: what coverage and chances are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from kshot.errors import DataError
from kshot.methods.experts.candidates import Candidates, Values


@final
@dataclass(frozen=True, slots=True, eq=False)
class ShotTable:
    """E experts on K shots, and how alike the experts are.

    Attributes:
        right: (E, K) whether each expert answers each shot rightly.
        target_loss: (E, K) nats per token of the target; infinity is allowed.
        similarity: (E, E).
        names: (E,) what ties are broken by in the end; none: by position.

    Raises:
        DataError: Shapes differ, a loss is NaN, or there is no expert or no shot.
        InputError: A name stands twice.

    >>> table = ShotTable(np.array([[True, False]]), np.array([[0.0, 0.0]]), np.eye(1))
    >>> table.candidates.accuracy.tolist(), table.candidates.perplexity.tolist()
    ([0.5], [1.0])
    """

    right: NDArray[np.bool_]
    target_loss: Values
    similarity: Values
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        right, loss = np.asarray(self.right), np.asarray(self.target_loss, dtype=np.float64)
        if right.ndim != 2 or right.shape != loss.shape:
            raise DataError(f"right is {right.shape}, target_loss {loss.shape}; expected (E, K) for both")
        if right.dtype != np.bool_:
            raise DataError(f"right is of type {right.dtype}; expected true or false per expert and shot")
        if not right.size:
            raise DataError(
                f"{right.shape[0]} experts on {right.shape[1]} shots; expected one at least of each"
            )
        if (bad := np.argwhere(np.isnan(loss))).size:
            who = self.names[bad[0, 0]] if self.names else f"expert {bad[0, 0]}"
            raise DataError(f"the loss of {who} on shot {bad[0, 1]} is NaN; score it anew, or leave it out")
        for field, value in (("right", right), ("target_loss", loss)):
            object.__setattr__(self, field, value)
        object.__setattr__(self, "similarity", self.candidates.similarity)

    @property
    def candidates(self) -> Candidates:
        """Means over the shots: accuracy, and the mean of exp(target loss) as perplexity.

        Source: arXiv 2408.15915v2, Eq. 1-5; the divisor is K throughout.
        """
        with np.errstate(over="ignore"):
            found = np.sort(np.exp(self.target_loss), axis=1)  # or the order of the shots would break ties
            perplexity = found.mean(axis=1)
        return Candidates(perplexity, self.right.mean(axis=1), self.similarity, tuple(self.names))

    def in_order(self, order: NDArray[np.int64]) -> ShotTable:
        """The experts rearranged."""
        names = tuple(self.names[at] for at in order.tolist()) if self.names else ()
        similarity = self.similarity[np.ix_(order, order)]
        return ShotTable(self.right[order], self.target_loss[order], similarity, names)
