"""The weighted average of models: what a cocktail is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, final

from kshot.models.checkpoint.operations.weights import check_sum
from kshot.models.checkpoint.parts import Blocks, Survey, TensorPlan

if TYPE_CHECKING:
    from torch import Tensor


@final
@dataclass(frozen=True, slots=True)
class Linear:
    """sum of w_i M_i; the weights sum to 1 and may be negative.

    Products and sums are rounded one after the other, in the order of the models. A model of weight 0 is left
    out, whatever it holds.

    Source: LM-Cocktail (arXiv 2311.13534), equations 1, 3 and 4.

    Example::

        write_mix(plan, [0.7, 0.3], out, operation=Linear())
    """

    name: Literal["linear"] = field(default="linear", init=False)
    passes: Literal[1] = field(default=1, init=False)

    def check(self, weights: Sequence[float], *, base: int) -> None:
        """Refuse weights that are not finite or do not sum to 1 within 1e-6.

        Raises:
            ModelError: Says what was found.
        """
        check_sum(weights)

    def survey(self, tensor: TensorPlan, blocks: Iterator[Blocks]) -> Survey:
        """Nothing needs to be known beforehand."""
        return {}

    def combine(
        self, blocks: Blocks, weights: Sequence[float], *, tensor: TensorPlan, at: int, survey: Survey
    ) -> Tensor:
        """(n,) the weighted sum of N blocks (n,)."""
        return weighted_sum(blocks, weights)


def weighted_sum(blocks: Blocks, weights: Sequence[float]) -> Tensor:
    """(n,) sum of w_i times block i, product and sum rounded apart; the blocks stay as they are.

    Example::

        weighted_sum((torch.ones(3), torch.zeros(3)), [0.25, 0.75])  # tensor([0.2500, 0.2500, 0.2500])
    """
    whole: Tensor | None = None
    for block, weight in zip(blocks, weights, strict=True):
        if weight:
            part = block * weight
            whole = part if whole is None else whole.add_(part)
    return blocks[0] * 0.0 if whole is None else whole


LINEAR = Linear()
