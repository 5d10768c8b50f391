"""A mixture of LoRA experts: one layer, its life inside PEFT, its folder, its exports (arXiv 2408.15915).

``LoraPair`` and ``LoraMoELinear`` bring torch with them, so they are loaded when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kshot.methods.moe.build import build_mixture, fresh_experts
from kshot.methods.moe.export import Export, export_lora
from kshot.methods.moe.read import Mixture, read_mixture
from kshot.methods.moe.settings import MixtureSettings

if TYPE_CHECKING:
    from kshot.methods.moe.layer import LoraMoELinear, LoraPair

__all__ = [
    "Export",
    "LoraMoELinear",
    "LoraPair",
    "Mixture",
    "MixtureSettings",
    "build_mixture",
    "export_lora",
    "fresh_experts",
    "read_mixture",
]


def __getattr__(name: str) -> Any:
    if name in ("LoraMoELinear", "LoraPair"):
        from kshot.methods.moe import layer

        return getattr(layer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
