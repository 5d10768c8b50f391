"""LoRA adapters trained on labelled rows with ``transformers.Trainer``, in the words that scoring uses."""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.models.folders import check_free
from kshot.models.hf.adapted import untouched
from kshot.models.hf.adapter_folder import write_adapter
from kshot.models.hf.loading import first_line, quiet
from kshot.models.hf.model import HfModel
from kshot.models.text.text_format import Encoded
from kshot.models.train.settings import TrainSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["OnStep", "TrainResult", "TrainSettings", "train_lora"]

OnStep: TypeAlias = Callable[[int, int, float], None]
IGNORED = -100  # transformers' label for tokens that are not learned


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A trained adapter.

    Attributes:
        folder: The PEFT folder.
        losses: (steps,) nats per target token of each step's rows, before the step.
        steps: Optimiser steps made.
        seconds: Wall time.
        too_long: Numbers of the rows that were left out.
    """

    folder: Path
    losses: tuple[float, ...]
    steps: int
    seconds: float
    too_long: tuple[int, ...] = ()


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
    The same seed gives the same bytes on the same machine. The base is left as it was.

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
    rows, too_long = _rows(base, conversations, targets, settings)
    started = time.perf_counter()
    with untouched(base.model), _random_state_kept(), quiet():
        adapted = _with_lora(base, settings)
        losses = _fit(adapted, rows, settings, on_step=on_step)
        facts = {"rows": len(rows), "steps": len(losses), "first loss": losses[0], "last loss": losses[-1]}
        write_adapter(adapted, out, base=base.loaded.name, settings=settings, facts=facts)
    return TrainResult(out, losses, len(losses), time.perf_counter() - started, too_long)


def _rows(
    base: HfModel, conversations: Sequence[Conversation], targets: Sequence[Target], settings: TrainSettings
) -> tuple[list[Encoded], tuple[int, ...]]:
    if len(conversations) != len(targets):
        raise ModelError(f"{len(conversations)} conversations but {len(targets)} targets; expected one each")
    encoded = [base.text.encode(c, t) for c, t in zip(conversations, targets, strict=True)]
    most = min(settings.max_tokens, base.loaded.limit or settings.max_tokens)
    too_long = tuple(number for number, row in enumerate(encoded) if len(row.ids) > most)
    rows = [row for row in encoded if len(row.ids) <= most]
    if not rows:
        reason = f"all {len(encoded)} rows have more than {most} tokens" if encoded else "no rows were given"
        raise ModelError(f"nothing to train on: {reason}")
    return rows, too_long


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


def _fit(
    adapted: Any, rows: Sequence[Encoded], settings: TrainSettings, *, on_step: OnStep | None
) -> tuple[float, ...]:
    """Loss of each step; the adapter's weights are trained in place."""
    from transformers import PrinterCallback, Trainer

    steps = settings.total_steps(len(rows))
    use_cache = adapted.config.use_cache
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=adapted,
            args=_arguments(adapted, settings, steps=steps, scratch=scratch),
            train_dataset=list(rows),
            data_collator=_collated,
            callbacks=[_recorder(steps, on_step)],
        )
        trainer.remove_callback(PrinterCallback)
        try:
            trainer.train()
        finally:
            adapted.config.use_cache = use_cache
            if settings.gradient_checkpointing:
                adapted.gradient_checkpointing_disable()
    return tuple(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)


def _arguments(adapted: Any, settings: TrainSettings, *, steps: int, scratch: str) -> Any:
    import torch
    from transformers import TrainingArguments

    cuda = adapted.device.type == "cuda"
    arguments = TrainingArguments(
        output_dir=scratch,
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(settings.warmup_share * steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        gradient_checkpointing=settings.gradient_checkpointing,
        bf16=(cuda and torch.cuda.is_bf16_supported()) if settings.bf16 is None else settings.bf16,
        seed=settings.seed,
        use_cpu=adapted.device.type == "cpu",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=cuda,
        log_level="error",
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # the model stays on its one device
    return arguments


def _collated(rows: Sequence[Encoded]) -> dict[str, Tensor]:
    """A right-padded batch; labels are the tokens of the targets, everything else is ignored."""
    import torch

    longest = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)  # (B, T)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        mask[i, : len(row.ids)] = 1
        labels[i, row.start : len(row.ids)] = torch.tensor(row.ids[row.start :])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _recorder(steps: int, on_step: OnStep | None) -> Any:
    from transformers import TrainerCallback

    class Recorder(TrainerCallback):  # type: ignore[misc]
        def on_log(self, _args: Any, state: Any, _control: Any, logs: Mapping[str, float], **_: Any) -> None:
            loss = logs.get("loss")
            if loss is None:
                return
            if not math.isfinite(loss):
                raise ModelError(
                    f"training: the loss of step {state.global_step} is no number; lower the learning rate "
                    "or use bf16 or float32"
                )
            if on_step is not None:
                on_step(state.global_step, steps, loss)

    return Recorder()


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Trainer seeds Python's and numpy's global generators; put them back (torch's are kept by untouched)."""
    python, numeric = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numeric)
