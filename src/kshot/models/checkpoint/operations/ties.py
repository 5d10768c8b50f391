"""TIES: trim each change of the base to its largest entries, elect a sign, average those that have it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, final

from kshot.models.checkpoint.operations.deltas import check_base, check_density, check_scale
from kshot.models.checkpoint.operations.election import elected_mean
from kshot.models.checkpoint.operations.weights import check_finite, check_positive
from kshot.models.checkpoint.parts import Blocks, Survey, TensorPlan

if TYPE_CHECKING:
    from torch import Tensor

_DROPPED_BITS = 11  # of a float32's 31 bits of magnitude; the other 20 count: 8 exponent, 12 fraction
_BUCKETS = 1 << (31 - _DROPPED_BITS)


@final
@dataclass(frozen=True, slots=True)
class Ties:
    """M_b + scale · the mean of the trimmed deltas that agree with the elected sign, entry by entry.

    1. Of each delta M_i - M_b, tensor by tensor, the ``density`` n entries of largest magnitude stay (rounded
       down, at least one), the others become 0. Magnitudes are compared by their float32 exponent and the 12
       first bits of the fraction; all entries that equal the last one stay. So entries within 1/4096 of the
       threshold may stay in addition, and the result depends on no order.
    2. The sign of an entry is that of the weighted sum of the trimmed deltas; a sum of 0 leaves the base.
    3. The weighted mean goes over those members whose trimmed delta has that sign.

    The base takes part with a delta of zero, so its own weight changes nothing. Weights are relative.

    Attributes:
        density: Share of entries that stay; the paper's k.
        scale: Factor of the mean; the paper's lambda.
        base: Position of the base among the members.

    Source: Yadav et al. (arXiv 2306.01708), algorithm 1. There the threshold goes over all tensors together,
    and members have no weights.

    Example::

        write_mix(plan, [0, 1, 1], out, operation=Ties(density=0.2))
    """

    density: float = 0.2
    scale: float = 1.0
    base: int = 0
    name: Literal["ties"] = field(default="ties", init=False)
    passes: Literal[2] = field(default=2, init=False)

    def check(self, weights: Sequence[float], *, base: int) -> None:
        """Refuse weights below 0, a density outside (0, 1], and another base than the plan's.

        Raises:
            ModelError: Says what was found.
        """
        others = [weight for at, weight in enumerate(weights) if at != base]
        check_positive(others, operation=self.name)
        check_finite(weights)
        check_scale(self.scale, operation=self.name)
        check_density(self.density, operation=self.name)
        check_base(self.base, base, operation=self.name)

    def survey(self, tensor: TensorPlan, blocks: Iterator[Blocks]) -> Survey:
        """``least``: for each member, what the leading bits of a magnitude must reach to stay."""
        import torch

        size = math.prod(tensor.shape)
        kind = torch.int32 if size < 1 << 31 else torch.int64
        others = [at for at in range(len(tensor.stored)) if at != self.base]
        counts = {at: torch.zeros(_BUCKETS, dtype=kind) for at in others}
        for block in blocks:
            ones = torch.ones(len(block[0]), dtype=kind)
            for at in others:
                counts[at].index_add_(0, _leading_bits(block[at] - block[self.base]), ones)
        keep = max(1, int(self.density * size))
        return {
            "least": tuple(
                _least(counts[at], keep) if at in counts else 0 for at in range(len(tensor.stored))
            )
        }

    def combine(
        self, blocks: Blocks, weights: Sequence[float], *, tensor: TensorPlan, at: int, survey: Survey
    ) -> Tensor:
        """(n,) the base's block plus the elected mean."""
        trimmed = []
        for least, block in zip(survey["least"], blocks, strict=True):
            delta = block - blocks[self.base]
            trimmed.append(delta.mul_(_leading_bits(delta) >= least))  # NaN times 0 stays NaN
        return elected_mean(trimmed, weights).mul_(self.scale).add_(blocks[self.base])


def _leading_bits(delta: Tensor) -> Tensor:
    """(n,) whole numbers from 0 that grow with the magnitude."""
    import torch

    return (delta.float().view(torch.int32) & 0x7FFFFFFF) >> _DROPPED_BITS


def _least(count: Tensor, keep: int) -> int:
    """The highest bucket such that at least ``keep`` values lie in it or above; 0 where there are fewer."""
    rows = count.view(1 << 10, -1)
    row, above = _highest(rows.sum(1), keep)
    place, _ = _highest(rows[row], keep - above)
    return row * rows.shape[1] + place


def _highest(count: Tensor, keep: int) -> tuple[int, int]:
    """The highest position with ``keep`` values in it or above (0 if there are fewer); how many are above."""
    above = count.flip(0).cumsum(0)
    at = min(int((above < keep).sum()), len(count) - 1)
    return len(count) - 1 - at, int(above[at - 1]) if at else 0
