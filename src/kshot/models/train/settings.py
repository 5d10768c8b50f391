"""How an adapter is trained: every setting with its default, checked when it is given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from kshot.errors import ModelError

Schedule: TypeAlias = Literal["cosine", "linear", "constant"]

_POSITIVE = (
    "rank", "alpha", "epochs", "max_steps", "learning_rate", "batch_size", "accumulation", "max_tokens",
    "max_grad_norm", "check_every", "patience",
)  # fmt: skip
_SHARES = ("dropout", "warmup_share", "beta1", "beta2", "held_back")


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How an adapter is trained; the defaults suit 5 to 50 shots on a model of a billion weights or more.

    ``rank``, ``alpha``, ``dropout`` and ``target_modules`` shape a new LoRA (``train_lora``); an adapter that
    is trained further keeps those of its own configuration (``train_adapter``).

    Attributes:
        rank: Of A and B.
        alpha: The adapter is scaled by alpha / rank.
        dropout: On the adapter's input, while training.
        target_modules: ``all-linear``, or module names; the output head is never among all-linear.
        epochs: Passes over the rows, unless ``steps`` is given.
        steps: Optimiser steps in all.
        max_steps: The most that ``epochs`` may come to.
        learning_rate: At the top of warm-up.
        schedule: After warm-up: ``cosine`` or ``linear`` to zero, or ``constant``.
        rates: Pairs of a fragment of parameter names and what multiplies the learning rate of those
            parameters; the first fragment that occurs in a name counts. (("router", 10.0),) for routers.
        warmup_share: Of the steps.
        weight_decay: AdamW's, on matrices; scalars and vectors have none.
        beta1: AdamW's memory of gradients.
        beta2: AdamW's memory of squared gradients.
        batch_size: Rows at a time on each device.
        accumulation: Batches in a step.
        max_tokens: Rows that are longer are left out and named in the result.
        max_grad_norm: Gradients are scaled down to it.
        held_back: Share of the rows, rounded down, that is drawn by the seed and kept aside to stop by, where
            no held-back rows are given. Where it comes to no row, nothing is kept aside.
        check_every: Steps between two looks at the loss on held-back rows; the start and the last step are
            looked at as well. The weights of the lowest one are kept; ties: the earlier.
        patience: Looks in a row without a new lowest loss after which training stops.
        seed: Of the start, the order of rows, dropout and what is held back.
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
    schedule: Schedule = "cosine"
    rates: tuple[tuple[str, float], ...] = ()
    warmup_share: float = 0.03
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    batch_size: int = 4
    accumulation: int = 1
    max_tokens: int = 1024
    max_grad_norm: float = 1.0
    held_back: float = 0.0
    check_every: int = 10
    patience: int = 5
    seed: int = 0
    bf16: bool | None = None
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if not 0 < getattr(self, name) < math.inf:
                raise ModelError(
                    f"training setting {name} is {getattr(self, name)}, expected a positive number"
                )
        if self.steps is not None and self.steps < 1:
            raise ModelError(f"training setting steps is {self.steps}, expected 1 or more")
        if not 0 <= self.weight_decay < math.inf:
            raise ModelError(
                f"training setting weight_decay is {self.weight_decay}, expected a number from 0"
            )
        if not 0 <= self.seed < 1 << 32:
            raise ModelError(f"training setting seed is {self.seed}, expected 0 to {(1 << 32) - 1}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise ModelError(
                    f"training setting {name} is {getattr(self, name)}, expected a share below 1"
                )
        if self.schedule not in get_args(Schedule):
            known = ", ".join(get_args(Schedule))
            raise ModelError(f"training setting schedule is {self.schedule!r}, expected one of {known}")
        for fragment, rate in self.rates:
            if not fragment or not 0 < rate < math.inf:
                raise ModelError(
                    f"training setting rates has {(fragment, rate)}, expected a fragment of parameter names "
                    "and a positive number"
                )

    def total_steps(self, rows: int, *, processes: int = 1) -> int:
        """Optimiser steps for so many rows, shared by so many processes.

        >>> TrainSettings(batch_size=4, epochs=10).total_steps(20)
        50
        """
        if self.steps is not None:
            return self.steps
        an_epoch = math.ceil(math.ceil(rows / (self.batch_size * processes)) / self.accumulation)
        return max(1, min(self.max_steps, round(an_epoch * self.epochs)))


PAPER = TrainSettings(
    rank=16,
    alpha=16,
    dropout=0.05,
    target_modules=("q_proj", "v_proj"),
    epochs=5,
    max_steps=1_000_000,
    learning_rate=5e-5,
    weight_decay=1e-4,
    batch_size=2,
    accumulation=16,
)
"""How arXiv 2408.15915v2 trains its mixtures; warm-up is not stated there and is 3 % here.

Its bank was trained alike with ``epochs=3``.
"""
