"""The training loop and the greedy reader of the miniature; torch lives here and in its callers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

IGNORED = -100
Encoded = tuple[list[int], list[bool]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train; the rate rises and falls in one cycle."""

    steps: int
    rate: float
    decay: float = 0.01
    warm_share: float = 0.1


def collate(batch: Sequence[Encoded], pad: int) -> tuple[Tensor, Tensor]:
    """Right-padded ids and labels; what is not learned is ignored."""
    longest = max(len(tokens) for tokens, _ in batch)
    inputs = torch.full((len(batch), longest), pad)  # (B, T)
    labels = torch.full((len(batch), longest), IGNORED)  # (B, T)
    for i, (tokens, learned) in enumerate(batch):
        inputs[i, : len(tokens)] = torch.tensor(tokens)
        labels[i, : len(tokens)] = torch.tensor(
            [token if use else IGNORED for token, use in zip(tokens, learned, strict=True)]
        )
    return inputs, labels


def bucketed(
    source: Iterator[Encoded], rng: random.Random, *, tokens: int, buffer: int
) -> Iterator[list[Encoded]]:
    """Batches of about `tokens` tokens each, of rows of like length, in random order."""
    while True:
        rows = sorted((next(source) for _ in range(buffer)), key=lambda row: len(row[0]))
        batches: list[list[Encoded]] = [[]]
        for row in rows:
            if (len(batches[-1]) + 1) * len(row[0]) > tokens and batches[-1]:
                batches.append([])
            batches[-1].append(row)
        rng.shuffle(batches)
        yield from batches


def train(model: Any, batches: Iterator[list[Encoded]], schedule: Schedule, pad: int) -> Iterator[float]:
    """Train the parameters that want gradients; yields the loss of each step."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=schedule.rate, betas=(0.9, 0.98), weight_decay=schedule.decay
    )
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.rate, total_steps=schedule.steps + 1, pct_start=schedule.warm_share
    )
    model.train()
    for _ in range(schedule.steps):
        inputs, labels = collate(next(batches), pad)
        loss = _loss(model, inputs, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        cycle.step()
        yield float(loss.detach())
    model.eval()


def _loss(model: Any, inputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of the learned tokens; logits are computed at those alone."""
    hidden = model.model(input_ids=inputs, use_cache=False).last_hidden_state  # (B, T, H)
    targets = labels[:, 1:]  # (B, T-1)
    wanted = targets != IGNORED
    logits = model.lm_head(hidden[:, :-1][wanted])  # (N, V)
    return nn.functional.cross_entropy(logits, targets[wanted])


@torch.no_grad()
def generate(
    model: Any, prompts: Sequence[list[int]], *, pad: int, stops: Sequence[int], limit: int
) -> list[list[int]]:
    """Greedy continuations, in the order of the prompts, up to the first stop token or `limit`."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    replies: list[list[int]] = [[] for _ in prompts]
    for start in range(0, len(order), 200):
        chunk = order[start : start + 200]
        for i, reply in zip(
            chunk, _generate_batch(model, [prompts[i] for i in chunk], pad, stops, limit), strict=True
        ):
            replies[i] = reply
    return replies


def _generate_batch(
    model: Any, prompts: Sequence[list[int]], pad: int, stops: Sequence[int], limit: int
) -> list[list[int]]:
    """One left-padded batch with a cache."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad] * (longest - len(prompt)) + prompt for prompt in prompts])  # (B, T)
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    done = torch.zeros(len(prompts), dtype=torch.bool)
    new: list[Tensor] = []
    cache, step = None, ids
    for _ in range(limit):
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -step.shape[1] :]
        out = model(
            input_ids=step, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        token = out.logits[:, -1].argmax(-1).masked_fill(done, pad)  # (B,)
        new.append(token)
        done |= torch.isin(token, torch.tensor(list(stops)))
        if bool(done.all()):
            break
        cache, step = out.past_key_values, token[:, None]
        mask = torch.cat([mask, torch.ones_like(step)], dim=1)
    return [[int(token) for token in row] for row in torch.stack(new, 1)]
