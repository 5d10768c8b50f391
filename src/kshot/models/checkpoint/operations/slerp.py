"""Spherical interpolation between two models, tensor by tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, final

from kshot.errors import ModelError
from kshot.models.checkpoint.operations.linear import weighted_sum
from kshot.models.checkpoint.operations.weights import check_sum
from kshot.models.checkpoint.parts import Blocks, Survey, TensorPlan

if TYPE_CHECKING:
    from torch import Tensor

_PIECE = 1 << 14  # values in one partial sum: torch adds so few in one thread, so the order is fixed


@final
@dataclass(frozen=True, slots=True)
class Slerp:
    """sin((1-t) θ) / sin θ · M_1 + sin(t θ) / sin θ · M_2, θ the angle between both, t the second's weight.

    Each tensor is one vector with its own angle, found in float64. Where the cosine is further from 0 than
    ``parallel``, or a tensor is zero, the sum is (1-t) M_1 + t M_2: with the default the two agree there to
    1e-8 for parallel tensors, and opposite ones have no shortest arc.

    Attributes:
        parallel: The absolute cosine above which interpolation is linear; other programs use 0.9995.

    Source: Shoemake, "Animating rotation with quaternion curves" (1985); tensors keep their lengths here.

    Example::

        write_mix(plan, [0.7, 0.3], out, operation=Slerp())
    """

    parallel: float = 1 - 1e-8
    name: Literal["slerp"] = field(default="slerp", init=False)
    passes: Literal[2] = field(default=2, init=False)

    def check(self, weights: Sequence[float], *, base: int) -> None:
        """Refuse anything but two weights from 0 to 1 that sum to 1 within 1e-6.

        Raises:
            ModelError: Says what was found.
        """
        if len(weights) != 2:
            raise ModelError(f"slerp: there are {len(weights)} weights, expected two: it takes two models")
        check_sum(weights)
        if min(weights) < 0:
            raise ModelError(f"slerp: a weight is {min(weights):g}, expected 0 to 1")

    def survey(self, tensor: TensorPlan, blocks: Iterator[Blocks]) -> Survey:
        """``cosine`` of the angle between both tensors; 1 where either is zero."""
        first, second, product = (math.fsum(sums) for sums in zip(*_products(blocks), strict=True))
        lengths = math.sqrt(first) * math.sqrt(second)
        return {"cosine": max(-1.0, min(1.0, product / lengths)) if lengths else 1.0}

    def combine(
        self, blocks: Blocks, weights: Sequence[float], *, tensor: TensorPlan, at: int, survey: Survey
    ) -> Tensor:
        """(n,) the point on the arc."""
        return weighted_sum(blocks, self.factors(weights, survey["cosine"]))

    def factors(self, weights: Sequence[float], cosine: float) -> tuple[float, float]:
        """What the two tensors are multiplied by.

        >>> [round(factor, 6) for factor in Slerp().factors([0.5, 0.5], 0.0)]
        [0.707107, 0.707107]
        """
        if abs(cosine) > self.parallel:
            return weights[0], weights[1]
        angle = math.acos(cosine)
        return math.sin(weights[0] * angle) / math.sin(angle), math.sin(weights[1] * angle) / math.sin(angle)


def _products(blocks: Iterator[Blocks]) -> Iterator[tuple[float, float, float]]:
    """Sums of x², y² and x y over pieces of one size, however the values come in blocks."""
    yield 0.0, 0.0, 0.0  # of an empty tensor
    for x, y in _pieces(blocks):
        x, y = x.double(), y.double()
        yield float((x * x).sum()), float((y * y).sum()), float((x * y).sum())


def _pieces(blocks: Iterator[Blocks]) -> Iterator[Blocks]:
    import torch

    rest: Blocks | None = None
    for block in blocks:
        if rest is not None:
            block = tuple(torch.cat(parts) for parts in zip(rest, block, strict=True))
        whole = len(block[0]) // _PIECE * _PIECE
        for at in range(0, whole, _PIECE):
            yield tuple(part[at : at + _PIECE] for part in block)
        rest = tuple(part[whole:].clone() for part in block)  # the reader may use its buffers again
    if rest is not None and len(rest[0]):
        yield rest
