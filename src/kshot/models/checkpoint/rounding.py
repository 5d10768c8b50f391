"""One rounding to nearest even from the dtype of the sum to the dtype of the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kshot.models.safetensor_files import TORCH_NAMES

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_NARROW = ("F16", "BF16")
_EXPONENT = 0x7FF0_0000_0000_0000  # of a double


def torch_dtype(name: str) -> torch.dtype:
    """The torch type of a floating dtype as a safetensors header spells it.

    Example::

        torch_dtype("BF16")  # torch.bfloat16
    """
    import torch

    found: torch.dtype = getattr(torch, TORCH_NAMES[name])
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
    return {name: key for key, name in TORCH_NAMES.items()}[str(dtype).removeprefix("torch.")]


def round_into(values: Tensor, out: Tensor, *, scratch: Tensor | None = None) -> Tensor:
    """Round ``values`` into ``out``, once, to nearest even; returns ``out``.

    From double to 16 bits torch rounds twice, by way of float32. Here a double x of exponent e is first
    rounded to the bits that the narrow dtype has: adding 1.5 · 2^(e + 52 - bits) and taking it away again
    leaves what fits above the last bit of that sum, rounded by the processor. Below the smallest normal
    number the exponent counts as that number's. After this torch has nothing left to round.

    Args:
        values: (n,); doubles are overwritten where the result has 16 bits.
        out: (n,).
        scratch: (n,) int64 of any content, where memory is to be used again.

    Example::

        round_into(torch.tensor([1.0]), torch.empty(1, dtype=torch.bfloat16))
    """
    import torch

    if values.dtype != torch.float64 or out.dtype.itemsize > 2:
        return out.copy_(values)
    facts = torch.finfo(out.dtype)
    factor = 1.5 * 2.0**52 * facts.eps  # eps is 2^-bits
    powers = torch.empty_like(values, dtype=torch.int64) if scratch is None else scratch
    torch.bitwise_and(values.view(torch.int64), _EXPONENT, out=powers)
    lift = powers.view(torch.float64).mul_(factor).clamp_(min=facts.smallest_normal * factor)
    return out.copy_(values.add_(lift).sub_(lift))
