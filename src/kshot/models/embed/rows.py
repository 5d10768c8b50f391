"""Rows of vectors wherever they lie: arrays, memory maps, picks of either; and half precision read fast."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.models.base import Floats, Ints

AnyFloats: TypeAlias = NDArray[np.floating[Any]]

_SIGN_AND_DIGITS = np.array(0x8FFFE000, np.uint32).view(np.int32)[()]
_EXPONENT_SHIFT = np.float32(2.0**112)  # float32 counts exponents from 127, half precision from 15
_NO_HALF = np.float32(65536)  # what infinities and NaN become; no finite half is so large


class Rows(Protocol):
    """(N, D) floats that are read by the slice or by the index: what is compared need not be in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is read."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


@final
class PickedRows:
    """Some rows of others, in an order of their own, read when asked for.

    >>> PickedRows(np.eye(3), np.array([2, 0]))[0:1].tolist()
    [[0.0, 0.0, 1.0]]
    """

    def __init__(self, rows: Rows, index: Ints) -> None:
        self._rows = rows
        self._index = index

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        return (len(self._index), *self._rows.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is read."""
        return self._rows.dtype

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: Any, /) -> AnyFloats:
        picked = self._index[index]
        found: AnyFloats = self._rows[_stretch(picked)]
        return found


def _stretch(picked: Ints) -> Ints | slice:
    """An index that rises by one, as a slice: no copy, and no reading row by row."""
    if picked.ndim and len(picked) and (np.diff(picked) == 1).all():
        return slice(int(picked[0]), int(picked[-1]) + 1)
    return picked


def floats(rows: AnyFloats) -> Floats:
    """The rows as float32, to the last bit what ``astype`` gives; from half precision several times faster.

    The sign and digits of a half are moved to their places in a float32, whose exponent is then 112 too
    small: one product with 2^112 mends it, subnormal numbers included.

    >>> floats(np.array([0.5, -1.0], dtype=np.float16)).tolist()
    [0.5, -1.0]
    """
    if rows.dtype != np.float16 or not rows.dtype.isnative:
        return np.asarray(rows, dtype=np.float32)
    out = np.empty(rows.shape, dtype=np.float32)
    bits = out.view(np.int32)
    np.copyto(bits, rows.view(np.int16))
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _SIGN_AND_DIGITS, out=bits)
    np.multiply(out, _EXPONENT_SHIFT, out=out)
    if out.max(initial=0) >= _NO_HALF or out.min(initial=0) <= -_NO_HALF:
        return rows.astype(np.float32)
    return out
