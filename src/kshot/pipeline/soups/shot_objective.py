"""The mixed model's own loss on the shots, for any weights: what temperature and searches go by."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol, final

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Conversation, Example
from kshot.data.template import Target
from kshot.models.base import TokenLosses
from kshot.models.lora import LoraAdapter, concatenated
from kshot.pipeline.soups.ingredients import Ingredients
from kshot.pipeline.workbench import Workbench

Weights = NDArray[np.float64]


class Mixes(Protocol):
    """A mix of N members under any weights, asked for losses."""

    def token_losses(
        self, weights: Weights, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        """Losses of each target under the mix; ``weights`` (N,) sum to 1, the base's first."""


@final
class ShotObjective:
    """(R,) nats per token of the answer of R shots under the mix of given weights.

    The same figure as a member's own loss: the weights (1, 0, ..., 0) give the base's.
    """

    def __init__(self, mixes: Mixes, bench: Workbench, shots: Sequence[Example]) -> None:
        self._mixes = mixes
        self._conversations = [bench.template.conversation(shot) for shot in shots]
        self._targets = [bench.template.target(shot) for shot in shots]

    def __call__(self, weights: Weights, rows: Sequence[int]) -> Weights:
        """Losses of the shots at these places."""
        asked = [self._conversations[row] for row in rows]
        found = self._mixes.token_losses(weights, asked, [self._targets[row] for row in rows])
        return np.array([row.nats[row.answer].mean(dtype=np.float64) for row in found])


@contextmanager
def shot_objective(
    bench: Workbench, made_of: Ingredients, shots: Sequence[Example]
) -> Iterator[ShotObjective]:
    """The objective of a draw of shots; what it holds in memory is let go after the block.

    Adapters are added up in memory, where they are plain LoRA of this base; else each sum is written and
    attached by PEFT. With full models all members stay in memory and each mix is made in place.

    Raises:
        ModelError: A member does not fit the base, or there is too little memory.
    """
    yield ShotObjective(_mixes(bench, made_of), bench, shots)


def _mixes(bench: Workbench, made_of: Ingredients) -> Mixes:
    if not made_of.adapters_alone:
        return _Resident(bench, made_of)
    from kshot.models.hf.group.weighted import can_weigh

    folders = [member.folder for member in made_of.members[1:]]
    if can_weigh(bench.model.loaded, folders):
        return _Summed(bench, folders)
    return _Written(bench, folders)


@final
class _Summed:
    """Adapters added up in memory."""

    def __init__(self, bench: Workbench, folders: Sequence[Path]) -> None:
        from kshot.models.hf.group.weighted import WeightedAdapters

        self._sums = WeightedAdapters(bench.model.loaded, folders)

    def token_losses(
        self, weights: Weights, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        return self._sums.token_losses(weights[1:].tolist(), conversations, targets)


@final
class _Written:
    """Adapters added up on the disk, for bases whose forward cannot be shared."""

    def __init__(self, bench: Workbench, folders: Sequence[Path]) -> None:
        self._model = bench.model
        self._adapters = [LoraAdapter.load(folder) for folder in folders]

    def token_losses(
        self, weights: Weights, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        with tempfile.TemporaryDirectory() as scratch:
            mix = concatenated(self._adapters, weights[1:].tolist()).save(Path(scratch) / "mix")
            return self._model.adapted(mix).token_losses(conversations, targets)


@final
class _Resident:
    """Full models, and adapters beside them, mixed in place; the workbench's own model is left alone."""

    def __init__(self, bench: Workbench, made_of: Ingredients) -> None:
        from kshot.models.checkpoint.members import open_member
        from kshot.models.checkpoint.resident import ResidentMix

        members = [open_member(member.folder) for member in made_of.members]
        loaded = bench.model.loaded
        self._like = loaded
        self._mix = ResidentMix.open(
            members,
            "decoder",
            device=str(loaded.device),
            dtype=str(loaded.model.dtype).removeprefix("torch."),
        )

    def token_losses(
        self, weights: Weights, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        from kshot.models.hf.losses import token_losses

        self._mix.set(weights.tolist())
        mixed = replace(self._like, model=self._mix.mixable.module, name="a mix")
        return token_losses(mixed, conversations, targets)
