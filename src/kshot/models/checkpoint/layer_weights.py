"""Weights of a mix by tensor: one row for all, or other rows for the tensors whose names match a pattern."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from kshot.errors import ModelError
from kshot.models.checkpoint.layout import full_name
from kshot.models.checkpoint.parts import LayerWeights, MixPlan, Operation

_SHOWN = 3


def weights_by_tensor(
    plan: MixPlan, weights: Sequence[float], *, operation: Operation, layer_weights: LayerWeights = ()
) -> tuple[tuple[float, ...], ...]:
    """(T, N) the weights of each tensor of a plan, every row checked by the operation.

    Args:
        plan: T tensors of N members.
        weights: (N,) for tensors that no pattern matches.
        operation: Says which weights make sense.
        layer_weights: (pattern, (N,) weights) pairs; patterns are shell-like (``*``, ``?``, ``[ab]``), match
            whole names with upper and lower case, and the first that matches counts.

    Raises:
        ModelError: A row has not N weights or makes no sense, or a pattern matches no tensor.

    Example::

        weights_by_tensor(plan, [0.5, 0.5], operation=LINEAR, layer_weights=[("*.layers.0.*", [1.0, 0.0])])
    """
    rows = [("", _row(weights, plan, operation, "the weights"))]
    names = [full_name(tensor) for tensor in plan.tensors]
    for pattern, row in layer_weights:
        if not any(fnmatchcase(name, pattern) for name in names):
            shown = ", ".join(names[:: max(1, len(names) // _SHOWN)][:_SHOWN])
            raise ModelError(f"layer weights: {pattern!r} matches no tensor; names look like {shown}")
        rows.append((pattern, _row(row, plan, operation, f"layer weights {pattern!r}")))
    first, *others = rows
    return tuple(
        next((row for pattern, row in others if fnmatchcase(name, pattern)), first[1]) for name in names
    )


def _row(weights: Sequence[float], plan: MixPlan, operation: Operation, what: str) -> tuple[float, ...]:
    row = tuple(float(weight) for weight in weights)
    if len(row) != len(plan.members):
        raise ModelError(f"{what}: {len(row)} for {len(plan.members)} models; give one for each")
    try:
        operation.check(row, base=plan.base)
    except ModelError as error:
        raise ModelError(f"{what}: {error}") from None
    return row
