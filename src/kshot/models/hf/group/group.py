"""ExpertGroup: several adapters of one base model that answer the same rows in the same forwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.models.base import ChoiceScores, Floats, Reply, TokenLosses
from kshot.models.hf.batches import run_batches
from kshot.models.hf.choices import as_scores, can_share
from kshot.models.hf.generate import Decoding
from kshot.models.hf.group.decode import write_replies
from kshot.models.hf.group.factors import Stacks
from kshot.models.hf.group.layers import attached
from kshot.models.hf.group.passes import Reader, read_shared, read_tails
from kshot.models.hf.group.rows import AskedRow, asked_rows
from kshot.models.hf.loading import Loaded
from kshot.models.hf.losses import check_numbers


@dataclass(frozen=True, slots=True)
class Answers:
    """What one expert said to N conversations; empty where it was not asked.

    Attributes:
        losses: (N,) of the targets.
        choices: (N,) of the choices.
        replies: (N,) greedy.
    """

    losses: tuple[TokenLosses, ...] = ()
    choices: tuple[ChoiceScores, ...] = ()
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """One row under one expert."""

    nats: list[Floats]
    reply: Reply | None


@final
class ExpertGroup:
    """G experts on one base, asked together.

    What an expert answers is what it answers alone (``AdaptedModel``), to rounding, whatever the group and
    the batch. Rows x experts of a batch stay within the base's ``batch_tokens``; prompts are read once for
    losses, choices and replies together, and what all prompts have in common once for each expert. The base
    is as it was after each call.

    Attributes:
        names: (G,) of the experts, in order.
    """

    def __init__(self, base: Loaded, names: Sequence[str], stacks: Stacks) -> None:
        self.names = tuple(names)
        self._base = dataclasses.replace(base, name=self.names[0])
        self._stacks = stacks
        self._shares_prefix = cache_kinds(base.model) == {"DynamicLayer"}

    def close(self) -> None:
        """Let the adapters' weights go; the group cannot be asked afterwards."""
        self._stacks = {}

    def token_losses(
        self, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[list[TokenLosses]]:
        """[expert][row]: losses of each target after its conversation."""
        return [list(one.losses) for one in self.ask(conversations, targets=targets)]

    def choice_scores(
        self, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
    ) -> list[list[ChoiceScores]]:
        """[expert][row]: log-likelihood of every choice as the next reply."""
        return [list(one.choices) for one in self.ask(conversations, choices=choices)]

    def generate(
        self, conversations: Sequence[Conversation], *, max_new_tokens: int = 64, stop: Sequence[str] = ()
    ) -> list[list[Reply]]:
        """[expert][row]: one greedy reply a conversation."""
        decoding = Decoding(max_new_tokens, stop=stop)
        return [list(one.replies) for one in self.ask(conversations, decoding=decoding)]

    def ask(
        self,
        conversations: Sequence[Conversation],
        *,
        targets: Sequence[Target] | None = None,
        choices: Sequence[Sequence[str]] | None = None,
        decoding: Decoding | None = None,
    ) -> list[Answers]:
        """Losses, choices and greedy replies in one go; (G,) in the order of ``names``.

        Raises:
            ModelError: As ``token_losses``, ``choice_scores`` and ``generate_replies``; the message names the
                expert.
        """
        if not self._stacks:
            raise ModelError(f"{', '.join(self.names)}: the group is closed; take it from together anew")
        rows = asked_rows(self._base, conversations, targets=targets, choices=choices, decoding=decoding)
        if not rows or (targets is None and choices is None and decoding is None):
            return [Answers() for _ in self.names]
        with attached(self._base.model, self._stacks) as layers:
            reader = Reader(self._base, layers, self._shares_prefix)
            found = run_batches(
                [len(self.names) * row.tokens for row in rows],
                lambda batch: self._batch(reader, [rows[i] for i in batch], decoding),
                batch_tokens=self._base.batch_tokens,
                what=self._base.name,
            )
        return [self._answers(g, rows, [row[g] for row in found]) for g in range(len(self.names))]

    def _batch(
        self, reader: Reader, rows: Sequence[AskedRow], decoding: Decoding | None
    ) -> list[list[_Found]]:
        """[row][expert]; experts are divided only where one row with all of them is too much."""
        everybody = list(range(len(self.names)))
        if len(rows) > 1:
            return [list(row) for row in zip(*self._together(reader, rows, everybody, decoding), strict=True)]
        found = run_batches(
            [rows[0].tokens for _ in everybody],
            lambda experts: self._row(reader, rows[0], sorted(experts), decoding),
            batch_tokens=self._base.batch_tokens,
            what=self._base.name,
        )
        return [found]

    def _row(
        self, reader: Reader, row: AskedRow, experts: Sequence[int], decoding: Decoding | None
    ) -> list[_Found]:
        """One row; what is scored is divided only where it is too much for one expert."""
        if len(experts) > 1 or len(row.tails) < 2:
            return [line[0] for line in self._together(reader, [row], experts, decoding)]
        nats = run_batches(
            [len(tail.ids) for tail in row.tails],
            lambda tails: self._together(reader, [row.scoring(tails)], experts, None)[0][0].nats,
            batch_tokens=self._base.batch_tokens,
            what=self._base.name,
        )
        if decoding is None:
            return [_Found(nats, None)]
        return [_Found(nats, self._together(reader, [row.replying()], experts, decoding)[0][0].reply)]

    def _together(
        self, reader: Reader, rows: Sequence[AskedRow], experts: Sequence[int], decoding: Decoding | None
    ) -> list[list[_Found]]:
        """[expert][row] of one batch."""
        import torch

        nats: list[list[list[Floats]]] = [[[] for _ in rows] for _ in experts]
        replies: Sequence[Sequence[Reply | None]] = [[None] * len(rows)] * len(experts)
        with torch.inference_mode():
            context, parts = read_shared(reader, rows, experts)
            if rows[0].tails:
                nats = read_tails(context, rows, parts)
            if decoding is not None:
                replies = write_replies(context, rows, parts, decoding, self.names)
        return [
            [_Found(*pair) for pair in zip(*line, strict=True)] for line in zip(nats, replies, strict=True)
        ]

    def _answers(self, expert: int, rows: Sequence[AskedRow], found: Sequence[_Found]) -> Answers:
        named = dataclasses.replace(self._base, name=self.names[expert])
        check_numbers(named, [np.concatenate(one.nats) for one in found if one.nats])
        losses, choices = [], []
        for row, one in zip(rows, found, strict=True):
            scored = list(one.nats)
            if row.target is not None:
                masks = (np.array(mask, dtype=bool) for mask in (row.target.answer, row.target.reasoning))
                losses.append(TokenLosses(scored.pop(0), *masks))
            if row.choices is not None:
                choices.append(as_scores(scored, row.choices))
        replies = tuple(one.reply for one in found if one.reply is not None)
        return Answers(tuple(losses), tuple(choices), replies)


def can_group(base: Loaded) -> bool:
    """Whether a base is on one device, and its cache can be filled once and read by several rows."""
    devices = {parameter.device for parameter in base.model.parameters()}
    kinds = {"DynamicLayer", "DynamicSlidingWindowLayer"}
    return len(devices) == 1 and can_share(base) and cache_kinds(base.model) <= kinds


def cache_kinds(model: Any) -> set[str]:
    """Which layers the model's cache is made of."""
    from transformers import DynamicCache

    return {type(layer).__name__ for layer in DynamicCache(config=model.config).layers}
