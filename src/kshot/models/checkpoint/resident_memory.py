"""Whether members fit into memory together, before any is loaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from kshot.errors import ModelError
from kshot.models.checkpoint.parts import Member
from kshot.models.hf.loading import pick_device

_GIGABYTE = 1e9
_SPARE = 0.1  # of what is free: activations, and the blocks that are added up


def needed_bytes(members: Sequence[Member], *, base: int = 0) -> int:
    """What the weights of a mix in memory take: the model itself, and every member beside it.

    Where all others are adapters, of the base only what they change is held a second time.

    Example::

        needed_bytes([base, one, other]) / 1e9
    """
    full = [member for member in members if not member.is_lora]
    sizes = sum(tensor.end - tensor.start for member in full for tensor in member.tensors.values())
    changed = {}
    for member in members:
        for module, pair in member.pairs.items():
            sizes += 4 * (math.prod(pair.a.shape) + math.prod(pair.b.shape))
            changed[module] = pair.b.shape[0] * pair.a.shape[-1]
    if len(full) > 1:
        return sizes + sum(tensor.end - tensor.start for tensor in members[base].tensors.values())
    # a base's weight takes at most 4 bytes a value, almost always
    return sizes + 4 * sum(changed.values())


def fits(members: Sequence[Member], *, base: int = 0, device: str = "auto") -> bool:
    """Whether a mix of these members fits into what is free; True where the system does not tell.

    Example::

        table = mix.own_losses(rows) if fits(members) else score_members(members, kind, rows)
    """
    free = free_bytes(device)
    return free is None or needed_bytes(members, base=base) <= free * (1 - _SPARE)


def check_room(members: Sequence[Member], *, base: int = 0, device: str = "auto") -> None:
    """Refuse what would not fit.

    Raises:
        ModelError: Says how much is needed and how much is free.
    """
    if not fits(members, base=base, device=device):
        needed, free = needed_bytes(members, base=base), free_bytes(device) or 0
        raise ModelError(
            f"{len(members)} models in memory take {needed / _GIGABYTE:.1f} GB, {free / _GIGABYTE:.1f} GB "
            "are free; mix fewer at a time, or take weights by softmax, which loads one model at a time"
        )


def free_bytes(device: str = "auto") -> int | None:
    """Free memory of a device, or of this machine for the CPU; None where nothing tells.

    Raises:
        ModelError: There is no such device here.

    Example::

        free_bytes("cpu")
    """
    import torch

    place = pick_device(device)
    if place.type == "cuda":
        return int(torch.cuda.mem_get_info(place)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return 1024 * found[0] if found else None
