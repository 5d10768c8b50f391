"""One sign for each entry of several changes, and the mean of those that have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def elected_mean(deltas: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """(n,) the weighted mean over those deltas (n,) that have the sign of their weighted sum; of sum 0: 0.

    Entries that are 0 have no sign and do not count. Weights are at least 0. NaN in a delta gives NaN.

    Source: Yadav et al. (arXiv 2306.01708), algorithm 1, steps 2 and 3, with weights.

    Example::

        elected_mean([torch.tensor([3.0]), torch.tensor([-1.0]), torch.tensor([1.0])], [1, 1, 1])  # 2.0
    """
    import torch

    total = torch.zeros_like(deltas[0])
    for delta, weight in zip(deltas, weights, strict=True):
        if weight:
            total.add_(delta * weight)
    sign, total, share = total.sign(), torch.zeros_like(total), torch.zeros_like(total)
    for delta, weight in zip(deltas, weights, strict=True):
        if weight:
            agrees = (delta.sign() == sign).to(total.dtype).mul_(weight)
            total.add_(delta * agrees)  # NaN times 0 stays NaN
            share.add_(agrees)
    return total.div_(share.masked_fill_(share == 0, 1.0))
