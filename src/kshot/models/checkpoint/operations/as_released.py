"""The weighted average as LM-Cocktail's released code rounds it: for comparison with models that it made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, final

from kshot.models.checkpoint.operations.weights import check_sum
from kshot.models.checkpoint.parts import Blocks, Survey, TensorPlan
from kshot.models.checkpoint.rounding import torch_dtype

if TYPE_CHECKING:
    from torch import Tensor


@final
@dataclass(frozen=True, slots=True)
class AsReleased:
    """sum of w_i M_i, every product and every sum rounded to the dtype of the file.

    In bfloat16 about a third of all values come out otherwise than the sum rounded once. Use ``linear``.

    Source: LM-Cocktail (arXiv 2311.13534), what its released package does to models in 16 bits.

    Example::

        write_mix(plan, [0.7, 0.3], out, operation=AsReleased())
    """

    name: Literal["as_released"] = field(default="as_released", init=False)
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
        """(n,) the weighted sum of N blocks (n,), with the values that the narrow dtype has."""
        dtype = torch_dtype(tensor.dtype)
        whole = blocks[0].to(dtype) * weights[0]
        for block, weight in zip(blocks[1:], weights[1:], strict=True):
            whole += block.to(dtype) * weight
        return whole.to(blocks[0].dtype)
