"""Several processes that train one adapter together, started by ``accelerate launch`` or ``torchrun``."""

from __future__ import annotations

import os


def count() -> int:
    """How many processes train together, as the launcher says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def agreed(value: float) -> float:
    """The first process's value in every process, so that all of them stop at the same step."""
    if not _is_joined():
        return value
    import torch.distributed

    held = [value]
    torch.distributed.broadcast_object_list(held, src=0)
    return held[0]


def wait() -> None:
    """Go on when every process is here."""
    if _is_joined():
        import torch.distributed

        torch.distributed.barrier()


def leave() -> None:
    """Part from the other processes at the end of a program."""
    if _is_joined():
        import torch.distributed

        torch.distributed.destroy_process_group()


def _is_joined() -> bool:
    import torch.distributed

    return torch.distributed.is_available() and torch.distributed.is_initialized()
