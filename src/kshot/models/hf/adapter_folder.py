"""A trained adapter written as a PEFT folder, all at once, with a card that says how it was made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kshot.models.folders import new_folder

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


def _write(adapted: Any, folder: Path, base: str) -> None:
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    state = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    tensors = {key: state[key].detach().cpu().contiguous() for key in sorted(state)}
    # not save_file, whose SafetensorError has no errno when the disk is full
    (folder / "adapter_model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
    config = adapted.peft_config["default"].to_dict() | {
        "inference_mode": True,
        "base_model_name_or_path": base,
    }
    # PEFT holds module names in sets, whose order changes from one process to the next
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    text = json.dumps(plain, indent=2, sort_keys=True) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")


def _table(values: Mapping[str, object]) -> str:
    rows = [
        (key, f"{value:.6g}" if isinstance(value, float) else str(value)) for key, value in values.items()
    ]
    return "\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in rows)
