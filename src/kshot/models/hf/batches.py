"""Rows in batches of like length, and what happens when a batch does not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from kshot.errors import ModelError

R = TypeVar("R")
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def packed(lengths: Sequence[int], *, batch_tokens: int) -> list[list[int]]:
    """Row numbers in batches whose padded size stays within ``batch_tokens`` (one row is always allowed).

    Longest rows first, so that a batch too large shows at once; ties: the earlier row.

    >>> packed([3, 9, 4, 4], batch_tokens=12)
    [[1], [2, 3, 0]]
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    for row in order:
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def run_batches(
    lengths: Sequence[int], run: Callable[[list[int]], Sequence[R]], *, batch_tokens: int, what: str
) -> list[R]:
    """One result for each row, in order; a batch that runs out of memory is halved and tried again.

    Args:
        lengths: (N,) tokens that a row takes, to come ones included.
        run: Row numbers to their results.
        batch_tokens: See ``packed``.
        what: Whose memory it is, for the message.

    Raises:
        ModelError: One row alone does not fit into memory.
    """
    results: dict[int, R] = {}
    waiting = packed(lengths, batch_tokens=batch_tokens)[::-1]
    while waiting:
        rows = waiting.pop()
        found = _attempt(run, rows)
        if found is not None:
            results.update(zip(rows, found, strict=True))
        elif len(rows) > 1:
            middle = (len(rows) + 1) // 2
            waiting += [rows[middle:], rows[:middle]]
        else:
            raise ModelError(
                f"{what}: row {rows[0]} with {lengths[rows[0]]} tokens does not fit into memory even alone; "
                "use a smaller model, a smaller dtype, fewer shots in the prompt or a larger device"
            )
    return [results[row] for row in range(len(lengths))]


def _attempt(run: Callable[[list[int]], Sequence[R]], rows: list[int]) -> Sequence[R] | None:
    """The results, or None out of memory; returns before a retry so that no traceback holds tensors."""
    try:
        return run(rows)
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, MemoryError) and not any(s in str(error).lower() for s in _OUT_OF_MEMORY):
            raise
    _release()
    return None


def _release() -> None:
    """Hand the cached blocks of an accelerator back."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
