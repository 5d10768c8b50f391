"""One rounding to nearest even from the dtype of the sum to the dtype of the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_NARROW = ("F16", "BF16")
_CUT = 45  # bits of a double's fraction that bfloat16 has not: 52 - 7
_LEAST_NORMAL = 0x80  # bits of the smallest bfloat16 number with all its bits
_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def torch_dtype(name: str) -> torch.dtype:
    """The torch type of a floating dtype as a safetensors header spells it.

    Example::

        torch_dtype("BF16")  # torch.bfloat16
    """
    import torch

    found: torch.dtype = getattr(torch, _NAMES[name])
    return found


def sum_dtype(stored: Iterable[str], out: str) -> torch.dtype:
    """What a sum is taken in: double where a term is double or the result has 16 bits, else float32.

    Sums of 16-bit numbers by weights such as 0.3 often lie half-way between two results; which is nearer is
    decided by what float32 has already lost.

    Args:
        stored: Dtypes of the terms, as headers spell them.
        out: Dtype of the result.

    Example::

        sum_dtype(["BF16", "BF16"], "BF16")  # torch.float64
    """
    return torch_dtype("F64" if out in _NARROW or "F64" in stored else "F32")


def dtype_name(dtype: torch.dtype) -> str:
    """How a safetensors header spells a floating torch type.

    Raises:
        KeyError: It is none of the four.

    Example::

        dtype_name(torch.bfloat16)  # "BF16"
    """
    return {name: key for key, name in _NAMES.items()}[str(dtype).removeprefix("torch.")]


def round_into(values: Tensor, out: Tensor, *, scratch: Tensor | None = None) -> Tensor:
    """Round ``values`` into ``out``, once, to nearest even; returns ``out``.

    From double to 16 bits torch rounds twice, by way of float32. Here a double is first cut to the eight
    bits that bfloat16 has, on its own bits, after which torch has nothing left to round; for float16, and
    for the smallest bfloat16 numbers, which have fewer bits, the float32 in between is rounded to odd.

    Args:
        values: (n,).
        out: (n,).
        scratch: (n,) int64 of any content, where memory is to be used again.

    Source: for rounding to odd, Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved
    algorithms using rounding to odd" (IEEE Transactions on Computers, 2008), theorem 1.

    Example::

        round_into(torch.tensor([1.0]), torch.empty(1, dtype=torch.bfloat16))
    """
    import torch

    if values.dtype != torch.float64 or out.dtype.itemsize > 2:
        return out.copy_(values)
    if out.dtype == torch.bfloat16:
        _round_bits(values, out, torch.empty_like(values, dtype=torch.int64) if scratch is None else scratch)
        size = out.view(torch.int16) & 0x7FFF
        if not ((size > 0) & (size <= _LEAST_NORMAL)).any():
            return out
    return _round_to_odd(values, out)


def _round_bits(values: Tensor, out: Tensor, scratch: Tensor) -> None:
    """Half a unit less one, and the last bit that stays, are added to the bits; the rest is cut off."""
    import torch

    bits = values.view(torch.int64)
    torch.bitwise_right_shift(bits, _CUT, out=scratch)
    scratch.bitwise_and_(1).add_((1 << (_CUT - 1)) - 1).add_(bits).bitwise_and_(-(1 << _CUT))
    out.copy_(scratch.view(torch.float64))


def _round_to_odd(values: Tensor, out: Tensor) -> Tensor:
    import torch

    near = values.to(torch.float32)
    back = near.to(torch.float64)
    bits = near.view(torch.int32)  # magnitude below the sign: one less is one step towards zero
    bits -= (back.abs() > values.abs()).to(torch.int32)
    bits |= (back != values).to(torch.int32)
    return out.copy_(near)
