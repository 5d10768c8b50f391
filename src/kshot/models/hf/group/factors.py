"""The factors of several adapters, stacked module by module; what does not fit a stack is left to PEFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from kshot.errors import KshotError
from kshot.models.lora.files import Pair, usable_files

if TYPE_CHECKING:
    from torch import Tensor

Shapes: TypeAlias = Mapping[str, tuple[int, int]]
Stacks: TypeAlias = "dict[str, tuple[Tensor, Tensor]]"


@dataclass(frozen=True, slots=True)
class StoredFactors:
    """An adapter that fits: where the two factors of each module lie, and what stands before B A."""

    name: str
    pairs: Mapping[str, Pair]
    scalings: Mapping[str, float]


def linear_shapes(model: Any) -> dict[str, tuple[int, int]]:
    """(out, in) of each linear module by name, quantised ones and GPT-2's Conv1D included.

    Linear modules of a mixture of experts are left out: they read some rows only, in an order of their own.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    shapes = {}
    for name, module in model.named_modules():
        if ".experts." in f".{name}.":
            continue
        if isinstance(module, torch.nn.Linear):
            shapes[name] = (module.out_features, module.in_features)
        elif isinstance(module, Conv1D):
            shapes[name] = (module.weight.shape[1], module.weight.shape[0])
    return shapes


def stored_factors(folder: Path, shapes: Shapes, modules: Sequence[str]) -> StoredFactors | None:
    """An adapter's factors, judged by configuration and header alone; None where a stack cannot hold them.

    Args:
        folder: A PEFT folder.
        shapes: See ``linear_shapes``.
        modules: Names of all modules of the base.
    """
    try:
        config, pairs = usable_files(folder)
    except KshotError:
        return None
    targets = {module for module in modules if config.is_target(module)}
    if not pairs or targets != pairs.keys() or not targets <= shapes.keys():
        return None
    for module, pair in pairs.items():
        if (pair.b.shape[0], pair.a.shape[1]) != shapes[module]:
            return None
    return StoredFactors(folder.name, pairs, {module: config.scaling_of(module) for module in pairs})


def stacked(adapters: Sequence[StoredFactors], like: Tensor) -> Stacks:
    """Module to A (G, R, in) and B (G, R, out), the scaling folded into B.

    R is the largest rank that the module has in the group: smaller ones are filled up with zeros, and so is
    an adapter that lacks the module. Numbers are float32, as PEFT computes them whatever the base is in
    (float64 on a float64 base).

    Args:
        adapters: G adapters.
        like: A weight of the base, for the device.

    Raises:
        ModelError: A tensor cannot be read.
    """
    import torch

    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    stacks: Stacks = {}
    for module in sorted(set().union(*(adapter.pairs for adapter in adapters))):
        held = [(g, adapter.pairs[module]) for g, adapter in enumerate(adapters) if module in adapter.pairs]
        rank = max(pair.a.shape[0] for _, pair in held)
        a = torch.zeros(len(adapters), rank, held[0][1].a.shape[1], dtype=dtype)  # (G, R, in)
        b = torch.zeros(len(adapters), rank, held[0][1].b.shape[0], dtype=dtype)  # (G, R, out)
        for g, pair in held:
            a[g, : pair.a.shape[0]] = torch.from_numpy(pair.a.read())
            b[g, : pair.b.shape[1]] = torch.from_numpy(pair.b.read()).T
            b[g] *= adapters[g].scalings[module]
        stacks[module] = a.to(like.device), b.to(like.device)
    return stacks


def unsound(stacks: Stacks) -> set[int]:
    """Places of the adapters that hold NaN or infinity."""
    found: set[int] = set()
    for pair in stacks.values():
        for tensor in pair:
            sound = tensor.isfinite().flatten(1).all(1)  # (G,)
            found |= {g for g, fine in enumerate(sound.tolist()) if not fine}
    return found
