"""The experts of a layer as two matrices, and the two ways of multiplying with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

# where skipping experts was measured to be faster on a CPU; see benchmarks/mixture
_FEWEST_TOKENS = 64
_CHOICE_COST = 50  # moving a token's row to an expert and back costs about as much as so many ranks,
_EXPERT_COST = 5  # and a product of its own for each expert as so many


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """Stacked factors, and what they were stacked from."""

    sources: tuple[Tensor, ...]  # aliases: while they live, no other tensor gets their memory
    versions: tuple[int, ...]
    a: Tensor
    b: Tensor

    @classmethod
    def of(cls, tensors: Sequence[Tensor], a: Tensor, b: Tensor) -> _Kept:
        return cls(tuple(t.detach() for t in tensors), tuple(t._version for t in tensors), a, b)

    def is_of(self, tensors: Sequence[Tensor]) -> bool:
        return all(
            not now.is_inference() and now.data_ptr() == then.data_ptr() and now._version == version
            for now, then, version in zip(tensors, self.sources, self.versions, strict=True)
        )


@final
class Stack:
    """All A above one another and all B beside one another; kept while nothing learns or changes.

    Args:
        ranks: (P,) of the experts.
    """

    def __init__(self, ranks: tuple[int, ...]) -> None:
        self.ranks = ranks
        self._kept: _Kept | None = None
        self._owner: dict[torch.device, Tensor] = {}

    def of(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """(R, in) and (out, R), with gradients where the factors have them.

        A factor that is replaced, moved or written to is seen at the next call. One write leaves no trace in
        torch, that through ``.data``: after it, ``forget`` or switch the model to training or evaluation.
        """
        if len(a) == 1:
            return a[0], b[0]
        tensors = (*a, *b)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            self._kept = None
            return torch.cat(tuple(a)), torch.cat(tuple(b), dim=1)
        if self._kept is None or not self._kept.is_of(tensors):
            whole = torch.cat(tuple(a)).detach(), torch.cat(tuple(b), dim=1).detach()
            if torch.compiler.is_compiling() or any(t.is_inference() for t in (*tensors, *whole)):
                return whole  # writes to such tensors are not counted
            self._kept = _Kept.of(tensors, *whole)
        return self._kept.a, self._kept.b

    def forget(self) -> None:
        """Drop what is kept."""
        self._kept = None

    def owner(self, device: torch.device) -> Tensor:
        """(R,) the place of the expert that each stacked rank belongs to."""
        if device not in self._owner:
            owner = [at for at, rank in enumerate(self.ranks) for _ in range(rank)]
            with torch.inference_mode(False):  # later calls may train
                self._owner[device] = torch.tensor(owner, device=device)
        return self._owner[device]


def stacked(flat: Tensor, gates: Tensor, a: Tensor, b: Tensor, *, owner: Tensor) -> Tensor:
    """(T, out) of all experts in two products, the gates between them; no loop, nothing read on the host.

    Args:
        flat: (T, in).
        gates: (T, P) or (P,), scalings multiplied in.
        a: (R, in).
        b: (out, R).
        owner: (R,) the expert of each rank.
    """
    hidden = functional.linear(flat, a)  # (T, R)
    columns = gates.to(hidden.dtype).index_select(-1, owner)  # (T, R) or (R,)
    return functional.linear(hidden * columns, b)


def sparse(flat: Tensor, gates: Tensor, a: Tensor, b: Tensor, *, ranks: Sequence[int]) -> Tensor:
    """(T, out) of each expert on its own tokens alone, tokens sorted by expert; reads the counts on the host.

    Args:
        flat: (T, in), at least one token.
        gates: (T, P), scalings multiplied in; zero is skipped.
        a: (R, in).
        b: (out, R).
        ranks: (P,).
    """
    mask = gates != 0  # true for NaN, which must reach the output
    counts = mask.sum(0).tolist()
    expert, token = mask.t().nonzero().unbind(1)
    rows = flat.index_select(0, token)
    gate = gates.to(rows.dtype)[token, expert].unsqueeze(1)
    experts = zip(
        rows.split_with_sizes(counts),
        gate.split_with_sizes(counts),
        a.split_with_sizes(ranks),
        b.split_with_sizes(ranks, dim=1),
        strict=True,
    )
    parts = [
        functional.linear(functional.linear(x, one) * g, other) for x, g, one, other in experts if len(x)
    ]
    if not parts:  # scalings of zero
        return flat.new_zeros(len(flat), len(b))
    moved = torch.cat(parts)
    return moved.new_zeros(len(flat), len(b)).index_add(0, token, moved)


def is_sparse_cheaper(flat: Tensor, ranks: Sequence[int], k: int) -> bool:
    """Whether skipping experts was measured to be faster for such sizes: on a CPU, for many of many tokens.

    The stacked way multiplies all ranks of all experts; the sparse way the chosen ones, and moves rows.
    On accelerators it would wait for the host, so it is never taken by itself.
    """
    if flat.device.type != "cpu" or len(flat) < _FEWEST_TOKENS:
        return False
    return sum(ranks) > _CHOICE_COST * k + _EXPERT_COST * len(ranks)
