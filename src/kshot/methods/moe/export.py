"""A mixture as one plain LoRA that loads everywhere: exactly, by mean gates, or cut to a rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from kshot.errors import AdapterError, collected
from kshot.methods.moe.read import Mixture, read_mixture
from kshot.models.folders import new_folder
from kshot.models.lora import LoraAdapter, LoraDelta
from kshot.models.lora.delta import Doubles, summed
from kshot.models.lora.mixed import with_rank

_ROUNDING = 1e-12  # of the squared norm
MeanGates: TypeAlias = Mapping[str, ArrayLike]
_CARD = """---
base_model: {base}
library_name: peft
tags:
- lora
- kshot
---

# A plain LoRA made from a mixture of {count} experts by kshot {version}

It is {kind} Loads with `PeftModel.from_pretrained(base, folder)`. Experts: {experts}. The licence is for
whoever publishes it to state: those of the base model and of each expert apply.
"""


@final
@dataclass(frozen=True, slots=True)
class Export:
    """A plain LoRA made from a mixture.

    Attributes:
        folder: The PEFT folder.
        exact: Whether it gives what the mixture gives, up to rounding.
        kept_energy: Share of the squared Frobenius norm that is left after cutting the rank, of all modules.
    """

    folder: Path
    exact: bool
    kept_energy: float


def export_lora(
    folder: str | Path, out: str | Path, *, gates: MeanGates | None = None, rank: int | None = None
) -> Export:
    """One LoRA from a mixture: Σ g_e s_e B_e A_e, A stacked and the gates folded into B.

    Static gates give exactly what the mixture gives. A routed mixture has no such form: its mean gates stand
    in for the token's, and the result is labelled approximate.

    Args:
        folder: The mixture.
        out: The folder to write; absent or empty.
        gates: Module name to mean gates, (E,), of a routed mixture; see ``observe.router_loads``.
        rank: Cut every module to it by singular values; None keeps the sum of the experts' ranks.

    Raises:
        AdapterError: It is no mixture; gates are missing, not wanted, or do not fit; the rank is no rank.
        ModelError: ``out`` is not empty, or cannot be written.

    Example::

        export_lora("runs/mixture", "runs/plain", gates=loads.mean_gates())
    """
    mixture = read_mixture(folder)
    plain, exact = merged(mixture, gates=gates, name=Path(out).name)
    kept = 1.0
    if rank is not None:
        small = with_rank(plain, rank)
        plain, kept, exact = small.adapter, small.kept_energy, exact and small.exact
    with new_folder(Path(out)) as part:
        plain.save(part)
        (part / "README.md").write_text(_card(mixture, exact=exact, kept=kept), encoding="utf-8")
    return Export(Path(out), exact, kept)


def merged(
    mixture: Mixture, *, gates: MeanGates | None = None, name: str = "merged"
) -> tuple[LoraAdapter, bool]:
    """A mixture's sum of experts in memory, and whether it is exact; see ``export_lora``."""
    weights, exact = _weights(mixture, gates)
    modules: dict[str, LoraDelta] = {}
    for module, values in weights.items():
        here = [
            (a.modules[module], w)
            for a, w in zip(mixture.adapters, values, strict=True)
            if module in a.modules
        ]
        modules[module] = summed([delta for delta, _ in here], [float(weight) for _, weight in here])
    conv = any(adapter.fan_in_fan_out for adapter in mixture.adapters)
    return LoraAdapter(name, modules, mixture.base, conv), exact


def _weights(mixture: Mixture, gates: MeanGates | None) -> tuple[dict[str, Doubles], bool]:
    """(E,) weights of each module, and whether they are the mixture's own."""
    present = {
        module: np.array([module in adapter.modules for adapter in mixture.adapters])
        for module in mixture.routers
    }
    if mixture.settings.gates == "static" or all(here.sum() == 1 for here in present.values()):
        if gates is not None:
            raise AdapterError("mean gates were given, but this mixture's gates do not depend on the token")
        return {module: _own(mixture, module, here) for module, here in present.items()}, True
    if gates is None:
        raise AdapterError(
            "the gates of this mixture depend on the token, so it has no plain LoRA; give mean gates "
            "(observe.router_loads tells them) for an approximate one, or train static gates"
        )
    problems, found = [], {}
    for module, here in present.items():
        values = np.asarray(gates.get(module, np.nan), dtype=np.float64)
        if values.shape != here.shape or not np.isfinite(values).all():
            problems.append(f"{module}: mean gates are {values}, expected {len(here)} numbers")
        found[module] = np.where(here, values, 0.0) if values.shape == here.shape else values
    problems += [
        f"{name}: mean gates for a module that the mixture has not" for name in gates if name not in present
    ]
    if problems:
        raise AdapterError(collected(problems))
    return found, False


def _own(mixture: Mixture, module: str, here: np.ndarray) -> Doubles:
    """Static gates as they multiply; a lone expert has the weight 1."""
    if mixture.settings.gates == "token":
        return here.astype(np.float64)
    scalars = np.asarray(mixture.routers[module], dtype=np.float64)
    if not mixture.settings.normalise:
        return np.where(here, scalars, 0.0)
    shares = np.exp(scalars - scalars[here].max(), where=here, out=np.zeros_like(scalars))
    return np.asarray(shares / shares.sum())


def _card(mixture: Mixture, *, exact: bool, kept: float) -> str:
    kind = "exact: it gives what the mixture gives." if exact else "approximate."
    if kept < 1 - _ROUNDING:
        kind += f" Its rank was cut; {kept:.1%} of the squared norm are left."
    elif not exact:
        kind += " The router chose for each token; here every token gets the mean gates."
    return _CARD.format(
        base=mixture.base or "unknown",
        count=len(mixture.names),
        version=version("kshot"),
        kind=kind,
        experts=", ".join(mixture.names),
    )
