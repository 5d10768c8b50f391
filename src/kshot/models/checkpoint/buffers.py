"""Tensors that are never averaged: integers, positions and rotary frequencies come from the base."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kshot.models.checkpoint.names import is_buffer
from kshot.models.checkpoint.parts import Member
from kshot.models.safetensor_files import StoredTensor

_BLOCK = 1 << 20


def why_copied(name: str, base: StoredTensor) -> str | None:
    """Why a tensor is taken from the base; None where it is mixed.

    Example::

        why_copied("embeddings.position_ids", stored)  # 'integers'
    """
    if not base.is_float:
        return "booleans" if base.dtype == "BOOL" else "integers"
    return "a table that the model makes anew" if is_buffer(name, base.shape) else None


def differing(members: Sequence[Member], stored: Sequence[StoredTensor | None], base: int) -> list[str]:
    """Names of the members whose values of a copied tensor are others than the base's.

    Args:
        members: N members.
        stored: (N,) where each has the tensor; None where it has none of its own.
        base: Position of the base.

    Example::

        differing(plan.members, tensor.stored, plan.base)  # []
    """
    own = stored[base]
    return [
        member.name
        for at, (member, other) in enumerate(zip(members, stored, strict=True))
        if at != base and own is not None and other is not None and not _equal(own, other)
    ]


def _equal(one: StoredTensor, other: StoredTensor) -> bool:
    """Whether two tensors hold the same values; a bounded number is in memory at a time."""
    if one.shape != other.shape:
        return False
    if one.dtype == other.dtype:
        spots = range(0, one.end - one.start, _BLOCK)
        return all(_bytes(one, at) == _bytes(other, at) for at in spots)
    if one.is_float and other.is_float:
        pairs = zip(one.blocks(), other.blocks(), strict=True)
        return all(np.array_equal(left, right, equal_nan=True) for left, right in pairs)
    return False


def _bytes(stored: StoredTensor, at: int) -> bytes:
    with stored.path.open("rb") as file:
        file.seek(stored.start + at)
        return file.read(min(_BLOCK, stored.end - stored.start - at))
