"""Adapter weights fitted to rows with ``transformers.Trainer``, one process or several."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from kshot.errors import ModelError
from kshot.models.hf.model import HfModel
from kshot.models.train import processes
from kshot.models.train.early_stop import HeldBack
from kshot.models.train.rows import EncodedRows, collated
from kshot.models.train.settings import TrainSettings

OnStep: TypeAlias = Callable[[int, int, float], None]


@dataclass(frozen=True, slots=True)
class Fit:
    """How training went.

    Attributes:
        losses: (steps,) nats per target token of each step's rows, before the step.
        held: (step, nats per target token) of each look at the held-back rows.
        best_step: Whose weights were kept; None: the last, as nothing was held back.
    """

    losses: tuple[float, ...]
    held: tuple[tuple[int, float], ...]
    best_step: int | None


def fit(
    adapted: Any, base: HfModel, rows: EncodedRows, settings: TrainSettings, *, on_step: OnStep | None = None
) -> Fit:
    """Train what of a PEFT model requires gradients, in place; use inside ``untouched(base.model)``.

    Args:
        adapted: The PEFT model around the base's transformers model.
        base: The base.
        rows: As tokens.
        settings: See ``TrainSettings``.
        on_step: Called in the first process after each step with its number, all steps, and the loss.

    Raises:
        ModelError: Nothing requires gradients, a fragment of ``rates`` fits no parameter, or a loss or a
            weight is no number.
    """
    from transformers import PrinterCallback, Trainer

    steps = settings.total_steps(len(rows.learned), processes=processes.count())
    held, use_cache = HeldBack(adapted, base.loaded, rows.held, settings), adapted.config.use_cache
    with tempfile.TemporaryDirectory() as scratch, random_state_kept():
        arguments = _arguments(adapted, settings, steps=steps, scratch=scratch)
        trainer = Trainer(
            model=adapted,
            args=arguments,
            train_dataset=list(rows.learned),
            data_collator=collated,
            optimizers=(_optimiser(adapted, arguments, settings), None),
            callbacks=[_recorder(steps, on_step), _stopper(held, steps)],
        )
        trainer.remove_callback(PrinterCallback)
        try:
            trainer.train()
        finally:
            adapted.config.use_cache = use_cache
            if settings.gradient_checkpointing:
                adapted.gradient_checkpointing_disable()
    held.restore()
    _check_weights(adapted)
    losses = tuple(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)
    return Fit(losses, tuple(held.looks), held.best_step if rows.held else None)


def _warmup(share: float, steps: int) -> int:
    """Steps of warm-up; none below a whole one, as the first of them has a rate of zero."""
    return math.ceil(share * steps) if share * steps >= 1 else 0


def _arguments(adapted: Any, settings: TrainSettings, *, steps: int, scratch: str) -> Any:
    import torch
    from transformers import TrainingArguments

    cuda = adapted.device.type == "cuda"
    schedule = "constant_with_warmup" if settings.schedule == "constant" else settings.schedule
    arguments = TrainingArguments(
        output_dir=scratch,
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=schedule,
        warmup_steps=_warmup(settings.warmup_share, steps),
        adam_beta1=settings.beta1,
        adam_beta2=settings.beta2,
        max_grad_norm=settings.max_grad_norm,
        gradient_checkpointing=settings.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},  # inputs of frozen layers need no gradient
        ddp_find_unused_parameters=True,  # an expert that no token of a batch chose
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


def _optimiser(adapted: Any, arguments: Any, settings: TrainSettings) -> Any:
    """Trainer's own AdamW, with a group for each learning rate and for what does not decay."""
    from transformers import Trainer

    groups: dict[tuple[float, bool], list[Any]] = {}
    used = set()
    for name, parameter in adapted.named_parameters():
        if parameter.requires_grad:
            fragment, rate = next((pair for pair in settings.rates if pair[0] in name), ("", 1.0))
            used.add(fragment)
            groups.setdefault((rate, parameter.ndim > 1), []).append(parameter)
    if not groups:
        raise ModelError("nothing to train: no weight of the adapter requires a gradient")
    idle = [fragment for fragment, _ in settings.rates if fragment not in used]
    if idle:
        names = ", ".join(sorted({_end(n) for n, p in adapted.named_parameters() if p.requires_grad})[:8])
        raise ModelError(
            f"training setting rates: {idle[0]!r} occurs in no name of a trained parameter, or an earlier "
            f"fragment covers it; names end in {names}"
        )
    kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments, adapted)
    return kind(
        [
            {
                "params": parameters,
                "lr": rate * settings.learning_rate,
                "weight_decay": settings.weight_decay if decays else 0.0,
            }
            for (rate, decays), parameters in groups.items()
        ],
        **options,
    )


def _end(name: str) -> str:
    """The part of a parameter's name that is not the model's."""
    return ".".join(name.split(".")[-3:])


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
            if on_step is not None and state.is_world_process_zero:
                on_step(state.global_step, steps, loss)

    return Recorder()


def _stopper(held: HeldBack, steps: int) -> Any:
    from transformers import TrainerCallback

    class Stopper(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            if held.is_due(0, steps):
                held.look(0)

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
            if held.is_due(state.global_step, steps) and held.look(state.global_step):
                control.should_training_stop = True

    return Stopper()


def _check_weights(adapted: Any) -> None:
    """The last step can break weights whose loss nobody has looked at."""
    broken = [n for n, p in adapted.named_parameters() if p.requires_grad and not bool(p.isfinite().all())]
    if broken:
        raise ModelError(
            f"training: {len(broken)} weights are no numbers after the last step, first {broken[0]}; "
            "lower the learning rate or use bf16 or float32"
        )


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Trainer seeds Python's and numpy's global generators; put them back (torch's are kept by untouched)."""
    python, numeric = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numeric)
