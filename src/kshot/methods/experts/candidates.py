"""The experts that come into question: two scores each, how alike they are, and the ranks of the scores."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kshot.errors import DataError, InputError

Values: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
_SYMMETRIC = 1e-6


def competition_ranks(values: ArrayLike) -> Ints:
    """Places along the last axis, the smallest value first; tied values share the best place (1, 1, 3).

    Args:
        values: (..., E) numbers or infinities, no NaN.

    >>> competition_ranks([0.3, 0.1, 0.3, 0.2]).tolist()
    [3, 1, 3, 2]
    """
    given = np.asarray(values)
    order = np.argsort(given, axis=-1, kind="stable")
    ascending = np.take_along_axis(given, order, axis=-1)
    places = np.broadcast_to(np.arange(1, given.shape[-1] + 1), given.shape).copy()
    places[..., 1:][ascending[..., 1:] == ascending[..., :-1]] = 1  # a tie goes on from the place before
    ranks = np.empty(given.shape, dtype=np.int64)
    np.put_along_axis(ranks, order, np.maximum.accumulate(places, axis=-1), axis=-1)
    return ranks


@final
@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """E experts to choose from.

    Attributes:
        perplexity: (E,) of the shots' targets, lower is better; infinity is allowed.
        accuracy: (E,) share of the shots right, higher is better.
        similarity: (E, E) how alike two experts are; symmetric, the diagonal is not read.
        names: (E,) what ties are broken by in the end; none: by position.

    Raises:
        DataError: There is no expert, shapes differ, a value is NaN, or the similarity is not symmetric.
        InputError: A name stands twice.

    >>> Candidates(np.array([2.0, 2.5]), np.array([0.5, 0.6]), np.eye(2)).rank_sum.tolist()
    [3, 3]
    """

    perplexity: Values
    accuracy: Values
    similarity: Values
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("perplexity", "accuracy", "similarity"):
            object.__setattr__(self, field, _numbers(field, getattr(self, field)))
        object.__setattr__(self, "names", tuple(self.names))
        self._check()

    def __len__(self) -> int:
        """E."""
        return len(self.perplexity)

    @property
    def perplexity_rank(self) -> Ints:
        """(E,) R_P: 1 for the lowest perplexity, ties share the best place."""
        return competition_ranks(self.perplexity)

    @property
    def accuracy_rank(self) -> Ints:
        """(E,) R_A: 1 for the highest accuracy, ties share the best place."""
        return competition_ranks(-self.accuracy)

    @property
    def rank_sum(self) -> Ints:
        """(E,) R_P + R_A."""
        return self.perplexity_rank + self.accuracy_rank

    @property
    def order(self) -> Ints:
        """(E,) positions in the order that breaks ties: by name, or as given."""
        at = range(len(self))
        return np.array(sorted(at, key=lambda i: self.names[i]) if self.names else at, dtype=np.int64)

    def called(self, at: int) -> str:
        """The name of an expert; its position where none was given."""
        return self.names[at] if self.names else f"expert {at}"

    def _check(self) -> None:
        count = len(self.perplexity)
        if not count:
            raise DataError("there is no expert to choose from; expected one at least")
        if self.accuracy.shape != (count,):
            raise DataError(f"accuracy is {self.accuracy.shape}, expected ({count},) as perplexity is")
        if self.similarity.shape != (count, count):
            shape = self.similarity.shape
            raise DataError(f"similarity is {shape}, expected ({count}, {count}) for {count} experts")
        if np.isinf(self.accuracy).any() or np.isinf(self.similarity).any():
            raise DataError("accuracy or similarity holds an infinity; expected finite numbers")
        gap = float(np.abs(self.similarity - self.similarity.T).max())
        if gap > _SYMMETRIC:
            raise DataError(f"similarity is not symmetric: an entry and its mirror differ by {gap:.3g}")
        if self.names and len(self.names) != count:
            raise DataError(f"{len(self.names)} names for {count} experts; give one each, or none")
        if twice := [name for name, n in Counter(self.names).items() if n > 1]:
            raise InputError(f"two experts are called {twice[0]!r}; expected a name of its own for each")


def _numbers(field: str, given: Any) -> Values:
    try:
        values = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{field} holds no numbers ({error})") from None
    wanted = 2 if field == "similarity" else 1
    if values.ndim != wanted:
        raise DataError(f"{field} has shape {values.shape}, expected {'(E, E)' if wanted == 2 else '(E,)'}")
    if bad := np.argwhere(np.isnan(values)).tolist():
        where = bad[0][0] if wanted == 1 else tuple(bad[0])
        raise DataError(f"{field} of expert {where} is NaN; score it anew, or leave it out")
    return values
