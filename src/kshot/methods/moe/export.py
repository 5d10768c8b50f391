"""A mixture as one plain LoRA that loads everywhere: exactly, by mean gates, or cut to a rank."""

from __future__ import annotations

import dataclasses
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
        plain, kept = _cut(plain, rank)
        exact = exact and kept > 1 - _ROUNDING
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


def truncated(delta: LoraDelta, rank: int) -> tuple[LoraDelta, float, float]:
    """The best LoRA of a rank, and the squared norms that are kept and that there were.

    QR of both factors leaves a small core whose singular values are those of s B A; the (out, in) product is
    never formed. A delta of that rank or less stays as it is.

    >>> delta = LoraDelta(np.eye(2), np.diag([3.0, 1.0]), 1.0)
    >>> small, kept, whole = truncated(delta, 1)
    >>> np.allclose(small.dense(), np.diag([3.0, 0.0])), round(kept / whole, 12)
    (True, 0.9)
    """
    left, core_left = np.linalg.qr(delta.b.astype(np.float64))  # (out, m), (m, r)
    right, core_right = np.linalg.qr(delta.a.astype(np.float64).T)  # (in, n), (n, r)
    u, values, v = np.linalg.svd(delta.scaling * core_left @ core_right.T, full_matrices=False)
    whole = float(np.square(values).sum())
    if rank >= delta.rank:
        return delta, whole, whole
    root = np.sqrt(values[:rank])
    b: Doubles = left @ (u[:, :rank] * root)
    a: Doubles = (root[:, None] * v[:rank]) @ right.T
    small = LoraDelta(a.astype(delta.a.dtype), b.astype(delta.b.dtype), 1.0)
    return small, float(np.square(values[:rank]).sum()), whole


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


def _cut(plain: LoraAdapter, rank: int) -> tuple[LoraAdapter, float]:
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise AdapterError(f"the rank of the export is {rank!r}, expected a whole number from 1")
    parts = {module: truncated(delta, rank) for module, delta in plain.modules.items()}
    whole = sum(each[2] for each in parts.values())
    kept = sum(each[1] for each in parts.values()) / whole if whole else 1.0
    return dataclasses.replace(plain, modules={m: each[0] for m, each in parts.items()}), kept


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
