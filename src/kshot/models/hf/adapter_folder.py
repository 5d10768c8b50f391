"""A trained adapter written as a PEFT folder, all at once, with a card that says how it was made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.models.folders import new_folder

if TYPE_CHECKING:
    from torch import Tensor

_WEIGHTS, _CONFIG = "adapter_model.safetensors", "adapter_config.json"
_SHAPE = frozenset({"rank", "alpha", "dropout", "target_modules"})  # settings that only a new LoRA has

CARD = """---
base_model: {base}
library_name: peft
tags:
- lora
- kshot
---

# A LoRA adapter trained by kshot {version}

Loads with `PeftModel.from_pretrained(base, folder)`. The training rows are not in this folder. The licence
is for whoever publishes it to state: the base model's and the data's apply.

| fact | value |
|---|---|
{facts}

| setting | value |
|---|---|
{settings}
"""

CONTINUED = """{earlier}
## Trained further by kshot {version}

The training rows are not in this folder.

| fact | value |
|---|---|
{facts}

| setting | value |
|---|---|
{settings}
"""
_NO_CARD = """---
base_model: {base}
library_name: peft
---

# An adapter
"""


def write_adapter(adapted: Any, out: Path, *, base: str, settings: Any, facts: Mapping[str, object]) -> None:
    """The PEFT folder of an adapter; it appears under its name only when every byte is on the disk.

    Args:
        adapted: The PEFT model.
        out: Absent, or an empty folder.
        base: Name of the base model, for the configuration and the card.
        settings: A dataclass, for the card.
        facts: For the card.

    Raises:
        ModelError: ``out`` is not empty, or cannot be made.
        OSError: As the disk gives it, ``ENOSPC`` where it is full.
    """
    card = CARD.format(
        base=base,
        version=version("kshot"),
        facts=_table(facts),
        settings=_table(dataclasses.asdict(settings)),
    )
    with new_folder(out) as part:
        _write(adapted, part, base)
        (part / "README.md").write_text(card, encoding="utf-8")


def write_continued(
    adapted: Any, out: Path, *, start: Path, base: str, settings: Any, facts: Mapping[str, object]
) -> None:
    """The PEFT folder of an adapter of any kind that was trained further, from the folder where it started.

    Configuration and card are the start's, the card with a section more. A tensor whose values training left
    alone keeps its bytes and dtype.

    Args:
        adapted: The PEFT model.
        out: Absent, or an empty folder.
        start: The PEFT folder that was loaded.
        base: Name of the base model, for the configuration.
        settings: A dataclass, for the card.
        facts: For the card.

    Raises:
        ModelError: ``out`` is not empty, or cannot be made.
        OSError: As the disk gives it, ``ENOSPC`` where it is full.
    """
    used = {key: value for key, value in dataclasses.asdict(settings).items() if key not in _SHAPE}
    earlier = start / "README.md"
    card = CONTINUED.format(
        earlier=earlier.read_text(encoding="utf-8") if earlier.is_file() else _NO_CARD.format(base=base),
        version=version("kshot"),
        facts=_table(facts),
        settings=_table(used),
    )
    config = json.loads((start / _CONFIG).read_text(encoding="utf-8"))
    with new_folder(out) as part:
        _write_tensors(part, _kept_or_trained(adapted, start))
        _write_config(part, config | {"inference_mode": True, "base_model_name_or_path": base})
        (part / "README.md").write_text(card, encoding="utf-8")


def _kept_or_trained(adapted: Any, start: Path) -> dict[str, Tensor]:
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    before = load_file(start / _WEIGHTS)
    after = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    tensors = {}
    for key, tensor in after.items():
        now = tensor.detach().cpu()
        tensors[key] = before[key] if torch.equal(before[key].to(now.dtype), now) else now
    return tensors


def _write(adapted: Any, folder: Path, base: str) -> None:
    from peft import get_peft_model_state_dict

    _write_tensors(folder, get_peft_model_state_dict(adapted, save_embedding_layers=False))
    config = adapted.peft_config["default"].to_dict()
    _write_config(folder, config | {"inference_mode": True, "base_model_name_or_path": base})


def _write_tensors(folder: Path, state: Mapping[str, Tensor]) -> None:
    from safetensors.torch import save

    tensors = {key: state[key].detach().cpu().contiguous() for key in sorted(state)}
    # not save_file, whose SafetensorError has no errno when the disk is full
    (folder / _WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))


def _write_config(folder: Path, config: Mapping[str, Any]) -> None:
    # PEFT holds module names in sets, whose order changes from one process to the next
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    text = json.dumps(plain, indent=2, sort_keys=True) + "\n"
    (folder / _CONFIG).write_text(text, encoding="utf-8")


def _table(values: Mapping[str, object]) -> str:
    rows = [
        (key, f"{value:.6g}" if isinstance(value, float) else str(value)) for key, value in values.items()
    ]
    return "\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in rows)
