"""Losses of targets token by token, in batches that leave no trace."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.models.base import Floats, TokenLosses
from kshot.models.hf.batches import run_batches
from kshot.models.hf.loading import Loaded
from kshot.models.text.text_format import Encoded

if TYPE_CHECKING:
    from torch import Tensor

_FLOATS_AT_ONCE = 1 << 25  # logits in float32 at a time: 128 MB


def token_losses(
    loaded: Loaded, conversations: Sequence[Conversation], targets: Sequence[Target]
) -> list[TokenLosses]:
    """Losses of each target after its conversation; see ``LossModel``.

    Raises:
        ModelError: The lists differ in length, a row is longer than the model, or a loss is no number.
    """
    if len(conversations) != len(targets):
        raise ModelError(f"{len(conversations)} conversations but {len(targets)} targets; expected one each")
    encoded = [loaded.text.encode(c, t) for c, t in zip(conversations, targets, strict=True)]
    nats = score(loaded, encoded)
    return [
        TokenLosses(losses, np.array(row.answer, dtype=bool), np.array(row.reasoning, dtype=bool))
        for losses, row in zip(nats, encoded, strict=True)
    ]


def score(loaded: Loaded, rows: Sequence[Encoded]) -> list[Floats]:
    """(target_count,) nats of each row's target tokens, in order.

    No result depends on batch or padding beyond rounding (1e-5 in float32).

    Raises:
        ModelError: A row is longer than the model, or a loss is no number.
    """
    check_lengths(loaded, rows)
    found = run_batches(
        [len(row.ids) for row in rows],
        lambda batch: _score_batch(loaded, [rows[i] for i in batch]),
        batch_tokens=loaded.batch_tokens,
        what=loaded.name,
    )
    check_numbers(loaded, found)
    return found


def check_lengths(loaded: Loaded, rows: Sequence[Encoded], *, numbers: Sequence[int] | None = None) -> None:
    """Refuse a row that is longer than the model; ``numbers`` are the rows' names where they differ.

    Raises:
        ModelError: Names the row, its tokens and the limit.
    """
    for place, row in enumerate(rows):
        if loaded.limit is not None and len(row.ids) > loaded.limit:
            raise ModelError(
                f"{loaded.name}: row {numbers[place] if numbers else place} has {len(row.ids)} tokens, the "
                f"model reads {loaded.limit}; shorten the row or give fewer shots in the prompt"
            )


def check_numbers(loaded: Loaded, rows: Sequence[Floats]) -> None:
    """Refuse losses that are no finite numbers.

    Raises:
        ModelError: Names the row.
    """
    for number, nats in enumerate(rows):
        if not np.isfinite(nats).all():
            raise ModelError(
                f"{loaded.name}: row {number} has a loss that is no finite number; weights or activations "
                "overflow: audit the weights, or use dtype bfloat16 or float32"
            )


def _score_batch(loaded: Loaded, rows: Sequence[Encoded]) -> list[Floats]:
    """One right-padded batch; logits exist only from the first target position on."""
    import torch

    longest = max(len(row.ids) for row in rows)
    first = min(row.start for row in rows) - 1
    ids = torch.zeros(len(rows), longest, dtype=torch.long)  # (B, T)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = torch.tensor(row.ids)
        mask[i, : len(row.ids)] = 1
    where = [(i, t - first) for i, row in enumerate(rows) for t in range(row.start - 1, len(row.ids) - 1)]
    at = torch.tensor(where).T.to(loaded.device)  # (2, N)
    wanted = torch.tensor([token for row in rows for token in row.ids[row.start :]]).to(loaded.device)
    with torch.inference_mode():
        logits = _logits(loaded, ids.to(loaded.device), mask.to(loaded.device), first)  # (B, U, V)
        nats = cross_entropy(logits, at, wanted).cpu().numpy()
    return np.split(nats, np.cumsum([row.target_count for row in rows])[:-1])


def _logits(loaded: Loaded, ids: Tensor, mask: Tensor, first: int) -> Tensor:
    """Logits of the positions from ``first`` to the last but one: nothing is predicted after the last."""
    import torch

    keep = torch.arange(first, ids.shape[1] - 1, device=ids.device)
    if "logits_to_keep" in inspect.signature(loaded.model.forward).parameters:
        out = loaded.model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=keep)
        found: Tensor = out.logits
        return found
    found = loaded.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return found[:, keep]


def cross_entropy(logits: Tensor, at: Tensor, wanted: Tensor) -> Tensor:
    """(N,) float32 losses of the wanted tokens; the softmax is in float32, a slice at a time."""
    import torch

    step = max(1, _FLOATS_AT_ONCE // logits.shape[-1])
    found = [
        torch.nn.functional.cross_entropy(
            logits[at[0, i : i + step], at[1, i : i + step]].float(), wanted[i : i + step], reduction="none"
        )
        for i in range(0, len(wanted), step)
    ]
    return torch.cat(found)
