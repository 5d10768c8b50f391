"""What this machine offers: versions, device, sandbox, space; each lack with its remedy."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

NEEDED = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "safetensors",
    "numpy",
    "scikit-learn",
    "pyarrow",
    "plotly",
)


def findings() -> list[tuple[str, str]]:
    """(``ok`` | ``note`` | ``bad``, sentence) pairs, most basic first."""
    found = [
        ("ok", f"Python {platform.python_version()}")
        if sys.version_info >= (3, 11)
        else ("bad", "Python < 3.11")
    ]
    found += [_package(name) for name in NEEDED]
    found += [_embeddings(), *_torch(), _sandbox(), _space()]
    if importlib.util.find_spec("torchvision"):
        found.append(
            ("note", "torchvision is installed; next to a CPU torch its registry build breaks transformers")
        )
    return found


def _package(name: str) -> tuple[str, str]:
    try:
        return "ok", f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return "bad", f"{name} is missing; pip install kshot brings it"


def _embeddings() -> tuple[str, str]:
    if importlib.util.find_spec("sentence_transformers"):
        return "ok", "sentence-transformers is there: any embedder folder can be used"
    return "note", 'no sentence-transformers: only the hashing encoder; pip install "kshot[embed]"'


def _torch() -> list[tuple[str, str]]:
    if not importlib.util.find_spec("torch"):
        return []
    import torch

    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    found = [("ok", f"device {device}, {torch.get_num_threads()} threads")]
    if device == "cpu" and os.environ.get("OMP_WAIT_POLICY", "").upper() != "PASSIVE":
        found.append(
            ("note", "two torch processes on one CPU slow each other down; export OMP_WAIT_POLICY=PASSIVE")
        )
    return found


def _sandbox() -> tuple[str, str]:
    from kshot.measure.sandbox import sandbox_available

    reason = sandbox_available()
    return (
        ("ok", "generated code can be run apart (pass_at_1)")
        if reason is None
        else ("note", f"pass_at_1: {reason}")
    )


def _space() -> tuple[str, str]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    return ("ok" if free > 5 else "note", f"{free:.0f} GiB free on the disk of this folder")
