"""The commonest mix, of bfloat16 numbers alone, in compiled loops: the same bytes, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from kshot.models.checkpoint.arithmetic import Source
from kshot.models.checkpoint.reading import read_bytes

BLOCK_VALUES = 1 << 15  # all buffers of a thread lie in the processor's second cache


def suits(source: Source) -> bool:
    """Whether the loops can mix a tensor: everything that is read, and the result, is bfloat16.

    Example::

        suits(source) and mixed_bytes(source, 0, 1000, Buffers.made())
    """
    changes = (
        w for factors, w in zip(source.tensor.factors, source.weights, strict=True) if factors is not None
    )
    read = [source.kept(at).dtype for at, weight in enumerate(source.coefficients()) if weight]
    return source.tensor.dtype == "BF16" and bool(read) and set(read) == {"BF16"} and not any(changes)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Buffers:
    """The memory of one thread, made once: bits as they are stored, sums, and what rounding needs."""

    stored: NDArray[np.uint16]
    wide: NDArray[np.uint32]
    sums: NDArray[np.float64]
    powers: NDArray[np.int64]
    near: NDArray[np.float32]

    @classmethod
    def made(cls) -> Buffers:
        """For blocks of ``BLOCK_VALUES``."""
        kinds: tuple[Any, ...] = (np.uint16, np.uint32, np.float64, np.int64, np.float32)
        return cls(*(np.empty(BLOCK_VALUES, dtype=kind) for kind in kinds))


def mixed_bytes(source: Source, at: int, count: int, room: Buffers) -> memoryview | None:
    """The bytes of the weighted sum of ``count`` values from ``at``; None where one is not finite.

    Args:
        source: A tensor that ``suits``.
        at: First value.
        count: At most ``BLOCK_VALUES``.
        room: Memory; the bytes are valid until its next use.

    Raises:
        ModelError: A file ends too early: it changed since it was planned.

    Source: as ``arithmetic.weighted`` and ``rounding.round_into``, bit for bit.

    Example::

        os.pwrite(out, mixed_bytes(source, 0, 1000, Buffers.made()), start)
    """
    from kshot.models.checkpoint import loops

    stored, wide, sums = room.stored[:count], room.wide[:count], room.sums[:count]
    powers, near = room.powers[:count], room.near[:count]
    bytes_of: Any = stored.view(np.uint8)
    add = loops.first
    for member, weight in enumerate(source.coefficients()):
        if weight:
            read_bytes(source.files, source.kept(member), 2 * at, memoryview(bytes_of))
            loops.widened(stored, wide)
            add(wide.view(np.float32), weight, sums)
            add = loops.following
    loops.powers(sums.view(np.int64), powers)
    loops.rounded(sums, powers.view(np.float64), near)
    lost = loops.narrowed(near.view(np.uint32), stored)
    return None if lost else memoryview(bytes_of)
