"""How much of the fine-tuned model: target against general rows over a grid of alphas, and the choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.methods.cocktail import AlphaChoice, recommend_alpha
from kshot.pipeline.elastic.between import models_between
from kshot.pipeline.elastic.row_values import (
    LOSS,
    Judged,
    Values,
    check_row_metric,
    is_better_high,
    judged,
    own_words,
)

if TYPE_CHECKING:
    from kshot.models.hf import HfModel

ALPHAS: tuple[float, ...] = tuple(step / 10 for step in range(11))
OnPoint: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SweepRows:
    """What a sweep is judged on.

    Attributes:
        target: K rows of the task, which the fine-tuned model has not learned from.
        general: G rows of what must not be lost.
        template: The task's words.
        general_template: The words around general rows; None: their own (``own_words``).
    """

    target: Sequence[Example]
    general: Sequence[Example]
    template: Template
    general_template: Template | None = None

    def __post_init__(self) -> None:
        for name, rows in (("target", self.target), ("general", self.general)):
            if not rows:
                raise InputError(f"the sweep has no {name} rows; expected at least one, better 20 or more")


@dataclass(frozen=True, slots=True, eq=False)
class AlphaSweep:
    """Every alpha on every row, all of it selection scores, and what is recommended.

    Attributes:
        alphas: A shares of the fine-tuned model.
        metric: ``loss``, or a metric of replies.
        target: (A, K) values under the metric.
        general: (A, G).
        target_losses: (A, K) nats per target token, whatever the metric.
        general_losses: (A, G).
        choice: See ``recommend_alpha``.
        notes: What the reader of the choice must know.
    """

    alphas: tuple[float, ...]
    metric: str
    target: Values
    general: Values
    target_losses: Values
    general_losses: Values
    choice: AlphaChoice
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object an alpha: means, standard errors, losses, whether allowed, whether chosen."""
        losses = zip(self.target_losses.mean(axis=1), self.general_losses.mean(axis=1), strict=True)
        return [
            row | {"target_loss": float(target), "general_loss": float(general)}
            for row, (target, general) in zip(self.choice.rows(), losses, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values, for a file and for the page with the curve."""
        choice = self.choice
        sides = {
            "target": (choice.target_means, choice.target_errors, self.target),
            "general": (choice.general_means, choice.general_errors, self.general),
        }
        return {
            "alphas": list(self.alphas),
            "metric": self.metric,
            "higher_is_better": choice.higher_is_better,
            "chosen": choice.alpha,
            "reason": choice.reason,
            "notes": list(self.notes),
            "selection": True,
            "rows": self.rows(),
        } | {
            name: {
                "mean": means.tolist(),
                "error": None if errors is None else errors.tolist(),
                "n": table.shape[1],
                "name": f"{name}, {self.metric.replace('_', ' ')}",
            }
            for name, (means, errors, table) in sides.items()
        }


def alpha_sweep(
    base: HfModel,
    fine_tuned: Path,
    rows: SweepRows,
    *,
    alphas: Sequence[float] = ALPHAS,
    metric: str = "exact_match",
    on_point: OnPoint | None = None,
) -> AlphaSweep:
    """Target and general rows at every alpha, and the alpha that keeps the target and most of the rest.

    The models are made in the base's own memory and the base is put back, see ``models_between``. Both ends
    should be among the alphas, so that no mixing at all can win. Losses on the target often go on falling
    where no reply changes any more and then ask for alpha 1; take ``loss`` where replies cannot be judged by
    themselves.

    Args:
        base: The base.
        fine_tuned: A whole model folder or a PEFT LoRA folder.
        rows: What the models are asked; none of the target rows may have been learned from.
        alphas: Shares of the fine-tuned model, each once.
        metric: ``loss``, or a metric that is a mean of rows.
        on_point: Called after each alpha with its number and how many there are.

    Raises:
        InputError: The metric gives no number for each row, or an alpha is out of range.
        ModelError: The models do not fit.

    Source: LM-Cocktail (arXiv 2311.13534), section 3, for alpha; the choice by one standard error is ours.

    Example::

        sweep = alpha_sweep(base, Path("runs/tuned"), SweepRows(held_back, general, template))
        sweep.choice.alpha, sweep.choice.reason
    """
    check_row_metric(metric)
    sides = (
        ("target", rows.target, rows.template),
        ("general", rows.general, rows.general_template or own_words(rows.general)),
    )
    found: dict[str, list[Judged]] = {name: [] for name, _, _ in sides}
    with models_between(base, fine_tuned) as at:
        for number, alpha in enumerate(alphas):
            model = at(alpha)
            for name, asked, template in sides:
                found[name].append(judged(model, asked, template, metric=metric))
            if on_point is not None:
                on_point(number + 1, len(alphas))
    target, general = (np.array([each.values for each in found[name]]) for name, _, _ in sides)
    target_losses, general_losses = (np.array([e.losses for e in found[name]]) for name, _, _ in sides)
    choice = recommend_alpha(alphas, target, general, higher_is_better=is_better_high(metric))
    notes = _notes({"target": target, "general": general}, metric)
    return AlphaSweep(tuple(alphas), metric, target, general, target_losses, general_losses, choice, notes)


def _notes(found: Mapping[str, Values], metric: str) -> tuple[str, ...]:
    notes = []
    for name in ("target", "general"):
        means = found[name].mean(axis=1)
        if len(means) > 1 and np.ptp(means) == 0:
            other = "loss" if metric != LOSS else "exact_match"
            notes.append(
                f"the {name} value is {means[0]:.4g} at every alpha and tells nothing; try --metric {other}"
            )
        if found[name].shape[1] < 20:
            notes.append(f"only {found[name].shape[1]} {name} rows: the choice of alpha is uncertain")
    return tuple(notes)
