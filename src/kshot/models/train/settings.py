"""How an adapter is trained: every setting with its default, checked when it is given."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kshot.errors import ModelError


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How an adapter is trained; the defaults suit 5 to 50 shots on a model of a billion weights or more.

    Attributes:
        rank: Of A and B.
        alpha: The adapter is scaled by alpha / rank.
        dropout: On the adapter's input, while training.
        target_modules: ``all-linear``, or module names; the output head is never among all-linear.
        epochs: Passes over the rows, unless ``steps`` is given.
        steps: Optimiser steps in all.
        max_steps: The most that ``epochs`` may come to.
        learning_rate: At the top of warm-up; cosine to zero after it.
        warmup_share: Of the steps.
        weight_decay: AdamW's.
        batch_size: Rows at a time on the device.
        accumulation: Batches in a step.
        max_tokens: Rows that are longer are left out and named in the result.
        max_grad_norm: Gradients are scaled down to it.
        seed: Of the start, the order of rows and dropout.
        bf16: Mixed precision; None takes it on a cuda device that has it.
        gradient_checkpointing: Less memory, more time.
    """

    rank: int = 16
    alpha: float = 16
    dropout: float = 0.05
    target_modules: str | tuple[str, ...] = "all-linear"
    epochs: float = 10
    steps: int | None = None
    max_steps: int = 600
    learning_rate: float = 2e-4
    warmup_share: float = 0.03
    weight_decay: float = 0.0
    batch_size: int = 4
    accumulation: int = 1
    max_tokens: int = 1024
    max_grad_norm: float = 1.0
    seed: int = 0
    bf16: bool | None = None
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        for name in ("rank", "alpha", "epochs", "max_steps", "learning_rate", "batch_size", "accumulation"):
            if not 0 < getattr(self, name) < math.inf:
                raise ModelError(
                    f"training setting {name} is {getattr(self, name)}, expected a positive number"
                )
        if self.steps is not None and self.steps < 1:
            raise ModelError(f"training setting steps is {self.steps}, expected 1 or more")
        for name in ("dropout", "warmup_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ModelError(
                    f"training setting {name} is {getattr(self, name)}, expected a share below 1"
                )

    def total_steps(self, rows: int) -> int:
        """Optimiser steps for so many rows.

        >>> TrainSettings(batch_size=4, epochs=10).total_steps(20)
        50
        """
        if self.steps is not None:
            return self.steps
        an_epoch = math.ceil(math.ceil(rows / self.batch_size) / self.accumulation)
        return max(1, min(self.max_steps, round(an_epoch * self.epochs)))
