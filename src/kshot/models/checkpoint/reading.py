"""Values and bytes of stored tensors, read at their offsets into memory that a thread keeps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from kshot.errors import ModelError
from kshot.models.checkpoint.rounding import torch_dtype
from kshot.models.safetensor_files import StoredTensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@final
@dataclass(slots=True)
class Room:
    """The buffers of one thread, made once and used again, and the factors that it read last.

    Attributes:
        buffers: By use and dtype.
        factors: Of adapters.
        compiled: Those of the compiled loops, once they are needed.
    """

    buffers: dict[tuple[str, str], Tensor] = field(default_factory=dict)
    factors: dict[tuple[StoredTensor, bool, torch.dtype], Tensor] = field(default_factory=dict)
    compiled: Any = None

    def take(self, use: str, count: int, dtype: torch.dtype) -> Tensor:
        """(count,) values of any content; another call for the same use and dtype gives the same memory."""
        import torch

        key = (use, str(dtype))
        if key not in self.buffers or self.buffers[key].numel() < count:
            self.buffers[key] = torch.empty(count, dtype=dtype)
        return self.buffers[key][:count]


def read_values(
    files: Mapping[Path, int], stored: StoredTensor, at: int, into: Tensor, *, room: Room
) -> None:
    """Read ``into.numel()`` values from value ``at`` of a stored tensor into a tensor of any floating dtype.

    Raises:
        ModelError: The file ends too early: it changed since it was planned.

    Example::

        read_values(files, stored, 0, torch.empty(100), room=Room())
    """
    import torch

    dtype = torch_dtype(stored.dtype)
    size = into.numel() * dtype.itemsize
    same = into.dtype == dtype and into.is_contiguous()
    raw = into if same else room.take("raw", size, torch.uint8)
    read_bytes(files, stored, at * dtype.itemsize, memory_of(raw))
    if not same:
        into.copy_(raw.view(dtype))


def memory_of(values: Tensor) -> memoryview:
    """The bytes of a contiguous tensor, to read into or to write from.

    Example::

        memory_of(torch.zeros(4)).nbytes  # 16
    """
    import torch

    array: Any = values.view(torch.uint8).numpy()
    return memoryview(array)


def read_bytes(files: Mapping[Path, int], stored: StoredTensor, at: int, into: memoryview) -> None:
    """Fill ``into`` with a stored tensor's bytes from byte ``at``.

    Raises:
        ModelError: The file ends too early: it changed since it was planned.

    Example::

        read_bytes(files, stored, 0, memoryview(bytearray(16)))
    """
    done = 0
    while done < len(into):
        got = os.preadv(files[stored.path], [into[done:]], stored.start + at + done)
        if not got:
            raise ModelError(f"{stored.path}: became shorter while it was read; plan the mix again")
        done += got
