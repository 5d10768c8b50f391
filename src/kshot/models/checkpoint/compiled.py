"""The commonest mix, of bfloat16 numbers alone, in compiled loops: the same bytes, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from kshot.models.checkpoint.arithmetic import Source
from kshot.models.checkpoint.reading import read_bytes

PIECE_VALUES = 1 << 19  # read and written at once: 1 MB
_BLOCK_VALUES = 1 << 15  # mixed at once: what a block needs lies in the processor's second cache
_MEMBERS_BYTES = 8 << 20  # of all members' pieces together


def suits(source: Source) -> bool:
    """Whether the loops can mix a tensor: everything that is read, and the result, is bfloat16.

    Example::

        suits(source) and mixed_bytes(source, 0, 1000, Buffers.made(2))
    """
    changes = (
        w for factors, w in zip(source.tensor.factors, source.weights, strict=True) if factors is not None
    )
    read = [source.kept(at).dtype for at, weight in enumerate(source.coefficients()) if weight]
    return source.tensor.dtype == "BF16" and bool(read) and set(read) == {"BF16"} and not any(changes)


@final
@dataclass(slots=True, eq=False)
class Buffers:
    """The memory of one thread, made once: the bits of members and of the result, and what a block needs."""

    stored: NDArray[np.uint16]
    out: NDArray[np.uint16]
    room: tuple[NDArray[Any], ...]

    @classmethod
    def made(cls, members: int) -> Buffers:
        """For pieces of N members."""
        piece = piece_values(members)
        wide, near = np.empty(_BLOCK_VALUES, np.uint32), np.empty(_BLOCK_VALUES, np.float32)
        sums, powers = np.empty(_BLOCK_VALUES, np.float64), np.empty(_BLOCK_VALUES, np.int64)
        room: tuple[NDArray[Any], ...] = (wide, wide.view(np.float32), sums, sums.view(np.int64))
        room += (powers, powers.view(np.float64), near, near.view(np.uint32))
        return cls(np.empty((members, piece), np.uint16), np.empty(piece, np.uint16), room)


def piece_values(members: int) -> int:
    """How many values of each of N members are read at once.

    >>> piece_values(2), piece_values(64)
    (524288, 65536)
    """
    return max(1, min(PIECE_VALUES, _MEMBERS_BYTES // 2 // max(1, members)))


def mixed_bytes(source: Source, at: int, count: int, room: Buffers) -> memoryview | None:
    """The bytes of the weighted sum of ``count`` values from ``at``; None where one is not finite.

    Args:
        source: A tensor that ``suits``.
        at: First value.
        count: At most ``piece_values`` of the members.
        room: Memory for as many members; the bytes are valid until its next use.

    Raises:
        ModelError: A file ends too early: it changed since it was planned.

    Source: as ``arithmetic.weighted`` and ``rounding.round_into``, bit for bit.

    Example::

        os.pwrite(out, mixed_bytes(source, 0, 1000, Buffers.made(2)), start)
    """
    from kshot.models.checkpoint import loops

    used = [(member, weight) for member, weight in enumerate(source.coefficients()) if weight]
    for row, (member, _) in enumerate(used):
        read_bytes(source.files, source.kept(member), 2 * at, _bytes(room.stored[row, :count]))
    weights = np.array([weight for _, weight in used])
    lost = loops.mixed(room.stored[: len(used)], weights, room.room, room.out[:count])
    return None if lost else _bytes(room.out[:count])


def _bytes(values: NDArray[np.uint16]) -> memoryview:
    array: Any = values.view(np.uint8)
    return memoryview(array)
