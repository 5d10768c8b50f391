"""What members change of the base: the operations that add changes stand on it.

With the base at position b, delta_i = M_i - M_b. The base's own delta is zero, so its weight changes nothing,
whatever it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kshot.errors import ModelError
from kshot.models.checkpoint.parts import Blocks

if TYPE_CHECKING:
    from torch import Tensor


def added_to_base(
    blocks: Blocks, weights: Sequence[float], *, base: int, change: Callable[[int, Tensor], Tensor]
) -> Tensor:
    """(n,) M_b + sum of w_i change(i, delta_i), in the order of the models.

    ``change`` gets the position of a member and its delta (n,), which it may overwrite. Members of weight 0
    are left out.

    Example::

        added_to_base((base, tuned), [0.0, 0.5], base=0, change=lambda at, delta: delta)  # halfway
    """
    whole: Tensor | None = None
    for at, (block, weight) in enumerate(zip(blocks, weights, strict=True)):
        if at != base and weight:
            part = change(at, block - blocks[base]).mul_(weight)
            whole = part if whole is None else whole.add_(part)
    return blocks[base].clone() if whole is None else whole.add_(blocks[base])


def check_base(asked: int, base: int, *, operation: str) -> None:
    """Refuse an operation that takes another member for the base than the plan does.

    Raises:
        ModelError: Gives both positions.

    >>> check_base(0, 0, operation="ties")
    """
    if asked != base:
        raise ModelError(
            f"{operation}: was made for the base at position {asked}, but the plan's base stands at "
            f"{base}; give operation_of(..., base={base})"
        )


def check_density(density: float, *, operation: str) -> None:
    """Refuse a share of entries to keep that is not above 0 and at most 1.

    Raises:
        ModelError: Gives the density.

    >>> check_density(0.2, operation="ties")
    """
    if not 0 < density <= 1:
        raise ModelError(
            f"{operation}: the density is {density}, expected a share of entries to keep: above 0, at most 1"
        )


def check_scale(scale: float, *, operation: str) -> None:
    """Refuse a factor of the deltas that is no finite number.

    Raises:
        ModelError: Gives the scale.

    >>> check_scale(1.0, operation="ties")
    """
    if not math.isfinite(scale):
        raise ModelError(f"{operation}: the scale is {scale}, expected a finite number")
