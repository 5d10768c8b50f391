"""All weights of a causal language model trained on labelled rows, as a whole model folder."""

from __future__ import annotations

import copy
import dataclasses
import math
import shutil
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.errors import ModelError
from kshot.models.folders import check_free, new_folder
from kshot.models.hf.adapted import untouched
from kshot.models.hf.loading import check_folder, quiet, resolved
from kshot.models.hf.model import HfModel
from kshot.models.safetensor_files import stored_dtype as stored_dtype
from kshot.models.train import processes
from kshot.models.train.fit import OnStep, fit
from kshot.models.train.lora_training import TrainResult, result_of, training_facts
from kshot.models.train.rows import TrainRows, encoded_rows
from kshot.models.train.settings import TrainSettings

if TYPE_CHECKING:
    import torch

_SIDE_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "LICENSE*", "NOTICE*")
_ONLY_LORA = frozenset({"rank", "alpha", "dropout", "target_modules"})

CARD = """---
base_model: {base}
library_name: transformers
tags:
- kshot
---

# A model trained by kshot {version}

All weights of `{base}` were trained in float32 and stored as {dtype}. Loads with
`AutoModelForCausalLM.from_pretrained(folder)`. The training rows are not in this folder. The licence is for
whoever publishes it to state: the base model's and the data's apply.

| fact | value |
|---|---|
{facts}

| setting | value |
|---|---|
{settings}
"""


def train_full(
    base: HfModel,
    rows: TrainRows,
    *,
    out: str | Path,
    folder: str | Path | None = None,
    settings: TrainSettings | None = None,
    on_step: OnStep | None = None,
) -> TrainResult:
    """A whole model that replies like the targets: every weight of the base learns, none is added.

    A copy in float32 is trained and stored in the dtype of the base's own files, under the base's tensor
    names, with the base's configuration and tokenizer files, so that the two can be mixed. The loss is on the
    tokens of the targets alone, end token included. With held-back rows the weights with the lowest loss on
    them are kept. The same seed gives the same bytes on the same machine; the base is left as it was. Memory:
    the base, and 16 bytes a parameter. Started by ``accelerate launch``, all processes train together and the
    first one writes.

    Args:
        base: Who learns.
        rows: What is learned from, and what training stops by.
        out: The folder to write; must be absent or empty. It appears when it is complete.
        folder: Of the base; None: where its name leads.
        settings: See ``TrainSettings``; rank, alpha, dropout and target modules have no effect. None: the
            defaults at ``full_learning_rate``.
        on_step: Called after each step with its number, the number of steps, and the loss.

    Raises:
        ModelError: No row is left to learn from, the folder is not empty, the base holds packed weights or
            weights that are no numbers, or the loss is no number.

    Example::

        model = HfModel.load("models/base")
        result = train_full(model, TrainRows(conversations, targets), out="runs/tuned")
        HfModel.load(result.folder).generate(...)
    """
    out = Path(out)
    check_free(out)
    folder = resolved(folder or base.loaded.name)
    check_folder(folder)
    dtype = stored_dtype(folder)
    settings = settings or TrainSettings(learning_rate=full_learning_rate(base))
    encoded = encoded_rows(base, rows, settings)
    started = time.perf_counter()
    learner = _learner(base)
    with untouched(learner.model), quiet():  # keeps torch's random state, as for adapters
        fitted = fit(learner.model, learner, encoded, settings, on_step=on_step)
    if processes.is_first():
        facts = training_facts(encoded, fitted)
        card = _card(base.loaded.name, dtype, facts, settings)
        write_model(learner.model, out, like=folder, dtype=dtype, card=card)
    processes.wait()
    return result_of(out, encoded, fitted, seconds=time.perf_counter() - started)


def full_learning_rate(base: HfModel) -> float:
    """For all weights, where nothing else is asked for: 2e-5 suits widths of 2048 and more.

    A tenth of the rate for adapters there. Below, it grows with the square root of what the width shrinks by:
    less than the rate for adapters does, as a model that moves less far forgets less and mixes better.
    """
    width: int = base.model.config.get_text_config().hidden_size
    return 2e-5 * math.sqrt(max(1.0, 2048 / width))


def write_model(model: Any, out: Path, *, like: Path, dtype: str, card: str | None = None) -> None:
    """A model's weights as a folder with another folder's configuration and tokenizer files.

    Args:
        model: A transformers model; its weights are turned into ``dtype``.
        out: Absent, or an empty folder; it appears when it is complete.
        like: Whose small files are copied.
        dtype: Of the floating-point weights on the disk.
        card: The text of README.md; None writes none.

    Raises:
        ModelError: ``out`` is not empty, or cannot be made.
        OSError: As the disk gives it, ``ENOSPC`` where it is full.
    """
    import torch

    with new_folder(out) as part, quiet():
        model.to(getattr(torch, dtype)).save_pretrained(part)
        for file in sorted({file for pattern in _SIDE_FILES for file in like.glob(pattern)}):
            if file.is_file() and not file.name.endswith(".safetensors.index.json"):
                shutil.copyfile(file, part / file.name)
        if card is not None:
            (part / "README.md").write_text(card, encoding="utf-8")


def _learner(base: HfModel) -> HfModel:
    """The base with a copy of its model in float32, every weight of which learns."""
    import torch

    for name, parameter in base.model.named_parameters():
        _check_weight(base.loaded.name, name, parameter)
    copied = copy.deepcopy(base.model).to(torch.float32)
    copied.requires_grad_(True)
    return HfModel(dataclasses.replace(base.loaded, model=copied), base.tokenizer, id=base.id)


def _check_weight(model: str, name: str, weight: torch.Tensor) -> None:
    if not weight.is_floating_point():
        kind = str(weight.dtype).removeprefix("torch.")
        raise ModelError(
            f"{model}: {name} is stored as {kind}; all weights are trained in floating point only: give the "
            "model before it was packed, or train a LoRA"
        )
    if not bool(weight.isfinite().all()):
        raise ModelError(f"{model}: {name} holds NaN or infinity; download the model again")


def _card(base: str, dtype: str, facts: Mapping[str, object], settings: TrainSettings) -> str:
    used = {key: value for key, value in dataclasses.asdict(settings).items() if key not in _ONLY_LORA}
    return CARD.format(
        base=base, version=version("kshot"), dtype=dtype, facts=_table(facts), settings=_table(used)
    )


def _table(values: Mapping[str, object]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in values.items())
