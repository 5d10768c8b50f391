"""The rows that a group is asked: what their texts have in common is read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.models.hf.choices import ChoiceRow, choice_rows
from kshot.models.hf.generate import Decoding, reply_rows
from kshot.models.hf.loading import Loaded
from kshot.models.hf.losses import check_lengths
from kshot.models.text.text_format import Encoded


@dataclass(frozen=True, slots=True)
class AskedRow:
    """What one conversation is asked.

    Attributes:
        target: Whose losses are read, if so.
        choices: What is compared, if so.
        prompt: Tokens that a reply continues; empty where none is wanted.
        budget: Tokens that the reply may have.
        tails: What is scored: the target, then the choices.
        shared: How many first tokens all of these have in common; the last one is left out, as it predicts
            and is read again with each.
    """

    target: Encoded | None
    choices: ChoiceRow | None
    prompt: tuple[int, ...]
    budget: int
    tails: tuple[Encoded, ...]
    shared: int = 0

    @classmethod
    def of(
        cls, target: Encoded | None, choices: ChoiceRow | None, prompt: Sequence[int], budget: int
    ) -> AskedRow:
        """A row with its tails, and what they share."""
        tails = (() if target is None else (target,)) + (() if choices is None else choices.choices)
        sequences = [tail.ids[: tail.start] for tail in tails] + ([tuple(prompt)] if prompt else [])
        shared = max(_common(sequences) - 1, 0) if sequences else 0
        return cls(target, choices, tuple(prompt), budget, tails, shared)

    @property
    def ids(self) -> tuple[int, ...]:
        """Tokens of which the first ``shared`` are everybody's."""
        return self.prompt or self.tails[0].ids

    @property
    def tokens(self) -> int:
        """Tokens that the row takes in a batch."""
        scored = len(self.tails) * max((len(tail.ids) for tail in self.tails), default=0)
        return max(scored, len(self.prompt) + self.budget)

    def scoring(self, places: Sequence[int]) -> AskedRow:
        """The row with these tails alone, and no reply."""
        return replace(self, prompt=(), budget=0, tails=tuple(self.tails[place] for place in places))

    def replying(self) -> AskedRow:
        """The row with its reply alone."""
        return replace(self, tails=())


def asked_rows(
    loaded: Loaded,
    conversations: Sequence[Conversation],
    *,
    targets: Sequence[Target] | None,
    choices: Sequence[Sequence[str]] | None,
    decoding: Decoding | None,
) -> list[AskedRow]:
    """The rows as tokens.

    Raises:
        ModelError: The lists differ in length, a row has no choices, or one is longer than the model.
    """
    scored: Sequence[Encoded | None] = [None] * len(conversations)
    if targets is not None:
        if len(conversations) != len(targets):
            found = f"{len(conversations)} conversations but {len(targets)} targets"
            raise ModelError(f"{found}; expected one each")
        encoded = [loaded.text.encode(c, t) for c, t in zip(conversations, targets, strict=True)]
        check_lengths(loaded, encoded)
        scored = encoded
    compared = [None] * len(conversations) if choices is None else choice_rows(loaded, conversations, choices)
    written = [] if decoding is None else reply_rows(loaded, conversations, decoding)
    replies = [(row.prompt, row.budget) for row in written] or [([], 0)] * len(conversations)
    return [AskedRow.of(t, c, *reply) for t, c, reply in zip(scored, compared, replies, strict=True)]


def together_from(rows: Sequence[AskedRow]) -> list[int]:
    """Where each row of a batch parts from what is read once; 0 for all where one row has nothing to share.

    Rows that are to be continued keep as many prompt tokens behind that place as one another, so that
    nothing stands between a prompt and its reply.
    """
    behind = max((len(row.prompt) - row.shared for row in rows if row.prompt), default=0)
    parts = [len(row.prompt) - behind if row.prompt else row.shared for row in rows]
    return parts if min(parts) > 0 else [0] * len(rows)


def common_prefix(rows: Sequence[AskedRow], parts: Sequence[int]) -> int:
    """How many first tokens the shared parts of all rows have in common."""
    return _common([row.ids[:part] for row, part in zip(rows, parts, strict=True)])


def _common(sequences: Sequence[tuple[int, ...]]) -> int:
    """How many first tokens all of them have in common."""
    first, last = min(sequences), max(sequences)  # what these two share, all do
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
