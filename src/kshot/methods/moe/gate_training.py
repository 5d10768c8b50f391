"""A sigmoid gate before each output of a frozen LoRA, trained on the expert's own rows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import AdapterError, ModelError
from kshot.models.hf.adapted import untouched
from kshot.models.hf.loading import quiet
from kshot.models.hf.model import HfModel
from kshot.models.lora import LoraAdapter, LoraDelta
from kshot.models.train.rows import collated

if TYPE_CHECKING:
    from torch import Tensor

_BATCH, _RATE = 8, 5e-3


def trained_gates(
    base: HfModel,
    adapter: LoraAdapter,
    rows: Sequence[tuple[Conversation, Target]],
    *,
    seed: int = 0,
    steps: int = 100,
) -> dict[str, NDArray[np.float64]]:
    """Module name to a gate vector v (in,): the expert's part counts σ(v · x), and v lowers the rows' loss.

    All gates start at v = 0, one half. Base and expert are frozen; the base is left as it was.

    Raises:
        AdapterError: The expert does not fit the base.
        ModelError: There is no row, or the loss is no number.

    Source: arXiv 2402.05859 (PHATGOOSE); batch 8 and AdamW at a constant 5e-3 are ours.
    """
    import torch

    encoded = [base.text.encode(conversation, target) for conversation, target in rows]
    if not encoded:
        raise ModelError(f"{adapter.name}: no row to train its gates on")
    with untouched(base.model), quiet(), torch.inference_mode(False), torch.enable_grad():
        base.model.requires_grad_(False)
        with _gated(base, adapter) as gates:
            optimiser = torch.optim.AdamW(list(gates.values()), lr=_RATE, weight_decay=0.0)
            for step, batch in enumerate(_batches(len(encoded), steps, seed=seed), 1):
                inputs = {
                    key: v.to(base.loaded.device) for key, v in collated([encoded[i] for i in batch]).items()
                }
                loss = base.model(**inputs, use_cache=False).loss
                if not bool(loss.isfinite()):
                    raise ModelError(
                        f"{adapter.name}: the loss of gate step {step} is no number; use float32"
                    )
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
        return {name: gate.detach().double().cpu().numpy() for name, gate in gates.items()}


@contextmanager
def _gated(base: HfModel, adapter: LoraAdapter) -> Iterator[dict[str, Tensor]]:
    """The base with the gated expert on it, and its gates by module."""
    import torch

    gates, hooks = dict[str, "Tensor"](), []
    try:
        for name, delta in adapter.modules.items():
            try:
                module = base.model.get_submodule(name)
            except AttributeError as error:
                raise AdapterError(f"{adapter.name}: module {name} is not in {base.loaded.name}") from error
            gates[name] = torch.zeros(delta.shape[1], device=base.loaded.device, requires_grad=True)
            hooks.append(module.register_forward_hook(_hook(delta, gates[name])))
        yield gates
    finally:
        for hook in hooks:
            hook.remove()


def _hook(delta: LoraDelta, gate: Tensor) -> Any:
    import torch

    a = torch.from_numpy(np.array(delta.a, dtype=np.float32)).to(gate.device)  # (r, in)
    b = torch.from_numpy(np.array(delta.b * delta.scaling, dtype=np.float32)).to(gate.device)  # (out, r)

    def add(_module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x = inputs[0].float()
        part = (x @ a.T) * torch.sigmoid(x @ gate)[..., None]
        return (output + part @ b.T).to(output.dtype)

    return add


def _batches(rows: int, steps: int, *, seed: int) -> Iterator[list[int]]:
    """Row numbers of each step: every row once, then again in another order."""
    rng, waiting = random.Random(seed), list[int]()
    for _ in range(steps):
        if not waiting:
            waiting = rng.sample(range(rows), rows)
        batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
        yield batch
