"""Where a result comes from: versions, hashes, seeds, device, time."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

from kshot.data.task import Task
from kshot.pipeline.workbench import Workbench
from kshot.runs import code_hash, file_hash

PACKAGES = (
    "kshot",
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "numpy",
    "scikit-learn",
    "sentence-transformers",
)


def manifest(task: Task, bench: Workbench) -> dict[str, Any]:
    """Everything needed to know what was computed, and to compute it again. Holds no secret."""
    settings = task.settings
    files = {"examples": settings.examples.path} | ({"test": settings.test.path} if settings.test else {})
    return {
        "task": task.name,
        "seeds": {
            "shots": settings.examples.seed,
            "report": settings.report.seed,
            "folds": settings.folds.seed,
        },
        "versions": _versions(),
        "code": code_hash(),
        "files": {name: _hashed(task, path) for name, path in files.items()},
        "shots": [shot.id for shot in bench.labelled],
        "base": bench.base_path if bench.has_model else None,
        "base_identity": bench.base_identity,
        "embedder": bench.embedder.id,
        "adapters": {entry.name: entry.content for entry in bench.bank.entries} if bench.bank else {},
        "device": _device(bench),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _hashed(task: Task, path: str) -> dict[str, str]:
    where = task.settings.resolve(path)
    return {"path": str(path), "sha256": file_hash(where) if not isinstance(where, str) else ""}


def _device(bench: Workbench) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
    }
    if "torch" in sys.modules and bench.has_model:
        import torch

        facts["torch_threads"] = torch.get_num_threads()
    if bench.settings.model is not None:
        facts |= {"device": bench.settings.model.device, "dtype": bench.settings.model.dtype}
    return facts
