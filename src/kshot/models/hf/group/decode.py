"""Greedy replies of several experts to the same rows, one token of each at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kshot.errors import ModelError
from kshot.models.base import Reply
from kshot.models.hf.generate import Decoding, Stop, Written, as_reply
from kshot.models.hf.group.passes import Context, filled
from kshot.models.hf.group.rows import AskedRow

if TYPE_CHECKING:
    from torch import Tensor


def write_replies(
    context: Context, rows: Sequence[AskedRow], parts: Sequence[int], decoding: Decoding, names: Sequence[str]
) -> list[list[Reply]]:
    """[expert][row]: the likeliest token each time, ties to the lower; see ``generate_replies``.

    Rows leave the batch whenever half of it is done; so that every expert keeps as many as the others, some
    that are done may stay.

    Raises:
        ModelError: An expert's output is no number.
    """
    import torch

    loaded, experts = context.reader.loaded, list(context.experts)
    stop = Stop(tuple(decoding.stop), loaded.text)
    written = [[Written(list(row.prompt), row.budget, np.zeros(0)) for row in rows] for _ in experts]
    cells = [(e, i) for e in range(len(experts)) for i in range(len(rows))]  # of the rows in the batch
    step, mask = filled(
        [row.prompt[part:] for row, part in zip(rows, parts, strict=True)],
        len(experts),
        loaded.device,
        left=True,
    )
    while True:
        logits = context.read(step, mask)[:, -1]  # (B, V)
        _check(logits, [names[e] for e, _ in cells])
        for (e, i), token in zip(cells, logits.argmax(-1).tolist(), strict=True):
            if not written[e][i].reason:
                written[e][i].take(token, ends=loaded.end_ids, stop=stop)
        kept = _kept(cells, [not written[e][i].reason for e, i in cells])
        if not kept:
            return [[as_reply(row, loaded, stop) for row in line] for line in written]
        if 2 * len(kept) <= len(cells):
            cells = [cells[at] for at in kept]
            context.choose(kept, experts=[experts[e] for e in dict.fromkeys(e for e, _ in cells)])
        step = torch.tensor([[written[e][i].new[-1]] for e, i in cells], device=loaded.device)  # (B, 1)
        mask = torch.ones_like(step)


def _kept(cells: Sequence[tuple[int, int]], alive: Sequence[bool]) -> list[int]:
    """Places of the rows that go on, filled up to the same number for each expert that has any.

    >>> _kept([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)], [True, True, False, True, False, False])
    [0, 1, 2, 3]
    """
    live: dict[int, list[int]] = {}
    done: dict[int, list[int]] = {}
    for at, ((expert, _), goes_on) in enumerate(zip(cells, alive, strict=True)):
        (live if goes_on else done).setdefault(expert, []).append(at)
    most = max((len(places) for places in live.values()), default=0)
    return [
        at
        for expert, places in live.items()
        for at in sorted([*places, *done.get(expert, [])[: most - len(places)]])
    ]


def _check(logits: Tensor, names: Sequence[str]) -> None:
    if not bool(logits.isnan().any()):
        return
    bad = int(logits.isnan().any(1).nonzero()[0, 0])
    raise ModelError(f"{names[bad]}: the model's output is no number; audit its weights or change dtype")
