"""What a mixture's routers do over the shots, as plain values for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.pipeline.workbench import Workbench


def router_facts(bench: Workbench, shots: Sequence[Example], folder: Path, system: str) -> dict[str, Any]:
    """Loads by layer and expert over all shots, and the gates of the first, token by token."""
    from kshot.methods.moe import read_mixture
    from kshot.methods.moe.observe import router_loads, token_gates

    template = bench.template
    asked = [template.conversation(shot) for shot in shots]
    told = [template.target(shot) for shot in shots]
    loads = router_loads(bench.model, folder, asked, told).to_json()
    first = token_gates(bench.model, folder, asked[0], told[0]).to_json()
    return {
        "modules": loads["modules"],
        "experts": loads["experts"],
        "load": loads["load"],
        "chosen": loads["chosen"],
        "top_k": read_mixture(folder).settings.top_k,
        "system": system,
        "over": f"the {len(shots)} shots",
        "warnings": loads["collapsed"],
        "tokens": {
            "pieces": first["tokens"],
            "gates": first["gates"],
            "target_from": first["target_from"],
        },
    }
