"""The operations by name: one row each, and how a row is given its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import TypeAlias

from kshot.errors import ModelError
from kshot.models.checkpoint.operations.as_released import AsReleased
from kshot.models.checkpoint.operations.dare import Dare
from kshot.models.checkpoint.operations.linear import LINEAR, Linear
from kshot.models.checkpoint.operations.slerp import Slerp
from kshot.models.checkpoint.operations.task_arithmetic import TaskArithmetic
from kshot.models.checkpoint.operations.ties import Ties
from kshot.models.checkpoint.parts import Operation

Row: TypeAlias = Linear | Slerp | TaskArithmetic | Ties | Dare | AsReleased
_ROWS: tuple[Row, ...] = (LINEAR, TaskArithmetic(), Slerp(), Ties(), Dare(), AsReleased())
_BY_NAME: Mapping[str, Row] = MappingProxyType({row.name: row for row in _ROWS})
OPERATIONS: Mapping[str, Operation] = _BY_NAME


def operation_of(
    name: str,
    *,
    density: float | None = None,
    scale: float | None = None,
    seed: int = 0,
    base: int = 0,
) -> Operation:
    """A row of the table with options in place of its defaults.

    Args:
        name: A key of ``OPERATIONS``; hyphens count as underscores.
        density: Share of a delta's entries that stay: of ``ties`` and ``dare``.
        scale: Factor of the deltas: of ``task_arithmetic``, ``ties`` and ``dare``.
        seed: Of ``dare``; the others draw nothing.
        base: Position of the base, as the plan has it; ``linear`` and ``slerp`` know none.

    Raises:
        ModelError: There is no such operation, or it has no such option.

    >>> operation_of("ties", density=0.3).passes
    2
    """
    row = _BY_NAME.get(name.replace("-", "_"))
    if row is None:
        raise ModelError(f"there is no operation {name!r}; known are {', '.join(OPERATIONS)}")
    known = {field.name for field in fields(row) if field.init}
    asked = {key: value for key, value in (("density", density), ("scale", scale)) if value is not None}
    if alien := sorted(asked.keys() - known):
        holders = [row.name for row in _ROWS if alien[0] in {field.name for field in fields(row)}]
        raise ModelError(f"{row.name} has no {alien[0]}; it is an option of {', '.join(holders)}")
    options = asked | {key: value for key, value in (("seed", seed), ("base", base)) if key in known}
    return replace(row, **options)  # type: ignore[arg-type]
