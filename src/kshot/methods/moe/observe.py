"""What the routers of a mixture do: their loads by layer and expert, and token by token."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.methods.moe.read import read_mixture
from kshot.methods.moe.watch import Reduce, Seen, token_ids, watched
from kshot.models.hf.adapted import attach, untouched
from kshot.models.hf.loading import quiet
from kshot.models.hf.model import HfModel
from kshot.models.text.text_format import TextFormat

_MOST, _LEAST = 0.95, 0.01


@final
@dataclass(frozen=True, slots=True, eq=False)
class RouterLoads:
    """What the routers of a mixture did over some rows, all their tokens together.

    Attributes:
        modules: (M,) names within the base model, in its order.
        experts: (E,) names.
        mean: (M, E) mean gate of each expert; 0 where the module lacks it.
        load: (M, E) its share of the gate mass, rows sum to 1; NaN where the module lacks it.
        chosen: (M, E) share of the tokens that use it; NaN where the module lacks it.
        entropy: (M,) mean over tokens of the entropy of a token's gates, in nats; 0 is one expert alone.
        tokens: How many were read.
    """

    modules: tuple[str, ...]
    experts: tuple[str, ...]
    mean: NDArray[np.float64]
    load: NDArray[np.float64]
    chosen: NDArray[np.float64]
    entropy: NDArray[np.float64]
    tokens: int

    def mean_gates(self) -> dict[str, NDArray[np.float64]]:
        """Module name to mean gates, (E,), as ``export_lora`` takes them."""
        return dict(zip(self.modules, self.mean, strict=True))

    def collapsed(self) -> tuple[str, ...]:
        """One sentence for each expert with more than 95 % or less than 1 % of the mass in most modules.

        Only modules where a router has a choice count: those that have the expert and another one.
        """
        choice = np.isfinite(self.load).sum(axis=1) > 1
        found = []
        for expert, name in enumerate(self.experts):
            shares = self.load[choice, expert]
            shares = shares[np.isfinite(shares)]
            for count, what in (
                (int((shares > _MOST).sum()), "more than 95 %"),
                (int((shares < _LEAST).sum()), "less than 1 %"),
            ):
                if count > len(shares) / 2:
                    found.append(f"{name} gets {what} of the gate weight in {count} of {len(shares)} modules")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is NaN here is None there."""
        return {
            "modules": list(self.modules),
            "experts": list(self.experts),
            "mean": _plain(self.mean),
            "load": _plain(self.load),
            "chosen": _plain(self.chosen),
            "entropy": self.entropy.tolist(),
            "tokens": self.tokens,
            "collapsed": list(self.collapsed()),
        }


@final
@dataclass(frozen=True, slots=True, eq=False)
class TokenGates:
    """The gates of one row, token by token.

    Attributes:
        tokens: (T,) pieces of text; joined they are the text with its special tokens. A character of several
            tokens stands at its first one, the others are empty.
        experts: (E,) names.
        gates: (T, E) mean over the modules, each module's gates scaled to sum 1; so rows sum to 1.
        target_from: Place of the first token of the target.
    """

    tokens: tuple[str, ...]
    experts: tuple[str, ...]
    gates: NDArray[np.float64]
    target_from: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "tokens": list(self.tokens),
            "experts": list(self.experts),
            "gates": self.gates.tolist(),
            "target_from": self.target_from,
        }


def router_loads(
    base: HfModel,
    folder: str | Path,
    conversations: Sequence[Conversation],
    targets: Sequence[Target] | None = None,
) -> RouterLoads:
    """What the routers of a mixture folder do over rows; ``import kshot.peft`` comes first.

    Every token of a conversation, and of its target where given, counts once.

    Raises:
        AdapterError: The folder is no mixture, or does not fit the base.
        ModelError: There is no row, or one is longer than the model.

    Example::

        loads = router_loads(model, "runs/mixture", conversations, targets)
        print(loads.collapsed())
    """
    rows = token_ids(base.loaded, conversations, targets)
    experts, present, seen = _seen(base, folder, rows, lambda _, gates: _sums(gates))
    tokens = sum(len(row) for row in rows)
    total = np.stack([sum(row[name] for row in seen) for name in present]) / tokens  # (M, 3, E)
    lacks = ~np.array(list(present.values()))  # (M, E)
    mass = np.abs(total[:, 0])
    whole = mass.sum(axis=1, keepdims=True)
    load = np.divide(mass, whole, out=np.zeros_like(mass), where=whole > 0)
    load[lacks] = np.nan
    chosen = np.where(lacks, np.nan, total[:, 1])
    return RouterLoads(tuple(present), experts, total[:, 0], load, chosen, total[:, 2, 0], tokens)


def token_gates(base: HfModel, folder: str | Path, conversation: Conversation, target: Target) -> TokenGates:
    """Which experts of a mixture each token of one row uses; ``import kshot.peft`` comes first.

    Raises:
        AdapterError: The folder is no mixture, or does not fit the base.
        ModelError: The row is longer than the model.
    """
    rows = token_ids(base.loaded, [conversation], [target])
    experts, _, seen = _seen(base, folder, rows, lambda _, gates: _shares(gates))
    mean = np.mean(list(seen[0].values()), axis=0)  # (T, E)
    start = base.text.encode(conversation, target).start
    return TokenGates(_pieces(base.text, rows[0], conversation, target), experts, mean, start)


def _pieces(
    text: TextFormat, ids: Sequence[int], conversation: Conversation, target: Target
) -> tuple[str, ...]:
    """(T,) the text of each token; what the tokenizer adds around the text is named as it names it."""
    full = text.full_text(conversation, target)
    found, done = [text.backend.id_to_token(token) or "" for token in text.prefix_ids], 0
    for _, stop in text.backend.encode(full, add_special_tokens=False).offsets:
        found.append(full[done:stop])
        done = max(done, stop)
    found += [text.backend.id_to_token(token) or "" for token in ids[len(found) :]]
    return tuple(found)


def _seen(
    base: HfModel, folder: str | Path, rows: Sequence[Sequence[int]], reduce: Reduce
) -> tuple[tuple[str, ...], Mapping[str, list[bool]], list[Seen]]:
    """Names of the experts, module to which of them it has, and what ``reduce`` makes of each row's gates."""
    from kshot.methods.moe.tuner import mixture_layers

    mixture = read_mixture(folder)
    with untouched(base.model):
        with quiet():
            attach(base.model, Path(folder))
        layers = mixture_layers(base.model)
        seen = watched(base.loaded, rows, layers, lambda name, x: reduce(name, layers[name].gates(x)))
    if any(not np.isfinite(values).all() for row in seen for values in row.values()):
        raise ModelError(
            f"{Path(folder).name}: a gate is no finite number; activations overflow: use float32"
        )
    present = {name: [name in adapter.modules for adapter in mixture.adapters] for name in layers}
    return mixture.names, present, seen


def _sums(gates: Any) -> Any:
    """(3, E) over the tokens: sums of gates, tokens that use each expert, the sum of entropies (repeated)."""
    import torch

    shares = _shares(gates)
    entropy = torch.special.entr(shares.double()).sum(-1).sum()
    used = (gates != 0).double().sum(0)
    return torch.stack([gates.double().sum(0), used, entropy.expand_as(used)])


def _shares(gates: Any) -> Any:
    """(T, E) each token's gates scaled to sum 1; free scalars may be negative, so sizes count."""
    size = gates.abs()
    whole = size.sum(-1, keepdim=True)
    return size / whole.clamp(min=1e-30)


def _plain(table: NDArray[np.float64]) -> list[list[float | None]]:
    return [[value if math.isfinite(value) else None for value in row] for row in table.tolist()]
