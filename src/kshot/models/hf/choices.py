"""Log-likelihoods of choices as the next reply; the choices of a row share the work on its prompt."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.models.base import ChoiceScores, Floats
from kshot.models.hf.batches import run_batches
from kshot.models.hf.loading import Loaded
from kshot.models.hf.losses import check_lengths, check_numbers, cross_entropy, score
from kshot.models.text.text_format import Encoded

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """The choices of one row, how many first tokens are the same for all, and its prompt's tokens."""

    choices: tuple[Encoded, ...]
    shared: int
    prompt_tokens: int

    @property
    def tokens(self) -> int:
        """Padded tokens of its choices."""
        return len(self.choices) * max(len(choice.ids) for choice in self.choices)

    def part(self, places: Sequence[int]) -> ChoiceRow:
        """The row with some of its choices."""
        return ChoiceRow(tuple(self.choices[place] for place in places), self.shared, self.prompt_tokens)


def choice_scores(
    loaded: Loaded, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
) -> list[ChoiceScores]:
    """Log-likelihoods of the choices of each row, without end token; see ``LossModel``.

    Prompt and choice are tokenised once, so a choice is scored as it would stand in the text. Where the
    tokens of one choice begin those of another, the shorter would always win: then all choices of that row,
    and of no other, are scored with the end token that targets have. A model that names no end token scores
    them without, and the shorter wins.

    Raises:
        ModelError: The lists differ in length, a row has no choices or is longer than the model, or a loss
            is no number.
    """
    rows = choice_rows(loaded, conversations, choices)
    if not can_share(loaded):
        flat = iter(score(loaded, [choice for row in rows for choice in row.choices]))
        found = [[next(flat) for _ in row.choices] for row in rows]
    else:
        found = run_batches(
            [row.tokens for row in rows],
            lambda batch: _run(loaded, [rows[i] for i in batch]),
            batch_tokens=loaded.batch_tokens,
            what=loaded.name,
        )
    check_numbers(loaded, [np.concatenate(nats) for nats in found])
    return [as_scores(nats, row) for nats, row in zip(found, rows, strict=True)]


def choice_rows(
    loaded: Loaded, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
) -> list[ChoiceRow]:
    """The choices of each row as tokens.

    Raises:
        ModelError: A row has no choice, or does not fit the model's positions.
    """
    if len(conversations) != len(choices):
        raise ModelError(f"{len(conversations)} conversations but {len(choices)} rows of choices")
    rows = []
    for number, (conversation, texts) in enumerate(zip(conversations, choices, strict=True)):
        if not texts:
            raise ModelError(f"row {number}: has no choices to score")
        encoded = _encoded(loaded, conversation, texts)
        check_lengths(loaded, encoded, numbers=[number] * len(encoded))
        # the last shared token is read again with each choice: it is the one that predicts
        shared = min(_common(encoded), *(choice.start for choice in encoded)) - 1
        rows.append(ChoiceRow(encoded, shared, len(loaded.text.encode_prompt(conversation))))
    return rows


def _encoded(loaded: Loaded, conversation: Conversation, texts: Sequence[str]) -> tuple[Encoded, ...]:
    """Each choice after the prompt; with end token where one choice begins another."""
    targets = [Target(text, (0, len(text))) for text in texts]
    plain = tuple(loaded.text.encode(conversation, target, end=False) for target in targets)
    if not _one_begins_another(plain):
        return plain
    return tuple(loaded.text.encode(conversation, target) for target in targets)


def _one_begins_another(choices: Sequence[Encoded]) -> bool:
    """Whether the tokens of one choice are a proper prefix of another's."""
    # in sorted order, whatever begins with a sequence stands right behind it
    ordered = sorted({choice.ids for choice in choices})
    return any(after[: len(before)] == before for before, after in pairwise(ordered))


def _common(choices: Sequence[Encoded]) -> int:
    """How many first tokens all choices have in common."""
    columns = zip(*(choice.ids for choice in choices), strict=False)
    return next((i for i, column in enumerate(columns) if len(set(column)) > 1), len(choices[0].ids))


def can_share(loaded: Loaded) -> bool:
    """Whether a cache can be filled once and read by several rows at positions that are given."""
    accepted = inspect.signature(loaded.model.forward).parameters
    return {"past_key_values", "position_ids", "logits_to_keep"} <= accepted.keys()


def _run(loaded: Loaded, rows: Sequence[ChoiceRow]) -> list[list[Floats]]:
    """Losses of each row's choices; a row alone in its batch is divided further where it must be."""
    if len(rows) > 1:
        return _run_together(loaded, rows)
    row = rows[0]
    return [
        run_batches(
            [len(choice.ids) for choice in row.choices],
            lambda places: _run_together(loaded, [row.part(places)])[0],
            batch_tokens=loaded.batch_tokens,
            what=loaded.name,
        )
    ]


def _run_together(loaded: Loaded, rows: Sequence[ChoiceRow]) -> list[list[Floats]]:
    """One batch: prompts first, left-padded, then every choice on a copy of its prompt's cache."""
    if min(row.shared for row in rows) < 1 or all(len(row.choices) == 1 for row in rows):
        flat = iter(score(loaded, [choice for row in rows for choice in row.choices]))
        return [[next(flat) for _ in row.choices] for row in rows]
    import torch

    with torch.inference_mode():
        mask, cache = _prompts(loaded, rows)  # (B, P)
        owner = torch.tensor([i for i, row in enumerate(rows) for _ in row.choices], device=loaded.device)
        cache.batch_select_indices(owner)
        flat = iter(_replies(loaded, rows, mask[owner], cache))
    return [[next(flat) for _ in row.choices] for row in rows]


def _prompts(loaded: Loaded, rows: Sequence[ChoiceRow]) -> tuple[Tensor, Any]:
    """Attention mask and cache of what the choices of each row share."""
    import torch

    longest = max(row.shared for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)  # (B, P)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, longest - row.shared :] = torch.tensor(row.choices[0].ids[: row.shared])
        mask[i, longest - row.shared :] = 1
    ids, mask = ids.to(loaded.device), mask.to(loaded.device)
    out = loaded.model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        use_cache=True,
        logits_to_keep=1,
    )
    return mask, out.past_key_values


def _replies(loaded: Loaded, rows: Sequence[ChoiceRow], before: Tensor, cache: Any) -> list[Floats]:
    """Losses of every choice of every row, right-padded behind the cached prompts."""
    import torch

    tails = [(row.shared, choice) for row in rows for choice in row.choices]
    longest = max(len(choice.ids) - shared for shared, choice in tails)
    ids = torch.zeros(len(tails), longest, dtype=torch.long)  # (N, S)
    mask = torch.zeros_like(ids)
    for i, (shared, choice) in enumerate(tails):
        count = len(choice.ids) - shared
        ids[i, :count], mask[i, :count] = torch.tensor(choice.ids[shared:]), 1
    mask = torch.cat([before, mask.to(loaded.device)], dim=1)  # (N, P + S)
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, before.shape[1] :]
    out = loaded.model(
        input_ids=ids.to(loaded.device),
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
    )
    where = [(i, t - s - 1) for i, (s, c) in enumerate(tails) for t in range(c.start, len(c.ids))]
    wanted = torch.tensor([token for _, choice in tails for token in choice.ids[choice.start :]])
    at = torch.tensor(where).T.to(loaded.device)  # (2, tokens)
    nats = cross_entropy(out.logits, at, wanted.to(loaded.device)).cpu().numpy()
    return np.split(nats, np.cumsum([choice.target_count for _, choice in tails])[:-1])


def as_scores(nats: Sequence[Floats], row: ChoiceRow) -> ChoiceScores:
    """The losses of a row's choices, token by token, as its scores."""
    return ChoiceScores(
        np.array([-losses.sum(dtype=np.float64) for losses in nats], dtype=np.float32),
        np.array([choice.target_count for choice in row.choices], dtype=np.int64),
        np.array([choice.target_chars for choice in row.choices], dtype=np.int64),
        row.prompt_tokens,
    )
