"""WeightedAdapters: the sum of several adapters under any weights, asked without writing it to the disk."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import AdapterError, InputError
from kshot.models.base import TokenLosses
from kshot.models.hf.group.factors import Stacks, linear_shapes, stacked, stored_factors, unsound
from kshot.models.hf.group.group import ExpertGroup, can_group
from kshot.models.hf.loading import Loaded
from kshot.models.hf.losses import token_losses

if TYPE_CHECKING:
    from torch import Tensor


@final
class WeightedAdapters:
    """N adapters of one base, held in memory, and the model that adds them up by given weights.

    The sum is one adapter whose A are the N stacked and whose B carry the weights: what the folder that
    ``concatenated(...).save`` writes answers, to rounding. On a float32 base it is added to the weights for
    the length of a call, which is several times quicker than adding to activations; on others it is attached
    as a group of one, so that nothing is rounded to the base's type. The base is as it was after each call.

    Args:
        base: The base model.
        folders: PEFT folders of plain LoRA adapters.

    Raises:
        AdapterError: An adapter does not fit the base, holds NaN or infinity, or PEFT alone understands it.

    Example::

        sums = WeightedAdapters(model.loaded, [entry.folder for entry in bank.entries])
        losses = sums.token_losses([0.5, 0.25, 0.25], conversations, targets)
    """

    def __init__(self, base: Loaded, folders: Sequence[Path]) -> None:
        self._base = base
        self.names = tuple(folder.name for folder in folders)
        shapes = linear_shapes(base.model)
        modules = [name for name, _ in base.model.named_modules()]
        found = [stored_factors(folder, shapes, modules) for folder in folders]
        for folder, factors in zip(folders, found, strict=True):
            if factors is None:
                raise AdapterError(f"{folder.name}: is no plain LoRA of this base; its sum must be written")
        like = next(base.model.parameters())
        self._stacks = stacked([factors for factors in found if factors is not None], like)
        if bad := unsound(self._stacks):
            raise AdapterError(f"{self.names[min(bad)]}: a tensor holds NaN or infinity")

    def token_losses(
        self,
        weights: Sequence[float],
        conversations: Sequence[Conversation],
        targets: Sequence[Target],
    ) -> list[TokenLosses]:
        """Losses of each target under base + Σ w_i · adapter_i; weights need not sum to 1.

        Raises:
            InputError: There are not N weights, or one is no finite number.
            ModelError: A row is longer than the model, or a loss is no number.
        """
        if len(weights) != len(self.names) or not all(map(math.isfinite, weights)):
            raise InputError(f"weights {list(weights)}: expected {len(self.names)} finite numbers")
        stacks = self._summed(weights)
        if not _whole(self._base.model, stacks):
            return ExpertGroup(self._base, ["a mix"], stacks).token_losses(conversations, targets)[0]
        with _merged(self._base.model, stacks):
            return token_losses(dataclasses.replace(self._base, name="a mix"), conversations, targets)

    def _summed(self, weights: Sequence[float]) -> Stacks:
        """Module to A (1, N R, in) and B (1, N R, out)."""

        def one(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
            by = a.new_tensor(list(weights)).reshape(-1, 1, 1)  # (N, 1, 1)
            return a.reshape(1, -1, a.shape[-1]), (b * by).reshape(1, -1, b.shape[-1])

        return {module: one(a, b) for module, (a, b) in self._stacks.items()}


def _whole(model: Any, stacks: Stacks) -> bool:
    """Whether the sums can be added to the weights without a rounding that attached adapters do not have."""
    import torch

    modules = [model.get_submodule(name) for name in stacks]
    kinds = {(type(module).__name__, module.weight.dtype) for module in modules}
    return kinds <= {(kind, d) for kind in ("Linear", "Conv1D") for d in (torch.float32, torch.float64)}


@contextmanager
def _merged(model: Any, stacks: Stacks) -> Iterator[None]:
    """Inside the block each adapted module has a weight of its own with its sum added; tied ones part."""
    import torch

    held = {name: model.get_submodule(name)._parameters["weight"] for name in stacks}
    try:
        for name, (a, b) in stacks.items():
            module, weight = model.get_submodule(name), held[name]
            change = a[0].T @ b[0] if type(module).__name__ == "Conv1D" else b[0].T @ a[0]
            module._parameters["weight"] = torch.nn.Parameter(weight + change, requires_grad=False)
        yield
    finally:
        for name, weight in held.items():
            model.get_submodule(name)._parameters["weight"] = weight


def can_weigh(base: Loaded, folders: Sequence[Path]) -> bool:
    """Whether ``WeightedAdapters`` can hold these; else their sum must be written and attached by PEFT."""
    if not can_group(base):
        return False
    shapes = linear_shapes(base.model)
    modules = [name for name, _ in base.model.named_modules()]
    return all(stored_factors(folder, shapes, modules) is not None for folder in folders)
