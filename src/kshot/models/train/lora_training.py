"""LoRA adapters trained on labelled rows with ``transformers.Trainer``, in the words that scoring uses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.models.folders import check_free
from kshot.models.hf.adapted import untouched
from kshot.models.hf.adapter_folder import write_adapter
from kshot.models.hf.loading import first_line, quiet
from kshot.models.hf.model import HfModel
from kshot.models.train import processes
from kshot.models.train.fit import Fit, OnStep, fit
from kshot.models.train.rows import EncodedRows, TrainRows, encoded_rows
from kshot.models.train.settings import TrainSettings

__all__ = ["OnStep", "TrainResult", "TrainSettings", "train_lora"]


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A trained adapter.

    Attributes:
        folder: The PEFT folder.
        losses: (steps,) nats per target token of each step's rows, before the step.
        steps: Optimiser steps made.
        seconds: Wall time.
        too_long: Numbers of the rows that were left out.
        held: (step, nats per target token) of each look at the held-back rows; step 0 is the start.
        best_step: The step whose weights were kept; None: the last, as nothing was held back.
        kept_aside: Numbers of the rows that were held back by share.
    """

    folder: Path
    losses: tuple[float, ...]
    steps: int
    seconds: float
    too_long: tuple[int, ...] = ()
    held: tuple[tuple[int, float], ...] = ()
    best_step: int | None = None
    kept_aside: tuple[int, ...] = ()


def train_lora(
    base: HfModel,
    conversations: Sequence[Conversation],
    targets: Sequence[Target],
    *,
    out: str | Path,
    settings: TrainSettings | None = None,
    on_step: OnStep | None = None,
) -> TrainResult:
    """A LoRA adapter that makes a base model reply like the targets, as a PEFT folder.

    The loss is on the tokens of the targets alone, end token included, tokenised exactly as for scoring.
    The same seed gives the same bytes on the same machine. The base is left as it was. Started by
    ``accelerate launch``, all processes train together and the first one writes.

    Args:
        base: Who learns.
        conversations: What is asked.
        targets: What is to be replied.
        out: The folder to write; must be absent or empty. It appears when it is complete.
        settings: See ``TrainSettings``.
        on_step: Called after each step with its number, the number of steps, and the loss.

    Raises:
        ModelError: No row is left to learn from, the folder is not empty, the target modules fit nothing,
            or the loss is no number.

    Example::

        result = train_lora(model, conversations, targets, out="runs/adapter")
        model.adapted(result.folder).generate(...)
    """
    settings, out = settings or TrainSettings(), Path(out)
    check_free(out)
    rows = encoded_rows(base, TrainRows(conversations, targets), settings)
    started = time.perf_counter()
    with untouched(base.model), quiet():
        adapted = _with_lora(base, settings)
        fitted = fit(adapted, base, rows, settings, on_step=on_step)
        if processes.is_first():
            facts = training_facts(rows, fitted)
            write_adapter(adapted, out, base=base.loaded.name, settings=settings, facts=facts)
        processes.wait()
    return result_of(out, rows, fitted, seconds=time.perf_counter() - started)


def training_facts(rows: EncodedRows, fitted: Fit) -> dict[str, object]:
    """What a card says about a training."""
    losses = fitted.losses
    facts: dict[str, object] = {
        "rows": len(rows.learned), "steps": len(losses), "first loss": losses[0], "last loss": losses[-1],
    }  # fmt: skip
    if fitted.best_step is None:
        return facts
    held = {
        "held-back rows": len(rows.held),
        "held-back loss at the start": fitted.held[0][1],
        "lowest held-back loss": dict(fitted.held)[fitted.best_step],
        "step of the lowest": fitted.best_step,
    }
    return facts | held


def result_of(out: Path, rows: EncodedRows, fitted: Fit, *, seconds: float) -> TrainResult:
    """A training as its caller sees it."""
    return TrainResult(
        out, fitted.losses, len(fitted.losses), seconds, rows.too_long, fitted.held, fitted.best_step,
        rows.kept_aside,
    )  # fmt: skip


def _with_lora(base: HfModel, settings: TrainSettings) -> Any:
    import torch
    from peft import LoraConfig, PeftModelForCausalLM
    from transformers.pytorch_utils import Conv1D

    torch.manual_seed(settings.seed)
    modules = settings.target_modules
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=modules if isinstance(modules, str) else list(modules),
        task_type="CAUSAL_LM",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in base.model.modules()),  # GPT-2's layers
    )
    try:
        return PeftModelForCausalLM(base.model, config)
    except ValueError as error:
        reason = first_line(error)
        raise ModelError(f"{base.loaded.name}: target modules {modules!r} do not fit ({reason})") from error
