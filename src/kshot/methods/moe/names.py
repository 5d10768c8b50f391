"""How a mixture is spelled in a PEFT folder: tensor names, and what stands in the configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kshot.errors import AdapterError

PEFT_TYPE = "KSHOT_MOE"
_MOST_RANK = 1 << 16  # of an expert; more is a damaged configuration
PREFIX = "kshot_moe_"  # no ``lora_`` in it: state filters match on that
ROUTER = f"{PREFIX}router"


def factor(kind: str, expert: int) -> str:
    """The parameter that holds A or B of an expert.

    >>> factor("A", 2)
    'kshot_moe_A_2'
    """
    return f"{PREFIX}{kind}_{expert}"


@dataclass(frozen=True, slots=True)
class ModuleShape:
    """A mixture on one linear module.

    Attributes:
        inputs: Of the base layer.
        outputs: Of the base layer.
        ranks: (E,) of each expert; 0 where it has nothing on this module.
        scalings: (E,) of each expert.
    """

    inputs: int
    outputs: int
    ranks: tuple[int, ...]
    scalings: tuple[float, ...]

    @property
    def present(self) -> tuple[int, ...]:
        """The experts that have weights here."""
        return tuple(at for at, rank in enumerate(self.ranks) if rank)

    def to_json(self) -> dict[str, Any]:
        """As it stands in ``adapter_config.json``."""
        return {
            "in": self.inputs, "out": self.outputs, "ranks": list(self.ranks), "scalings": list(self.scalings)
        }  # fmt: skip

    def tensors(self, *, static: bool) -> dict[str, tuple[int, ...]]:
        """Parameter names on this module and their shapes."""
        router = (len(self.ranks),) if static else (len(self.ranks), self.inputs)
        found: dict[str, tuple[int, ...]] = {ROUTER: router}
        for at in self.present:
            found[factor("A", at)] = (self.ranks[at], self.inputs)
            found[factor("B", at)] = (self.outputs, self.ranks[at])
        return found


def module_shape(name: str, raw: Any, *, experts: int) -> ModuleShape:
    """What the configuration says of one module, checked.

    Raises:
        AdapterError: A field is missing, has another type, or not one entry an expert.
    """
    try:
        inputs, outputs, ranks, scalings = raw["in"], raw["out"], raw["ranks"], raw["scalings"]
        counts = [inputs, outputs, *ranks]
        numbers = [float(value) for value in scalings]
    except (TypeError, KeyError, ValueError) as error:
        raise AdapterError(
            f"{name}: the configuration holds {raw!r}, expected in, out, ranks, scalings"
        ) from error
    if any(type(count) is not int or count < 0 for count in counts) or not inputs or not outputs:
        raise AdapterError(f"{name}: in, out and ranks are {counts}, expected whole numbers")
    if any(rank > _MOST_RANK for rank in ranks):
        raise AdapterError(f"{name}: a rank is {max(ranks)}, expected at most {_MOST_RANK:,}")
    if len(ranks) != experts or len(numbers) != experts or not any(ranks):
        raise AdapterError(
            f"{name}: {len(ranks)} ranks and {len(numbers)} scalings, expected one for each of {experts} "
            "experts, at least one rank above 0"
        )
    if not all(map(math.isfinite, numbers)):
        raise AdapterError(f"{name}: scalings are {numbers}, expected finite numbers")
    return ModuleShape(inputs, outputs, tuple(ranks), tuple(numbers))


def module_shapes(raw: Mapping[str, Any], *, names: Sequence[str]) -> dict[str, ModuleShape]:
    """All modules of a configuration, by name.

    Raises:
        AdapterError: See ``module_shape``.
    """
    return {module: module_shape(module, raw[module], experts=len(names)) for module in sorted(raw)}
