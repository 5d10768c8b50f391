"""An export held against the mixture that it was made from; and static gates baked into a model's weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

import numpy as np

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import DataError, ModelError
from kshot.methods.moe.export import MeanGates, merged
from kshot.methods.moe.read import read_mixture
from kshot.models.base import LanguageModel, LossModel
from kshot.models.folders import new_folder
from kshot.models.hf.model import HfModel


class Answering(LanguageModel, LossModel, Protocol):
    """A model that replies and whose likelihoods can be read."""


@final
@dataclass(frozen=True, slots=True)
class Parity:
    """How far two models are apart on the same conversations.

    Attributes:
        rows: Conversations.
        tokens: Tokens compared: of the first model's greedy replies, end token included.
        largest: Largest absolute difference of a token's log-probability, in nats.
        mean: Mean absolute difference.
        equal_share: Share of the conversations whose greedy replies are the same text.
    """

    rows: int
    tokens: int
    largest: float
    mean: float
    equal_share: float


def parity(
    base: HfModel,
    mixture: str | Path,
    export: str | Path,
    conversations: Sequence[Conversation],
    *,
    max_new_tokens: int = 64,
) -> Parity:
    """A mixture and its export on the same base; ``import kshot.peft`` comes first.

    Raises:
        AdapterError: One of the folders does not fit the base.
        DataError: There is no conversation.

    Example::

        told = parity(base, "runs/mixture", "runs/plain", conversations)
        print(f"{told.equal_share:.0%} of replies equal, at most {told.largest:.2g} nats apart")
    """
    one, other = base.adapted(mixture), base.adapted(export)
    return compare(one, other, conversations, max_new_tokens=max_new_tokens)


def compare(
    one: Answering, other: Answering, conversations: Sequence[Conversation], *, max_new_tokens: int = 64
) -> Parity:
    """Two models on the same conversations: greedy replies, and log-probabilities of the first one's replies.

    Raises:
        DataError: There is no conversation.
    """
    if not conversations:
        raise DataError("no conversation was given to compare on; expected some rows")
    replies = one.generate(conversations, max_new_tokens=max_new_tokens)
    others = other.generate(conversations, max_new_tokens=max_new_tokens)
    targets = [Target(reply.text, (0, len(reply.text))) for reply in replies]
    mine, theirs = one.token_losses(conversations, targets), other.token_losses(conversations, targets)
    apart = np.concatenate([np.abs(a.nats - b.nats) for a, b in zip(mine, theirs, strict=True)])
    equal = [a.text == b.text for a, b in zip(replies, others, strict=True)]
    return Parity(
        len(replies),
        len(apart),
        float(apart.max()),
        float(apart.mean(dtype=np.float64)),
        float(np.mean(equal)),
    )


def bake(base: HfModel, mixture: str | Path, out: str | Path, *, gates: MeanGates | None = None) -> Path:
    """A model folder whose weights are the base's with a mixture added; it needs neither PEFT nor kshot.

    The base stays as it is. Where it is stored in 16 bits, the sum is rounded to them.

    Args:
        base: The model.
        mixture: Of static gates, or routed with mean ``gates``, as for ``export_lora``.
        out: The folder to write; absent or empty.
        gates: Mean gates of a routed mixture.

    Raises:
        AdapterError: As ``export_lora``, or the mixture does not fit the base.
        ModelError: A weight is packed, ``out`` is not empty or cannot be written.
    """
    import torch

    base.adapted(mixture)  # refuses what does not fit
    plain, _ = merged(read_mixture(mixture), gates=gates)
    state = dict(base.model.state_dict())
    holders = Counter(weight.data_ptr() for weight in state.values())
    for module, delta in plain.modules.items():
        weight = state[f"{module}.weight"]
        if not weight.is_floating_point() or weight.ndim != 2:
            raise ModelError(f"{module}: holds packed weights; bake into the unquantised base")
        if holders[weight.data_ptr()] > 1:
            raise ModelError(f"{module}: shares its weight with another module, which would change as well")
        change = torch.from_numpy(delta.dense())
        is_turned = type(base.model.get_submodule(module)).__name__ == "Conv1D"
        change = change.T if is_turned else change
        state[f"{module}.weight"] = (weight.double().cpu() + change).to(weight.dtype)
    with new_folder(Path(out)) as part:
        base.model.save_pretrained(part, state_dict=state)
        base.tokenizer.save_pretrained(part)
    return Path(out)
