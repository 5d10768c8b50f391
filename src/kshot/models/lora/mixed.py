"""Several LoRA adapters mixed into one: exactly, or cut to a rank with the kept energy told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from kshot.errors import AdapterError
from kshot.models.lora.adapter import LoraAdapter, concatenated
from kshot.models.lora.delta import Doubles, LoraDelta

_ROUNDING = 1e-12  # of the squared norm


@final
@dataclass(frozen=True, slots=True)
class MixedLora:
    """An adapter made from others.

    Attributes:
        adapter: The sum, or its best approximation of a rank.
        kept_energy: Share of the squared Frobenius norm of the sum that is left, over all modules.
        exact: Whether nothing but rounding was lost.
    """

    adapter: LoraAdapter
    kept_energy: float
    exact: bool


def mixed_lora(
    adapters: Sequence[LoraAdapter], weights: Sequence[float], *, rank: int | None = None
) -> MixedLora:
    """Σ w_i s_i B_i A_i as one adapter; ranks, modules and scalings of the adapters may differ.

    Weights need not sum to 1: the base, whose delta is zero, has the rest. An adapter of weight 0 plays no
    part.

    Args:
        adapters: At least one, for one base model.
        weights: As many finite numbers.
        rank: Cut every module to it by singular values: the best approximation there is. None keeps the sum
            of the ranks, which is exact.

    Raises:
        AdapterError: Weights are missing or no finite numbers, an adapter or the sum holds NaN or infinity,
            shapes differ, or the rank is no rank.

    Source: LM-Cocktail (arXiv 2311.13534) in delta space; ``cat`` of arXiv 2410.13025. PEFT's ``linear`` adds
    A and B apart with square roots of the weights, which brings in products B_i A_j of unlike adapters.

    >>> one = LoraAdapter("one", {"q": LoraDelta(np.array([[1.0, 0]]), np.array([[1.0], [0]]), 1.0)})
    >>> two = LoraAdapter("two", {"q": LoraDelta(np.array([[0, 1.0]]), np.array([[0], [1.0]]), 1.0)})
    >>> mixed_lora([one, two], [0.5, 0.5]).adapter.delta("q").tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    >>> round(mixed_lora([one, two], [0.75, 0.25], rank=1).kept_energy, 12)
    0.9
    """
    pairs = list(zip(adapters, weights, strict=False)) if len(adapters) == len(weights) else []
    used = [pair for pair in pairs if pair[1]] or pairs
    for adapter, _ in used:
        if bad := adapter.non_finite():
            raise AdapterError(
                f"{adapter.name}: {bad[0]} holds NaN or infinity ({len(bad)} such tensors); "
                "train it again or leave it out"
            )
    if used:
        adapters, weights = [pair[0] for pair in used], [pair[1] for pair in used]
    with np.errstate(over="ignore"):  # told below, by name
        whole = concatenated(adapters, weights, name="mix")
    if bad := whole.non_finite():
        raise AdapterError(
            f"the mix of {', '.join(adapter.name for adapter in adapters)}: {bad[0]} overflows its dtype "
            f"({len(bad)} such tensors); look at the weights and at lora_alpha"
        )
    return MixedLora(whole, 1.0, True) if rank is None else with_rank(whole, rank)


def with_rank(adapter: LoraAdapter, rank: int) -> MixedLora:
    """An adapter cut to a rank, module by module; modules of that rank or less stay as they are.

    Raises:
        AdapterError: The rank is no whole number from 1.

    Example::

        small = with_rank(LoraAdapter.load("bank/smith-lora"), 4)
        print(f"{small.kept_energy:.1%} of the squared norm are left")
    """
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise AdapterError(f"the rank is {rank!r}, expected a whole number from 1")
    parts = {module: truncated(delta, rank) for module, delta in adapter.modules.items()}
    whole = sum(each[2] for each in parts.values())
    kept = sum(each[1] for each in parts.values()) / whole if whole else 1.0
    small = replace(adapter, modules={m: each[0] for m, each in parts.items()}, file_sha256=None)
    return MixedLora(small, kept, kept > 1 - _ROUNDING)


def truncated(delta: LoraDelta, rank: int) -> tuple[LoraDelta, float, float]:
    """The best LoRA of a rank, and the squared norms that are kept and that there were.

    QR of both factors leaves a small core whose singular values are those of s B A; the (out, in) product is
    never formed. A delta of that rank or less stays as it is.

    >>> delta = LoraDelta(np.eye(2), np.diag([3.0, 1.0]), 1.0)
    >>> small, kept, whole = truncated(delta, 1)
    >>> np.allclose(small.dense(), np.diag([3.0, 0.0])), round(kept / whole, 12)
    (True, 0.9)
    """
    left, core_left = np.linalg.qr(delta.b.astype(np.float64))  # (out, m), (m, r)
    right, core_right = np.linalg.qr(delta.a.astype(np.float64).T)  # (in, n), (n, r)
    u, values, v = np.linalg.svd(delta.scaling * core_left @ core_right.T, full_matrices=False)
    whole = float(np.square(values).sum())
    if rank >= delta.rank:
        return delta, whole, whole
    root = np.sqrt(values[:rank])
    b: Doubles = left @ (u[:, :rank] * root)
    a: Doubles = (root[:, None] * v[:rank]) @ right.T
    small = LoraDelta(a.astype(delta.a.dtype), b.astype(delta.b.dtype), 1.0)
    return small, float(np.square(values[:rank]).sum()), whole
