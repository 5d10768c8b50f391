"""Copies among many adapters: equal or nearly equal deltas, found without comparing every pair in full.

A sketch of an adapter is P numbers u_pᵀ D w_p, summed over modules, with fixed random signs u and w for each
module: a linear map of the delta D, whatever its factors, so copies have equal sketches. Pairs whose
sketches have a cosine of ``CANDIDATE`` at least are compared in full; two adapters are open at a time. A pair
with a delta cosine of .999 has sketches that differ by some 4 % of their length, give or take half of that;
they would have to differ by 20 % to be missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from kshot.errors import AdapterError
from kshot.models.delta import Doubles
from kshot.models.lora import LoraAdapter

NEAR = 0.999
CANDIDATE = 0.98
_PROBES = 64
_EQUAL = 1e-6  # of the longer delta's length
_BLOCK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Copy:
    """One adapter that repeats another, by their positions.

    Attributes:
        position: The later one.
        original: The first of its group.
        cosine: Of their deltas.
        exact: Whether the files, or the deltas within rounding, are equal.
    """

    position: int
    original: int
    cosine: float
    exact: bool


@final
@dataclass(slots=True)
class Sketcher:
    """Draws the signs of each module once, the same on every machine."""

    _signs: dict[tuple[str, int], NDArray[np.int8]] = field(default_factory=dict)

    def sketch(self, adapter: LoraAdapter) -> Doubles:
        """(P,) the sketch of the adapter's delta divided by the delta's length; zeros for a zero adapter."""
        total = np.zeros(_PROBES)
        for name, delta in adapter.modules.items():
            left = self._drawn(f"{name} out", delta.shape[0]) @ delta.b.astype(np.float64)  # (P, r)
            right = self._drawn(f"{name} in", delta.shape[1]) @ delta.a.astype(np.float64).T  # (P, r)
            total += delta.scaling * (left * right).sum(axis=1)
        length = adapter.norm()
        return total / length if length else np.zeros(_PROBES)

    def _drawn(self, name: str, size: int) -> Doubles:
        if (name, size) not in self._signs:
            seed = int.from_bytes(hashlib.sha256(f"{name} {size}".encode()).digest()[:8], "little")
            drawn = np.random.default_rng(seed).integers(0, 2, (_PROBES, size), dtype=np.int8)
            self._signs[name, size] = 2 * drawn - 1  # (P, size), kept as bytes: 0.5 MB for 4096 in and out
        return self._signs[name, size].astype(np.float64)


def copies(
    sketches: Sequence[Doubles], hashes: Sequence[str], *, open_adapter: Callable[[int], LoraAdapter]
) -> list[Copy]:
    """The later members of each group of copies, by position; the first of a group is no copy.

    Two adapters belong together if their files are equal or their delta cosine is above ``NEAR``; so does
    whoever is linked through others.

    Args:
        sketches: (P,) for each adapter, in order.
        hashes: Of the weights files.
        open_adapter: Position to adapter.
    """
    group = list(range(len(sketches)))
    first_with: dict[str, int] = {}
    for at, digest in enumerate(hashes):
        group[at] = first_with.setdefault(digest, at)
    opened = _Two(open_adapter)
    for one, other in _candidates(sketches):
        low, high = sorted((group[one], group[other]))
        if low != high and _cosine(opened, one, other) > NEAR:
            group = [low if member == high else member for member in group]
    found = []
    for at, original in enumerate(group):
        if original != at:
            cosine = _cosine(opened, original, at)
            exact = hashes[at] == hashes[original] or _equal(opened, original, at, cosine)
            found.append(Copy(at, original, cosine, exact))
    return found


@final
class _Two:
    """The two adapters opened last."""

    def __init__(self, open_adapter: Callable[[int], LoraAdapter]) -> None:
        self._open = open_adapter
        self._held: dict[int, LoraAdapter] = {}

    def __getitem__(self, at: int) -> LoraAdapter:
        adapter = self._held.pop(at) if at in self._held else self._open(at)
        if len(self._held) > 1:
            del self._held[next(iter(self._held))]
        self._held[at] = adapter  # last in the dict: used last
        return adapter


def _candidates(sketches: Sequence[Doubles]) -> Iterator[tuple[int, int]]:
    """Pairs of positions (one < other) whose sketches are close, in order."""
    if len(sketches) < 2:
        return
    rows = np.stack(sketches)  # (E, P)
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    rows = rows / np.where(lengths == 0, 1, lengths)
    for start in range(0, len(rows), _BLOCK_ROWS):
        close = rows[start : start + _BLOCK_ROWS] @ rows.T >= CANDIDATE
        for one, other in np.argwhere(close).tolist():
            if start + one < other:
                yield start + one, other


def _cosine(opened: _Two, one: int, other: int) -> float:
    try:
        return opened[one].cosine(opened[other])
    except AdapterError:  # shapes of different base models: no copies
        return 0.0


def _equal(opened: _Two, one: int, other: int, cosine: float) -> bool:
    lengths = opened[one].norm(), opened[other].norm()
    squared = lengths[0] ** 2 + lengths[1] ** 2 - 2 * cosine * lengths[0] * lengths[1]
    return squared <= (_EQUAL * max(lengths)) ** 2
