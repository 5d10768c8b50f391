"""Router logits to gates: which experts a token uses and how much, and how evenly tokens are spread."""

from __future__ import annotations

import torch
from torch import Tensor

from kshot.methods.moe.settings import Balance

_FEW = 4  # measured on 4 to 32 experts


def top_k_mask(logits: Tensor, k: int) -> Tensor:
    """(T, E) whether each expert is among the k largest logits of its token; ties: the lower index.

    ``torch.topk`` promises no order among ties. For few k, ``argmax`` does, and k passes of it are cheaper;
    for many k, the k-th largest value, which ties leave alone, is filled up with the lowest indices. Nothing
    is read back to the host.

    >>> top_k_mask(torch.tensor([[1.0, 3.0, 3.0, 3.0]]), 2).tolist()
    [[False, True, True, False]]
    """
    if k <= _FEW:
        left = logits.clone()
        for _ in range(k):
            left.scatter_(-1, left.argmax(-1, keepdim=True), -torch.inf)
        return left != logits  # true for NaN, which must not be hidden
    last = logits.topk(k, dim=-1).values[..., -1:]  # (T, 1)
    above, level = ~(logits <= last), logits == last  # NaN is above: it must not be hidden
    room = k - above.sum(-1, keepdim=True)
    return above | (level & (level.cumsum(-1) <= room))


def at_least_float32(values: Tensor) -> Tensor:
    """Values of 16 bits in 32; others as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def token_gates(logits: Tensor, k: int, *, normalise: bool) -> tuple[Tensor, Tensor]:
    """(T, E) gates, zero off the k largest logits, and (T, E) which are chosen; at least in float32.

    Normalised gates are the softmax over the chosen logits, which equals the full softmax cut and
    renormalised; else they are the full softmax, cut.

    Source: arXiv 2408.15915v2, Eq. 9.

    >>> gates, _ = token_gates(torch.tensor([[0.0, 0.0, -9.0]]), 2, normalise=True)
    >>> gates.tolist()
    [[0.5, 0.5, 0.0]]
    """
    logits = at_least_float32(logits)
    if k >= logits.shape[-1]:
        return logits.softmax(-1), torch.ones_like(logits, dtype=torch.bool)
    mask = top_k_mask(logits.detach(), k)
    if normalise:
        return logits.masked_fill(~mask, -torch.inf).softmax(-1), mask
    return logits.softmax(-1).masked_fill(~mask, 0.0), mask


def balance_loss(logits: Tensor, mask: Tensor, kind: Balance, *, real: Tensor | None = None) -> Tensor:
    """How unevenly a layer spreads its tokens; least, 1 or E log E, where all experts get the same share.

    Args:
        logits: (T, E), noise included.
        mask: (T, E) chosen experts.
        kind: ``switch``: E Σ f P with f the share of choices and P the mean probability; ``mole``: -Σ log P.
        real: (T,) whether a token counts; padding does not. None: all do.

    Source: arXiv 2101.03961, Eq. 4; MoLE (ICLR 2024), gating balance loss.
    """
    probability = at_least_float32(logits).softmax(-1)  # (T, E)
    weight = torch.ones_like(probability[:, 0]) if real is None else real.to(probability.dtype)
    total = weight.sum().clamp(min=1.0)
    mean = weight @ probability / total  # (E,)
    if kind == "mole":
        return -mean.clamp(min=torch.finfo(mean.dtype).tiny).log().sum()
    chosen = weight @ mask.to(weight.dtype) / total
    return logits.shape[-1] * (chosen / chosen.sum().clamp(min=1e-9) * mean).sum()
