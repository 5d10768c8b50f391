"""Task arithmetic: what members learned, added to the base in any amount."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, final

from kshot.models.checkpoint.operations.deltas import added_to_base, check_base, check_scale
from kshot.models.checkpoint.operations.weights import check_finite
from kshot.models.checkpoint.parts import Blocks, Survey, TensorPlan

if TYPE_CHECKING:
    from torch import Tensor


@final
@dataclass(frozen=True, slots=True)
class TaskArithmetic:
    """M_b + scale · sum of w_i (M_i - M_b); the weights are free: below 0 forgets, above 1 exaggerates.

    The base takes part with a delta of zero, so its own weight changes nothing.

    Attributes:
        scale: One factor for all deltas.
        base: Position of the base among the members.

    Source: Ilharco et al. (arXiv 2212.04089), section 2; their lambda is ``scale``.

    Example::

        write_mix(plan, [0, 0.6, -0.2], out, operation=TaskArithmetic())
    """

    scale: float = 1.0
    base: int = 0
    name: Literal["task_arithmetic"] = field(default="task_arithmetic", init=False)
    passes: Literal[1] = field(default=1, init=False)

    def check(self, weights: Sequence[float], *, base: int) -> None:
        """Refuse weights or a scale that are not finite, and another base than the plan's.

        Raises:
            ModelError: Says what was found.
        """
        check_finite(weights)
        check_scale(self.scale, operation=self.name)
        check_base(self.base, base, operation=self.name)

    def survey(self, tensor: TensorPlan, blocks: Iterator[Blocks]) -> Survey:
        """Nothing needs to be known beforehand."""
        return {}

    def combine(
        self, blocks: Blocks, weights: Sequence[float], *, tensor: TensorPlan, at: int, survey: Survey
    ) -> Tensor:
        """(n,) the base's block plus the weighted deltas."""
        scaled = [self.scale * weight for weight in weights]
        return added_to_base(blocks, scaled, base=self.base, change=lambda _, delta: delta)
