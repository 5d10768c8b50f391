"""What every operation asks of the weights that it is given."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kshot.errors import ModelError

SUM_TOLERANCE = 1e-6


def check_finite(weights: Sequence[float]) -> None:
    """Refuse weights that are no numbers.

    Raises:
        ModelError: There is none, or one is NaN or infinite.

    >>> check_finite([0.5, -0.5])
    """
    if not weights:
        raise ModelError("there are no weights; give one for each model")
    for at, weight in enumerate(weights):
        if not math.isfinite(weight):
            raise ModelError(f"weight {at + 1} of {len(weights)} is {weight}, expected a finite number")


def check_sum(weights: Sequence[float]) -> None:
    """Refuse finite weights that do not add up to 1 within 1e-6; nothing is divided by the sum in silence.

    Raises:
        ModelError: Says which sum was found.

    >>> check_sum([0.5, 0.3, 0.2])
    """
    check_finite(weights)
    total = math.fsum(weights)
    if abs(total - 1) > SUM_TOLERANCE:
        raise ModelError(
            f"the weights {_listed(weights)} sum to {total:.9g}, expected 1 within {SUM_TOLERANCE:g}; "
            "divide them by their sum if their ratios are what you mean"
        )


def check_positive(weights: Sequence[float], *, operation: str) -> None:
    """Refuse weights below zero, and weights that are all zero.

    Raises:
        ModelError: Says which weight of which operation.

    >>> check_positive([0.0, 2.0], operation="ties")
    """
    check_finite(weights)
    if min(weights) < 0:
        raise ModelError(f"{operation}: weights {_listed(weights)}: {min(weights):g} is below 0")
    if max(weights) == 0:
        raise ModelError(f"{operation}: weights {_listed(weights)}: all are 0, expected one above it")


def _listed(weights: Sequence[float]) -> str:
    shown = ", ".join(f"{weight:g}" for weight in weights[:8])
    return f"({shown}{', ...' if len(weights) > 8 else ''})"
