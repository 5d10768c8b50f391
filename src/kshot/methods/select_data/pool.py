"""The rows to choose from: their vectors, and a key of each that no order of files changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.errors import DataError
from kshot.models.embed.rows import Rows

Keys: TypeAlias = NDArray[np.uint64]

_SCRAMBLE = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_STEP = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Unit vectors, and what breaks their ties.

    With content hashes for keys, which rows are chosen does not depend on the pool's order.

    Attributes:
        vectors: (N, D) unit rows: an array, a memory map, or picks of one.
        keys: (N,) of equal rows the one with the lower key comes first; then the lower index.

    Raises:
        DataError: There is not one key for each row.
    """

    vectors: Rows
    keys: Keys

    def __post_init__(self) -> None:
        if self.keys.dtype != np.uint64 or self.keys.shape != (len(self.vectors),):
            raise DataError(
                f"a pool of {len(self.vectors)} rows has {self.keys.dtype} keys of shape {self.keys.shape}, "
                "expected one uint64 a row"
            )

    @classmethod
    def of(cls, vectors: Rows) -> Self:
        """A pool whose ties go to the lower index."""
        return cls(vectors, np.arange(len(vectors), dtype=np.uint64))

    def __len__(self) -> int:
        return len(self.vectors)


def uniform(keys: Keys, *, seed: int) -> NDArray[np.float64]:
    """(N,) numbers in (0, 1) that depend on key and seed alone: chance without an order.

    SplitMix64 of the key, started from the seed's own.

    >>> [round(float(x), 3) for x in uniform(np.array([1, 2], dtype=np.uint64), seed=0)]
    [0.034, 0.843]
    """
    start = _mixed(np.array([seed % 2**64], dtype=np.uint64))
    mixed = _mixed(keys ^ start)
    return ((mixed >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def _mixed(keys: Keys) -> Keys:
    with np.errstate(over="ignore"):
        mixed = keys + np.uint64(_STEP)
        for shift, factor in zip((30, 27), _SCRAMBLE, strict=True):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * factor
    found: Keys = mixed ^ (mixed >> np.uint64(31))
    return found
