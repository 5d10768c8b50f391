"""One rounding to nearest even from the dtype of the sum to the dtype of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def torch_dtype(name: str) -> torch.dtype:
    """The torch type of a floating dtype as a safetensors header spells it.

    Example::

        torch_dtype("BF16")  # torch.bfloat16
    """
    import torch

    found: torch.dtype = getattr(torch, _NAMES[name])
    return found


def round_into(values: Tensor, out: Tensor) -> Tensor:
    """Round ``values`` into ``out``, once, to nearest even; returns ``out``.

    From double to 16 bits torch rounds twice, by way of float32. Here the float32 in between is rounded to
    odd, after which a second rounding gives what one alone would have given.

    Source: Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using
    rounding to odd" (IEEE Transactions on Computers, 2008), theorem 1.

    Example::

        round_into(torch.tensor([1.0]), torch.empty(1, dtype=torch.bfloat16))
    """
    import torch

    if values.dtype != torch.float64 or out.dtype.itemsize > 2:
        return out.copy_(values)
    near = values.to(torch.float32)
    back = near.to(torch.float64)
    bits = near.view(torch.int32)  # magnitude below the sign: one less is one step towards zero
    bits -= (back.abs() > values.abs()).to(torch.int32)
    bits |= (back != values).to(torch.int32)
    return out.copy_(near)
