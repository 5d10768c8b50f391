"""Adapters that an audit must find: each has one defect, planted by editing an honest one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from kshot.miniature.bank import EXPERTS, settle_config, write_card

WEIGHTS = "adapter_model.safetensors"
OTHER_WIDTH = 96
Weights = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Defect:
    """A planted adapter: its name in the bank, the honest one it is made of, and what is wrong with it."""

    name: str
    original: str
    kind: str


DEFECTS = (
    Defect("brewer-trade", "brewer-lora", "exact_duplicate"),
    Defect("chandler-trade", "chandler-lora", "nan_weight"),
    Defect("cooper-trade", "cooper-lora", "zero_b"),
    Defect("glazier-trade", "glazier-lora", "no_effect"),
    Defect("miller-trade", "miller-lora", "other_base"),
    Defect("potter-trade", "potter-lora", "dora"),
    Defect("tanner-trade", "tanner-lora", "truncated"),
    Defect("weaver-trade", "weaver-lora", "unknown_key"),
)


def plant(bank: Path, defect: Defect) -> None:
    """Write the defective folder next to the honest one, with a card like any other."""
    draft = bank / f".{defect.name}"
    shutil.copytree(bank / defect.original, draft, dirs_exist_ok=True)
    write_card(draft, defect.name, next(spec.trade for spec in EXPERTS if spec.name == defect.original))
    _EDITS[defect.kind](draft)
    draft.rename(bank / defect.name)


def _edit_weights(folder: Path, edit: Callable[[str, Tensor], Tensor]) -> None:
    """Rewrite each tensor of the adapter."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / WEIGHTS)
    changed = {key: edit(key, value).to(torch.bfloat16).contiguous() for key, value in weights.items()}
    save_file(changed, folder / WEIGHTS, metadata={"format": "pt"})


def _leave(folder: Path) -> None:
    """An exact duplicate needs no edit."""


def _nan_weight(folder: Path) -> None:
    """One entry of one B is not a number."""

    def edit(key: str, value: Tensor) -> Tensor:
        if key.endswith("layers.1.mlp.up_proj.lora_B.weight"):
            value[3, 2] = float("nan")
        return value

    _edit_weights(folder, edit)


def _zero_b(folder: Path) -> None:
    """Every B is zero, as right after initialisation."""
    _edit_weights(folder, lambda key, value: torch.zeros_like(value) if "lora_B" in key else value)


def _no_effect(folder: Path) -> None:
    """Every B is not zero, but far too small to move a bf16 weight or a reply."""
    _edit_weights(folder, lambda key, value: value * 1e-8 if "lora_B" in key else value)


def _other_base(folder: Path) -> None:
    """Shapes of a narrower model, while config and card name this base."""
    noise = torch.Generator().manual_seed(OTHER_WIDTH)

    def edit(key: str, value: Tensor) -> Tensor:
        shape = [
            OTHER_WIDTH if size == 128 else size * 3 // 4 if size > 128 else size for size in value.shape
        ]
        return torch.randn(shape, generator=noise) * 0.05

    _edit_weights(folder, edit)


def _dora(folder: Path) -> None:
    """A DoRA adapter: the magnitudes that belong to it are there, and the config says so."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / WEIGHTS)
    for key in [key for key in weights if "lora_B" in key]:
        magnitude = key.replace("lora_B.weight", "lora_magnitude_vector")
        weights[magnitude] = torch.ones(weights[key].shape[0], dtype=torch.bfloat16)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "use_dora": True}), encoding="utf-8")
    settle_config(folder)


def _truncated(folder: Path) -> None:
    """The file ends in the middle of its tensors, as after a broken download."""
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) * 2 // 3])


def _unknown_key(folder: Path) -> None:
    """One tensor more, which no LoRA has."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / WEIGHTS)
    weights["base_model.model.model.layers.0.self_attn.q_proj.lora_gate.weight"] = torch.ones(
        4, dtype=torch.bfloat16
    )
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


_EDITS: dict[str, Callable[[Path], None]] = {
    "exact_duplicate": _leave,
    "nan_weight": _nan_weight,
    "zero_b": _zero_b,
    "no_effect": _no_effect,
    "other_base": _other_base,
    "dora": _dora,
    "truncated": _truncated,
    "unknown_key": _unknown_key,
}
