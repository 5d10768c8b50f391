"""The models between a base and what fine-tuning made of it, one share of the fine-tuned at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from kshot.errors import InputError, ModelError, collected
from kshot.models.checkpoint.rounding import dtype_name, round_into, sum_dtype
from kshot.models.hf.adapted import AdaptedModel
from kshot.models.hf.model import HfModel
from kshot.models.lora import LoraAdapter
from kshot.models.train.full_training import stored_dtype

if TYPE_CHECKING:
    from torch import Tensor

Answering: TypeAlias = HfModel | AdaptedModel
At: TypeAlias = Callable[[float], Answering]


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no whole model."""
    return (folder / "adapter_config.json").is_file()


@contextmanager
def models_between(base: HfModel, fine_tuned: Path, *, dtype: str | None = None) -> Iterator[At]:
    """``at(alpha)``: the base moved by that share towards the fine-tuned model, ready to be asked.

    Of a whole model every weight is (1 - alpha) base + alpha fine-tuned, rounded once to ``dtype``, as in the
    folder that a mix writes; this happens in the base's own memory, so a model that
    ``at`` gave is good until the next call, and at the end of the block the base is as it was, bit by bit.
    Needs memory for two further models. An adapter's scaling is multiplied by alpha. ``at(0)`` is the base,
    ``at(1)`` the fine-tuned model.

    Args:
        base: The base; nobody else may use it inside the block.
        fine_tuned: A whole model folder, or a PEFT LoRA folder.
        dtype: What a whole mix is stored in; None: the dtype of the fine-tuned folder's weights.

    Raises:
        ModelError: The two do not fit, or a weight is no number.

    Example::

        with models_between(base, Path("runs/tuned")) as at:
            at(0.5).token_losses(conversations, targets)
    """
    if is_adapter(fine_tuned):
        with tempfile.TemporaryDirectory() as scratch:
            yield _scaled(base, fine_tuned, Path(scratch))
        return
    ours = dict(base.model.named_parameters())
    theirs = _weights(fine_tuned, base)
    _check_fit(ours, theirs, fine_tuned)
    kept = {name: weight.detach().clone() for name, weight in ours.items()}
    stored = dtype or stored_dtype(fine_tuned)

    def at(alpha: float) -> HfModel:
        _check_share(alpha)
        for name, weight in ours.items():
            _set(weight, kept[name], theirs[name], alpha=alpha, stored=stored)
        return base

    try:
        yield at
    finally:
        for name, weight in ours.items():
            _set(weight, kept[name], kept[name], alpha=0.0, stored=None)


def _scaled(base: HfModel, fine_tuned: Path, scratch: Path) -> At:
    adapter = LoraAdapter.load(fine_tuned)
    if broken := adapter.non_finite():
        raise ModelError(f"{fine_tuned}: {broken[0]} holds NaN or infinity; train it again")
    base.adapted(fine_tuned)  # refuses what does not fit, before anything is asked

    def at(alpha: float) -> Answering:
        _check_share(alpha)
        if alpha in (0.0, 1.0):
            return base if alpha == 0 else base.adapted(fine_tuned)
        folder = scratch / f"{alpha:.17g}"
        if not folder.exists():
            adapter.scaled(alpha).save(folder)
        return base.adapted(folder)

    return at


def _weights(folder: Path, base: HfModel) -> dict[str, Tensor]:
    """A model's weights by name, where the base's are."""
    loaded = HfModel.load(folder, dtype="float32", device=str(base.loaded.device))
    return {name: weight.detach() for name, weight in loaded.model.named_parameters()}


def _set(weight: Tensor, base: Tensor, tuned: Tensor, *, alpha: float, stored: str | None) -> None:
    """Into ``weight`` the sum as the engine that writes mixes takes it, rounded once to ``stored``."""
    import torch

    with torch.no_grad():
        if stored is None or alpha in (0.0, 1.0):
            weight.copy_(tuned if alpha == 1 else base)
            return
        dtype = getattr(torch, stored)
        wide = sum_dtype((), dtype_name(dtype))
        device = "cpu" if base.device.type == "mps" else base.device  # mps has no double
        terms = (base.to(device, wide).mul(1 - alpha), tuned.to(device, wide).mul(alpha))
        mixed = terms[0].add_(terms[1]).reshape(-1)
        weight.copy_(round_into(mixed, torch.empty_like(mixed, dtype=dtype)).reshape(weight.shape))


def _check_fit(ours: dict[str, Tensor], theirs: dict[str, Tensor], folder: Path) -> None:
    found = [f"{folder}: {name} is missing" for name in ours if name not in theirs]
    found += [f"{folder}: {name} is a weight that the base lacks" for name in theirs if name not in ours]
    both = [name for name in ours if name in theirs]
    found += [
        f"{folder}: {name} is {tuple(theirs[name].shape)}, the base's is {tuple(ours[name].shape)}"
        for name in both
        if theirs[name].shape != ours[name].shape
    ]
    found += [
        f"{folder}: {name} holds NaN or infinity" for name in both if not bool(theirs[name].isfinite().all())
    ]
    if found:
        raise ModelError(collected(found) + "\nexpected what fine-tuning made of this very base")


def _check_share(alpha: float) -> None:
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}; expected the share of the fine-tuned model, from 0 to 1")
