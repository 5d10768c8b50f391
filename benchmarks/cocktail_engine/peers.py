"""mergekit and LM_Cocktail, run as their users run them, by the Python of their own environment."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# with output_path where that works; else the model that the call returns is saved
_COCKTAIL = """
import json, sys
from LM_Cocktail import mix_models
names, kind, weights, out = json.loads(sys.argv[1])
mix_models(names, kind, weights, output_path=out)
"""
_COCKTAIL_RETURNED = _COCKTAIL.replace(
    "mix_models(names, kind, weights, output_path=out)",
    "mix_models(names, kind, weights).save_pretrained(out)",
)
_VERSIONS = """
from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("mergekit", "LM_Cocktail", "torch", "transformers")), sep=", ")
"""


@dataclass(frozen=True)
class Peers:
    """The Python of an environment that holds mergekit and LM_Cocktail."""

    python: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Of their processes: offline."""
        return {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "", **self.extra}

    def versions(self) -> str:
        """What is installed there."""
        command = [str(self.python), "-c", _VERSIONS]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def mergekit(self, config: Mapping[str, Any], out: Path) -> list[str]:
        """The command of a mergekit merge; its configuration is written beside ``out``."""
        path = out.with_suffix(".json")  # YAML reads JSON
        path.write_text(json.dumps(config), encoding="utf-8")
        program = "from mergekit.scripts.run_yaml import main; main()"
        return [str(self.python), "-c", program, str(path), str(out)]

    def lm_cocktail(
        self,
        folders: Sequence[Path],
        kind: str,
        weights: Sequence[float],
        out: Path,
        *,
        returned: bool = False,
    ) -> list[str]:
        """The command of an LM_Cocktail mix; ``returned`` saves the model that the call gives back."""
        arguments = json.dumps([[str(folder) for folder in folders], kind, list(weights), str(out)])
        return [str(self.python), "-c", _COCKTAIL_RETURNED if returned else _COCKTAIL, arguments]


def mergekit_linear(folders: Sequence[Path], weights: Sequence[float], *, dtype: str) -> dict[str, Any]:
    """Its ``linear``, computed in float32 and written in ``dtype``."""
    models = [
        {"model": str(folder), "parameters": {"weight": weight}}
        for folder, weight in zip(folders, weights, strict=True)
    ]
    kind = {
        "merge_method": "linear",
        "dtype": "float32",
        "out_dtype": dtype,
        "parameters": {"normalize": True},
    }
    return {"models": models, **kind}


def mergekit_deltas(
    method: str,
    folders: Sequence[Path],
    weights: Sequence[float],
    *,
    dtype: str,
    density: float | None = None,
) -> dict[str, Any]:
    """``task_arithmetic`` or ``ties`` on the first folder as base."""
    more = {} if density is None else {"density": density}
    models = [
        {"model": str(folder), "parameters": {"weight": weight, **more}}
        for folder, weight in zip(folders[1:], weights[1:], strict=True)
    ]
    kind = {"merge_method": method, "dtype": "float32", "out_dtype": dtype, "base_model": str(folders[0])}
    return {"models": models, **kind, "parameters": {"normalize": method == "ties"}}


def mergekit_slerp(folders: Sequence[Path], weights: Sequence[float], *, dtype: str) -> dict[str, Any]:
    """``slerp`` from the first folder to the second."""
    kind = {"merge_method": "slerp", "dtype": "float32", "out_dtype": dtype, "base_model": str(folders[0])}
    return {"models": [{"model": str(folders[1])}], **kind, "parameters": {"t": weights[1]}}


def why(run: subprocess.CompletedProcess[str]) -> str:
    """The last line of what a failed process said."""
    lines = [line.strip() for line in run.stderr.splitlines() if line.strip()]
    return lines[-1][:100] if lines else f"exit code {run.returncode}"
