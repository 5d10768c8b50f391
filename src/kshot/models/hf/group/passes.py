"""One batch of rows x experts: what is shared is read once, then what is scored, then replies are written."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from kshot.models.base import Floats
from kshot.models.hf.group.layers import Attached
from kshot.models.hf.group.rows import AskedRow, common_prefix, together_from
from kshot.models.hf.loading import Loaded
from kshot.models.hf.losses import cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

# tokens at the head of all rows that are worth a pass of their own
_PREFIX_FROM = 8


@dataclass(frozen=True, slots=True)
class Reader:
    """A base model with a group attached.

    Attributes:
        loaded: The base.
        layers: Whose rows are read.
        shares_prefix: Whether a cache may hold a gap: not where layers see a window of the last tokens only.
    """

    loaded: Loaded
    layers: Attached
    shares_prefix: bool


@final
class Context:
    """What a batch has read so far: B rows, those of one expert behind one another.

    Attributes:
        reader: Who reads.
        experts: E experts of the group, in order; B is a multiple of E.
        mask: (B, S) which places of the cache hold tokens.
        cache: Keys and values of these places; None before the first token.
    """

    def __init__(self, reader: Reader, experts: Sequence[int], mask: Tensor, cache: Any = None) -> None:
        self.reader = reader
        self.experts = tuple(experts)
        self.mask = mask
        self.cache = cache

    def read(self, ids: Tensor, mask: Tensor, *, keep: int | Tensor = 1, stays: bool = True) -> Tensor:
        """Logits (B, U, V) of the places ``keep`` of tokens (B, T), which are then part of the context.

        Nothing can be read behind tokens of which it is said that they do not stay.
        """
        import torch

        loaded = self.reader.loaded
        self.reader.layers.select(self.experts, rows=len(ids))
        self.mask = torch.cat([self.mask, mask], dim=1)
        # a row that is done may still be in the batch: its positions must not run over the model's
        most = None if loaded.limit is None else loaded.limit - 1
        positions = (self.mask.cumsum(1) - 1).clamp(min=0, max=most)[:, -ids.shape[1] :]
        out = loaded.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=stays or self.cache is not None,
            logits_to_keep=keep,
        )
        self.cache = out.past_key_values
        logits: Tensor = out.logits
        return logits

    def branch(self) -> Context:
        """A context that goes on from here while this one stays; no key or value is copied."""
        cache = copy.copy(self.cache)
        if cache is not None:  # layers replace their tensors when they grow
            cache.layers = [copy.copy(layer) for layer in cache.layers]
        return Context(self.reader, self.experts, self.mask, cache)

    def choose(self, rows: Sequence[int], *, experts: Sequence[int] | None = None) -> None:
        """Keep these rows, in this order; ``experts`` are whose they are then."""
        import torch

        index = torch.tensor(rows, device=self.mask.device)
        self.mask = self.mask[index]
        if self.cache is not None:
            self.cache.batch_select_indices(index)
        self.experts = self.experts if experts is None else tuple(experts)


def read_shared(
    reader: Reader, rows: Sequence[AskedRow], experts: Sequence[int]
) -> tuple[Context, list[int]]:
    """A context that has read what the tails of each row share, and how many tokens that is (N,).

    What all rows have in common is read once for each expert.
    """
    import torch

    device = reader.loaded.device
    parts = together_from(rows)
    count = common_prefix(rows, parts) if reader.shares_prefix and len(rows) > 1 else 0
    count = count if count >= _PREFIX_FROM else 0
    if not count and all(len(row.tails) == 1 and not row.prompt for row in rows):
        parts = [0] * len(rows)  # nothing is read twice, so one pass is enough
    if count:
        context = Context(reader, experts, torch.zeros(len(experts), 0, dtype=torch.long, device=device))
        context.read(*filled([rows[0].ids[:count]], len(experts), device))
        context.choose([e for e in range(len(experts)) for _ in rows])
    else:
        start = torch.zeros(len(experts) * len(rows), 0, dtype=torch.long, device=device)
        context = Context(reader, experts, start)
    rests = [row.ids[count:part] for row, part in zip(rows, parts, strict=True)]
    if any(rests):
        context.read(*filled(rests, len(experts), device, left=True))
    return context, parts


def read_tails(context: Context, rows: Sequence[AskedRow], parts: Sequence[int]) -> list[list[list[Floats]]]:
    """Losses of each tail of each row under each expert: [expert][row][tail] -> (target_count,) nats."""
    import torch

    counts = [len(row.tails) for row in rows]
    tails = [(part, tail) for row, part in zip(rows, parts, strict=True) for tail in row.tails]  # M
    experts, device = len(context.experts), context.reader.loaded.device
    context = context.branch()
    if set(counts) != {1}:
        owners = [i for i, count in enumerate(counts) for _ in range(count)]  # (M,)
        context.choose([e * len(rows) + i for e in range(experts) for i in owners])
    ids, mask = filled([tail.ids[part:] for part, tail in tails], experts, device)  # (E M, T)
    first = min(tail.start - part for part, tail in tails) - 1
    keep = torch.arange(first, ids.shape[1] - 1, device=device)
    logits = context.read(ids, mask, keep=keep, stays=False)  # (E M, U, V)
    places = [
        (m, t - part - 1 - first)
        for m, (part, tail) in enumerate(tails)
        for t in range(tail.start, len(tail.ids))
    ]
    at = torch.tensor(places, device=device).T  # (2, L)
    owner = torch.arange(experts, device=device).repeat_interleave(at.shape[1]) * len(tails)
    at = torch.stack([at[0].repeat(experts) + owner, at[1].repeat(experts)])  # (2, E L)
    wanted = torch.tensor([token for _, tail in tails for token in tail.ids[tail.start :]], device=device)
    nats = cross_entropy(logits, at, wanted.repeat(experts)).cpu().numpy().reshape(experts, -1)
    cuts = np.cumsum([tail.target_count for _, tail in tails])[:-1]
    found = []
    for line in nats:
        each = iter(np.split(line, cuts))
        found.append([[next(each) for _ in range(count)] for count in counts])
    return found


def filled(
    rows: Sequence[Sequence[int]], experts: int, device: Any, *, left: bool = False
) -> tuple[Tensor, Tensor]:
    """Token ids and mask (E N, T) of the same rows for each expert, padded right or left."""
    import torch

    longest = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        place = slice(longest - len(row), None) if left else slice(0, len(row))
        ids[i, place] = torch.tensor(row, dtype=torch.long)
        mask[i, place] = 1
    return ids.repeat(experts, 1).to(device), mask.repeat(experts, 1).to(device)
