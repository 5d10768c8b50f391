"""A sentence encoder fine-tuned so that a query lies near its positive and far from the batch's others."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.data.ranking import Ranking
from kshot.errors import DataError, ModelError
from kshot.models.embed.sentence import sentence_model
from kshot.models.folders import check_free, new_folder
from kshot.models.hf.loading import quiet
from kshot.models.kinds.encoder import PROMPTS
from kshot.models.train.fit import OnStep

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How an encoder is trained.

    Attributes:
        epochs: Passes over the rows.
        batch_size: Queries that are contrasted with each other's passages, and make one step.
        learning_rate: At the top of the warm-up; then it falls to zero along a line.
        warmup_share: Of the steps.
        weight_decay: AdamW's, on matrices.
        scale: Cosines are divided by it; 0.05 as in scoring.
        max_tokens: Longer texts are cut while training; None: the model's own limit.
        max_grad_norm: Gradients are scaled down to it.
        seed: Of the order, the negatives and dropout.
    """

    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 2e-5
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    scale: float = 0.05
    max_tokens: int | None = 64
    max_grad_norm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "scale", "max_grad_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise ModelError(f"encoder setting {name} is {getattr(self, name)}, expected above 0")
        for name in ("warmup_share", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ModelError(f"encoder setting {name} is {getattr(self, name)}, expected from 0 to 1")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ModelError(f"encoder setting max_tokens is {self.max_tokens}, expected at least 1")


@dataclass(frozen=True, slots=True)
class EncoderTraining:
    """A trained encoder: its folder, the loss of each step before the step (nats), and the wall time."""

    folder: Path
    losses: tuple[float, ...]
    seconds: float


def same_label_rankings(texts: Sequence[str], labels: Sequence[str], *, seed: int = 0) -> list[Ranking]:
    """Labelled texts as rankings: each text asks, another text of its label is the positive.

    A text whose label nothing else has is left out. Train them with ``groups=[row.id ...]``: the id is
    the label, so that texts of one label are never pushed apart.

    Raises:
        DataError: Texts and labels differ in number, or no label has two texts.

    >>> [(row.query, row.positives, row.id) for row in same_label_rankings(["a", "b", "c"], ["x", "x", "y"])]
    [('a', ('b',), 'x'), ('b', ('a',), 'x')]
    """
    if len(texts) != len(labels):
        raise DataError(f"{len(texts)} texts but {len(labels)} labels; expected one each")
    of_label: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        of_label.setdefault(label, []).append(place)
    draw = random.Random(seed)
    rows = []
    for place, (text, label) in enumerate(zip(texts, labels, strict=True)):
        others = [other for other in of_label[label] if other != place]
        if others:
            rows.append(Ranking(text, (texts[draw.choice(others)],), id=label))
    if not rows:
        raise DataError(f"none of the {len(of_label)} labels has two texts; expected pairs of one label")
    return rows


def train_encoder(
    folder: str | Path,
    rankings: Sequence[Ranking],
    *,
    out: str | Path,
    groups: Sequence[str] | None = None,
    settings: EncoderSettings | None = None,
    on_step: OnStep | None = None,
) -> EncoderTraining:
    """Fine-tune all weights of a sentence-transformers folder on rankings; writes a folder of the same kind.

    Loss of a query: cross-entropy of the cosines over ``scale`` with its first positive as the target,
    against its own negatives and all passages of the batch. AdamW, the same seed gives the same bytes on
    the same machine. Pooling, prompts, longest length and the weights' dtype stay those of ``folder``.

    Args:
        folder: Who learns; it is not touched.
        rankings: At least two.
        out: The folder to write; must be absent or empty. It appears when it is complete.
        groups: (K,) a name for each ranking: passages of another ranking with the same name are no
            negatives (labels, near-duplicates). None: all are.
        settings: See ``EncoderSettings``.
        on_step: Called after each step with its number, all steps, and the loss.

    Raises:
        DataError: Fewer than two rankings, or groups of another number.
        ModelError: The folder is no encoder, ``out`` is not empty, or a loss or a weight is no number.

    Source: InfoNCE with in-batch negatives (arXiv 1807.03748), as BGE models are fine-tuned (2309.07597).

    Example::

        rows = same_label_rankings(texts, labels)
        train_encoder("all-MiniLM-L6-v2", rows, out="runs/emotion", groups=[row.id for row in rows])
    """
    import torch

    settings, out, started = settings or EncoderSettings(), Path(out), time.perf_counter()
    names = list(groups) if groups is not None else [str(place) for place in range(len(rankings))]
    if len(rankings) < 2 or len(names) != len(rankings):
        raise DataError(
            f"{len(rankings)} rankings and {len(names)} groups; expected at least two, one group each"
        )
    check_free(out)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with quiet(), torch.random.fork_rng(devices=[device] if device == "cuda" else []):
        model = sentence_model(Path(folder), device=device)
        stored = next(model.parameters()).dtype
        model.float()  # steps are too small for 16 bits
        torch.manual_seed(settings.seed)
        losses = _fitted(model, list(zip(rankings, names, strict=True)), settings, on_step)
        model.to(stored)
        with new_folder(out) as part:
            model.save_pretrained(str(part), create_model_card=False, safe_serialization=True)
    return EncoderTraining(out, losses, time.perf_counter() - started)


def _rate(step: int, steps: int, settings: EncoderSettings) -> float:
    """The learning rate of a step, from 0: up along a line, then down to zero along another."""
    warmup = max(1, round(settings.warmup_share * steps))
    return settings.learning_rate * min(1.0, (step + 1) / warmup, (steps - step) / max(1, steps - warmup))


def _fitted(
    model: Any, rows: list[tuple[Ranking, str]], settings: EncoderSettings, on_step: OnStep | None
) -> tuple[float, ...]:
    """Trains in place; the model is in evaluation mode and has its own longest length again after it."""
    import torch

    steps = settings.epochs * math.ceil(len(rows) / settings.batch_size)
    optimiser = torch.optim.AdamW(_parameter_groups(model, settings), lr=0.0)
    longest = model.max_seq_length
    if settings.max_tokens is not None:
        model.max_seq_length = min(longest or settings.max_tokens, settings.max_tokens)
    losses: list[float] = []
    model.train()
    try:
        for step, batch in enumerate(_batches(rows, settings)):
            loss = batch_loss(model, batch, scale=settings.scale)
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                raise ModelError(
                    f"training: the loss of step {step + 1} is no number; lower the learning rate"
                )
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
            for group in optimiser.param_groups:
                group["lr"] = _rate(step, steps, settings)
            optimiser.step()
            optimiser.zero_grad()
            if on_step is not None:
                on_step(step + 1, steps, losses[-1])
    finally:
        model.eval()
        model.max_seq_length = longest
    broken = [name for name, value in model.named_parameters() if not bool(value.isfinite().all())]
    if broken:
        raise ModelError(f"training: {broken[0]} is no number after the last step; lower the learning rate")
    return tuple(losses)


def _parameter_groups(model: Any, settings: EncoderSettings) -> list[dict[str, Any]]:
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    return [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def _batches(
    rows: list[tuple[Ranking, str]], settings: EncoderSettings
) -> Iterator[list[tuple[Ranking, str]]]:
    """All rows once an epoch, in a drawn order; the last batch may be short."""
    draw = random.Random(settings.seed)
    for _ in range(settings.epochs):
        order = draw.sample(rows, len(rows))
        for start in range(0, len(order), settings.batch_size):
            yield order[start : start + settings.batch_size]


def batch_loss(model: Any, batch: Sequence[tuple[Ranking, str]], *, scale: float) -> Tensor:
    """Mean nats of a batch of (ranking, group); gradients flow. Rows of one group do not repel each other."""
    import torch

    passages = [(ranking.positives[0], place) for place, (ranking, _) in enumerate(batch)]
    passages += [(text, place) for place, (ranking, _) in enumerate(batch) for text in ranking.negatives]
    queries = _vectors(model, [ranking.query for ranking, _ in batch], "query")  # (B, D)
    found = _vectors(model, [text for text, _ in passages], "passage")  # (P, D), the B positives first
    scores = queries @ found.T / scale  # (B, P)
    hidden = torch.zeros(scores.shape, dtype=torch.bool)
    for place, (ranking, group) in enumerate(batch):
        for column, (text, owner) in enumerate(passages):
            alike = text == ranking.positives[0] or (owner != place and batch[owner][1] == group)
            hidden[place, column] = alike and column != place
    scores = scores.masked_fill(hidden.to(scores.device), -torch.inf)
    return torch.nn.functional.cross_entropy(scores, torch.arange(len(batch), device=scores.device))


def _vectors(model: Any, texts: list[str], role: str) -> Tensor:
    """(N, D) unit vectors with gradients, behind the folder's prompt for queries or passages."""
    import torch

    prompts = getattr(model, "prompts", None) or {}
    name = next((name for name in PROMPTS[role] if name in prompts), model.default_prompt_name)
    prompt = prompts.get(name) or ""
    features = model.preprocess([prompt + text for text in texts])
    features = {k: v.to(model.device) if hasattr(v, "to") else v for k, v in features.items()}
    vectors: Tensor = model(features)["sentence_embedding"]
    return torch.nn.functional.normalize(vectors.float(), dim=-1)
