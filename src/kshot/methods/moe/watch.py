"""What reaches chosen layers of a model while it reads rows: the eyes of ``starts`` and ``observe``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import ModelError
from kshot.models.hf.batches import run_batches
from kshot.models.hf.loading import Loaded

# numbers are read where torch is at hand, so its types stay words here
Reduce: TypeAlias = Callable[[str, Any], Any]
Seen: TypeAlias = dict[str, NDArray[np.float64]]


def token_ids(
    loaded: Loaded, conversations: Sequence[Conversation], targets: Sequence[Target] | None = None
) -> list[tuple[int, ...]]:
    """The tokens of each conversation with its target, if there is one, as they are trained and scored.

    Raises:
        ModelError: There is no row, the lists differ in length, or a row is longer than the model.
    """
    if not conversations:
        raise ModelError("no rows to look at; expected one conversation at least")
    if targets is not None and len(targets) != len(conversations):
        raise ModelError(f"{len(conversations)} conversations but {len(targets)} targets; expected one each")
    text = loaded.text
    if targets is None:
        rows = [tuple(text.encode_prompt(conversation)) for conversation in conversations]
    else:
        rows = [text.encode(c, t).ids for c, t in zip(conversations, targets, strict=True)]
    for number, row in enumerate(rows):
        if not row or (loaded.limit is not None and len(row) > loaded.limit):
            raise ModelError(
                f"{loaded.name}: row {number} has {len(row)} tokens, expected 1 to {loaded.limit}; "
                "leave it out"
            )
    return rows


def watched(
    loaded: Loaded, rows: Sequence[Sequence[int]], layers: Mapping[str, Any], reduce: Reduce
) -> list[Seen]:
    """For each row and layer what ``reduce`` makes of the layer's input, in order of the rows.

    Args:
        loaded: The model, with whatever is attached to it.
        rows: Tokens of each row.
        layers: Modules of the model by name.
        reduce: Name and input of a layer, (T, in) over the tokens of one row, to a tensor.

    Raises:
        ModelError: A layer is not reached, or a row does not fit into memory.
    """
    held: dict[str, Any] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: held.__setitem__(name, inputs[0]))
        for name, layer in layers.items()
    ]
    try:
        return run_batches(
            [len(row) for row in rows],
            lambda batch: _batch(loaded, [rows[i] for i in batch], held, layers, reduce),
            batch_tokens=loaded.batch_tokens,
            what=loaded.name,
        )
    finally:
        for hook in hooks:
            hook.remove()


def _batch(
    loaded: Loaded,
    rows: Sequence[Sequence[int]],
    held: dict[str, Any],
    layers: Mapping[str, Any],
    reduce: Reduce,
) -> list[Seen]:
    import torch

    held.clear()
    longest = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)  # (B, T)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), 1
    with torch.inference_mode():
        loaded.model(input_ids=ids.to(loaded.device), attention_mask=mask.to(loaded.device), use_cache=False)
        if missing := sorted(layers.keys() - held.keys()):
            raise ModelError(f"{loaded.name}: layer {missing[0]} is not reached by any token")
        shaped = {name: held[name].reshape(*ids.shape, -1) for name in layers}  # (B, T, in)
        found = [
            {name: reduce(name, x[i, : len(row)]).double().cpu().numpy() for name, x in shaped.items()}
            for i, row in enumerate(rows)
        ]
    held.clear()
    return found
