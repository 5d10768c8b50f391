"""Rows to learn from and rows to stop by, as tokens."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.models.hf.model import HfModel
from kshot.models.text.encoded import Encoded
from kshot.models.train.settings import TrainSettings

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100  # transformers' label for tokens that are not learned


@dataclass(frozen=True, slots=True)
class TrainRows:
    """What is learned from, and what training stops by.

    Attributes:
        conversations: What is asked.
        targets: What is to be replied, one for each conversation.
        held_conversations: Of rows that are kept aside: the weights with the lowest loss on them are kept.
        held_targets: Theirs.

    Raises:
        ModelError: The lists differ in length.
    """

    conversations: Sequence[Conversation]
    targets: Sequence[Target]
    held_conversations: Sequence[Conversation] = ()
    held_targets: Sequence[Target] = ()

    def __post_init__(self) -> None:
        pairs = (self.conversations, self.targets, ""), (self.held_conversations, self.held_targets, "held ")
        for conversations, targets, which in pairs:
            if len(conversations) != len(targets):
                raise ModelError(
                    f"{len(conversations)} {which}conversations but {len(targets)} {which}targets; "
                    "expected one each"
                )


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows as tokens.

    Attributes:
        learned: Rows to learn from.
        held: Rows to stop by; empty: nothing stops training early.
        too_long: Numbers of the given rows to learn from that were left out.
        kept_aside: Numbers of those that were moved to ``held``.
    """

    learned: tuple[Encoded, ...]
    held: tuple[Encoded, ...] = ()
    too_long: tuple[int, ...] = ()
    kept_aside: tuple[int, ...] = ()


def encoded_rows(base: HfModel, rows: TrainRows, settings: TrainSettings) -> EncodedRows:
    """The rows as tokens, exactly as for scoring; rows that are too long are left out.

    Raises:
        ModelError: No row is left to learn from, or to stop by where some were given.
    """
    most = min(settings.max_tokens, base.loaded.limit or settings.max_tokens)
    whole = _encoded(base, rows.conversations, rows.targets)
    fits = [number for number, row in enumerate(whole) if len(row.ids) <= most]
    if not fits:
        reason = f"all {len(whole)} rows have more than {most} tokens" if whole else "no rows were given"
        raise ModelError(f"nothing to train on: {reason}")
    given = _encoded(base, rows.held_conversations, rows.held_targets)
    held = [row for row in given if len(row.ids) <= most]
    if given and not held:
        raise ModelError(f"nothing to stop by: all {len(given)} held-back rows have more than {most} tokens")
    aside = [] if given else _kept_aside(fits, settings)
    apart, fit = set(aside), set(fits)
    return EncodedRows(
        learned=tuple(whole[number] for number in fits if number not in apart),
        held=tuple(held or [whole[number] for number in aside]),
        too_long=tuple(number for number in range(len(whole)) if number not in fit),
        kept_aside=tuple(aside),
    )


def collated(rows: Sequence[Encoded]) -> dict[str, Tensor]:
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


def _encoded(
    base: HfModel, conversations: Sequence[Conversation], targets: Sequence[Target]
) -> list[Encoded]:
    return [base.text.encode(c, t) for c, t in zip(conversations, targets, strict=True)]


def _kept_aside(numbers: Sequence[int], settings: TrainSettings) -> list[int]:
    """Row numbers in order; one row at least is left to learn from, as the share is below 1."""
    count = int(settings.held_back * len(numbers))
    return sorted(random.Random(settings.seed).sample(list(numbers), count))
