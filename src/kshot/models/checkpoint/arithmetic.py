"""The arithmetic of a mix, block by block: read, multiply, add, round once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kshot.errors import ModelError
from kshot.models.checkpoint.layout import full_name
from kshot.models.checkpoint.parts import Blocks, Factors, MixPlan, TensorPlan
from kshot.models.checkpoint.reading import Room, read_values
from kshot.models.checkpoint.rounding import round_into, sum_dtype, torch_dtype
from kshot.models.safetensor_files import StoredTensor

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BLOCK_VALUES = 1 << 17  # of plain tensors: the buffers of a thread stay in the processor's cache
ROW_VALUES = 1 << 18  # of tensors with LoRA: a constant, since products of other row counts round otherwise
MEMBER_VALUES = 1 << 20  # of all members together, where an operation needs their blocks side by side


@dataclass(frozen=True, slots=True)
class Source:
    """One tensor that is being mixed: its plan, the weights of its members and the open files.

    Attributes:
        plan: The whole mix.
        tensor: Its plan.
        weights: (N,) of the members.
        files: Descriptors of the open input files; none while nothing is read yet.
    """

    plan: MixPlan
    tensor: TensorPlan
    weights: Sequence[float]
    files: Mapping[Path, int] = field(default_factory=dict)

    @property
    def columns(self) -> int:
        """Values in a row."""
        return math.prod(self.tensor.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """What a weighted sum is taken in: see ``sum_dtype``."""
        return sum_dtype(self._stored_dtypes(), self.tensor.dtype)

    @property
    def block_dtype(self) -> torch.dtype:
        """What operations see: double where a member holds doubles, else float32."""
        return sum_dtype(self._stored_dtypes(), "F32")

    def _stored_dtypes(self) -> list[str]:
        stored = [*self.tensor.stored]
        for factors in self.tensor.factors:
            stored += [factors.pair.a, factors.pair.b] if factors is not None else []
        return [tensor.dtype for tensor in stored if tensor is not None]

    def kept(self, member: int) -> StoredTensor:
        """Where a member has the tensor; for an adapter, where the base has it.

        Raises:
            ModelError: Neither has it; a checked plan never comes here.
        """
        stored = self.tensor.stored[member] or self.tensor.stored[self.plan.base]
        if stored is None:
            raise ModelError(f"{self.plan.members[member].name}: tensor {full_name(self.tensor)} is missing")
        return stored

    def coefficients(self) -> list[float]:
        """(N,) what each member's own stored tensor is multiplied with; adapters are counted with the base.

        sum of w_i (W + D_i) = (sum of w_i) W + sum of w_i D_i, so that the base is read once.

        Source: LM-Cocktail (arXiv 2311.13534), equation 4, with members W + D_i.
        """
        lora = [member.is_lora for member in self.plan.members]
        found = [0.0 if adapts else weight for weight, adapts in zip(self.weights, lora, strict=True)]
        adapters = [weight for weight, adapts in zip(self.weights, lora, strict=True) if adapts]
        found[self.plan.base] = math.fsum([found[self.plan.base], *adapters])
        return found


def block_of(source: Source, *, side_by_side: bool) -> int:
    """How many values are mixed at once: whole rows where an adapter takes part.

    Args:
        source: The tensor.
        side_by_side: Whether all members' blocks are in memory together.

    Example::

        block_of(source, side_by_side=False)  # 131072
    """
    shared = MEMBER_VALUES // len(source.weights) if side_by_side else MEMBER_VALUES
    if any(factors is not None for factors in source.tensor.factors):
        columns = max(1, source.columns)
        return max(1, min(ROW_VALUES, shared) // columns) * columns
    return max(1, min(BLOCK_VALUES, shared))


def weighted(source: Source, at: int, count: int, room: Room) -> Tensor:
    """(count,) the weighted sum of the members' values from ``at``; the memory is the room's.

    Product and sum are rounded one after the other, in the order of the models, so that neither the blocks
    nor the width of the processor's vectors can change a bit. A member of weight 0 is not read.

    Example::

        weighted(source, 0, 1000, Room())
    """
    dtype = source.dtype
    whole: Tensor | None = None
    for member, coefficient in enumerate(source.coefficients()):
        if coefficient:
            part = room.take("part" if whole is not None else "whole", count, dtype)
            read_values(source.files, source.kept(member), at, part, room=room)
            whole = _added(whole, part, coefficient)
        factors, weight = source.tensor.factors[member], source.weights[member]
        if factors is not None and weight:
            part = room.take("part" if whole is not None else "whole", count, dtype)
            _product(source, factors, at, part, room=room)
            whole = _added(whole, part, weight * factors.scaling)
    return room.take("whole", count, dtype).zero_() if whole is None else whole


def members_blocks(source: Source, at: int, count: int, room: Room) -> Blocks:
    """N blocks (count,) of the members' values from ``at``; an adapter's is the base's plus its change.

    Every member is read, one of weight 0 too: an operation may need it.

    Example::

        members_blocks(source, 0, 1000, Room())
    """
    import torch

    dtype = source.block_dtype
    blocks: list[Tensor] = []
    for member, factors in enumerate(source.tensor.factors):
        block = torch.empty(count, dtype=dtype)
        read_values(source.files, source.kept(member), at, block, room=room)
        if factors is not None:
            part = room.take("part", count, dtype)
            _product(source, factors, at, part, room=room)
            block.add_(part.mul_(factors.scaling))
        blocks.append(block)
    return tuple(blocks)


def all_blocks(source: Source, room: Room) -> Iterator[Blocks]:
    """The members' blocks of a whole tensor in order, read once.

    Example::

        operation.survey(source.tensor, all_blocks(source, room))
    """
    total, block = math.prod(source.tensor.shape), block_of(source, side_by_side=True)
    for at in range(0, total, block):
        yield members_blocks(source, at, min(block, total - at), room)


def finished(source: Source, values: Tensor, at: int, room: Room) -> Tensor:
    """(count,) the values in the output's dtype, rounded once and seen to be finite.

    Raises:
        ModelError: One is NaN or infinite; the message names the model whose own value is, or the dtype
            that is too narrow.

    Example::

        finished(source, weighted(source, 0, 1000, room), 0, room)
    """
    import torch

    count, dtype = values.numel(), torch_dtype(source.tensor.dtype)
    scratch = room.take("scratch", count, torch.int64)
    out = round_into(values, room.take("out", count, dtype), scratch=scratch)
    # a sum is not finite where a term is not; only a sum that overflows needs the slow look
    if math.isfinite(out.sum(dtype=torch.promote_types(dtype, torch.float32))) or out.isfinite().all():
        return out
    raise ModelError(_blame(source, values, at, room))


def _added(whole: Tensor | None, part: Tensor, coefficient: float) -> Tensor:
    part.mul_(coefficient)
    return part if whole is None else whole.add_(part)


def _product(source: Source, factors: Factors, at: int, into: Tensor, *, room: Room) -> None:
    """Rows of B A, unscaled, for the values from ``at``; of its transpose where the base stores (in, out)."""
    import torch

    columns, first = source.columns, at // source.columns
    rows = into.numel() // columns
    if factors.turned:
        left = _factor(source, factors.pair.a, room, like=into, turned=True)[
            first : first + rows
        ]  # (rows, r)
        right = _factor(source, factors.pair.b, room, like=into, turned=True)  # (r, out)
    else:
        rank = factors.pair.a.shape[0]
        left = torch.empty(rows * rank, dtype=into.dtype)
        read_values(source.files, factors.pair.b, first * rank, left, room=room)
        left = left.view(rows, rank)
        right = _factor(source, factors.pair.a, room, like=into, turned=False)  # (r, in)
    torch.matmul(left, right, out=into.view(rows, columns))


def _factor(source: Source, stored: StoredTensor, room: Room, *, like: Tensor, turned: bool) -> Tensor:
    """A whole factor, kept for the next block of the same tensor."""
    import torch

    own = {factors.pair for factors in source.tensor.factors if factors is not None}
    for key in [key for key in room.factors if not any(key[0] in (pair.a, pair.b) for pair in own)]:
        del room.factors[key]  # of the tensor before
    kept = (stored, turned, like.dtype)
    if kept not in room.factors:
        values = torch.empty(math.prod(stored.shape), dtype=like.dtype)
        read_values(source.files, stored, 0, values, room=room)
        values = values.view(stored.shape)
        room.factors[kept] = values.T.contiguous() if turned else values
    return room.factors[kept]


def _blame(source: Source, values: Tensor, at: int, room: Room) -> str:
    """Whose value it is that is not finite."""
    import torch

    where = full_name(source.tensor)
    found = torch.empty(values.numel(), dtype=source.dtype)
    for number, member in enumerate(source.plan.members):
        stored = source.tensor.stored[number]
        if stored is not None and source.coefficients()[number]:
            read_values(source.files, stored, at, found, room=room)
            if not found.isfinite().all():
                return f"{member.name}: tensor {where} holds NaN or infinity; a mix would spread it"
        if (factors := source.tensor.factors[number]) is not None and source.weights[number]:
            _product(source, factors, at, found, room=room)
            if not found.isfinite().all():
                return f"{member.name}: its change of tensor {where} holds NaN or infinity"
    name = source.tensor.dtype
    wider = {"F16": "--dtype bfloat16 or float32", "BF16": "--dtype float32", "F32": "smaller weights"}
    return f"tensor {where}: a mixed value overflows {name}; use {wider.get(name, 'smaller weights')}"
