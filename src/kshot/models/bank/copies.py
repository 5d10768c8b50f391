"""Copies among many adapters: equal or nearly equal deltas, found without comparing every pair in full.

A sketch of an adapter is P numbers u_pᵀ D w_p, summed over modules, with fixed random signs u and w for each
module: a linear map of the delta D, whatever its factors, so copies have equal sketches. Pairs whose
sketches have a cosine of ``CANDIDATE`` at least are compared in full, with a bounded number of weights in
memory. In the hardest case for sketches, deltas of rank 1 on a single module, the lowest sketch cosine of
20,000 pairs with a delta cosine of .999 was .9962.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from kshot.errors import AdapterError
from kshot.models.lora.adapter import LoraAdapter
from kshot.models.lora.delta import Doubles
from kshot.models.safetensor_files import Array

NEAR = 0.999
CANDIDATE = 0.99
_PROBES = 128
_EQUAL = 1e-6  # of the longer delta's length
_BLOCK_ROWS = 1024
_HELD_VALUES = 1 << 26  # of opened adapters: 256 MB of float32


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


@dataclass(frozen=True, slots=True)
class Sketch:
    """A delta in short: (P,) probes of it divided by its length, and the length."""

    probes: Doubles
    length: float


@final
@dataclass(slots=True)
class Sketcher:
    """Draws the signs of each module once, the same on every machine."""

    _bits: dict[tuple[str, int], NDArray[np.uint8]] = field(default_factory=dict)

    def sketch(self, adapter: LoraAdapter) -> Sketch:
        """The sketch of an adapter's delta; zeros for a zero adapter.

        Raises:
            AdapterError: A weight is NaN or infinite.
        """
        total = np.zeros(_PROBES)
        for name, delta in adapter.modules.items():
            left = self._probed(f"{name} out", delta.b)  # (P, r)
            right = self._probed(f"{name} in", delta.a.T)  # (P, r)
            with np.errstate(all="ignore"):
                total += delta.scaling * (left * right).sum(axis=1)
        length = adapter.norm()
        known = length > 0 and bool(np.isfinite(total).all())  # else it is compared by its file alone
        return Sketch(total / length if known else np.zeros(_PROBES), length)

    def _probed(self, name: str, columns: Array) -> Doubles:
        """(P, r) signs times columns; signs are 2 bits - 1, and bits alone are multiplied."""
        size = len(columns)
        if (name, size) not in self._bits:
            seed = int.from_bytes(hashlib.sha256(f"{name} {size}".encode()).digest()[:8], "little")
            drawn = np.random.default_rng(seed).integers(0, 256, (_PROBES, -(-size // 8)), dtype=np.uint8)
            self._bits[name, size] = drawn  # eight a byte: 128 kB for 4096 in and out
        bits = np.unpackbits(self._bits[name, size], axis=1, count=size).astype(columns.dtype)  # (P, size)
        with np.errstate(all="ignore"):
            probed: Doubles = 2 * (bits @ columns).astype(np.float64) - columns.sum(axis=0, dtype=np.float64)
        return probed


def copies(
    sketches: Sequence[Sketch], hashes: Sequence[str], *, open_adapter: Callable[[int], LoraAdapter]
) -> list[Copy]:
    """The later members of each group of copies, by position; the first of a group is no copy.

    Two adapters belong together if their files are equal or their delta cosine is above ``NEAR``; so does
    whoever is linked through others.

    Args:
        sketches: Of each adapter, in order.
        hashes: Of the weights files.
        open_adapter: Position to adapter.
    """
    group = list(range(len(sketches)))
    first_with: dict[str, int] = {}
    for at, digest in enumerate(hashes):
        group[at] = first_with.setdefault(digest, at)
    opened = _Opened(open_adapter, [sketch.length for sketch in sketches])
    for one, other in _candidates(sketches):
        low, high = sorted((group[one], group[other]))
        if low != high and opened.cosine(one, other) > NEAR:
            group = [low if member == high else member for member in group]
    found = []
    for at, original in enumerate(group):
        if original != at:
            cosine = opened.cosine(original, at)
            exact = hashes[at] == hashes[original] or opened.equal(original, at, cosine)
            found.append(Copy(at, original, cosine, exact))
    return found


@final
class _Opened:
    """The adapters opened last, as many as fit into ``_HELD_VALUES``, but two at least."""

    def __init__(self, open_adapter: Callable[[int], LoraAdapter], lengths: Sequence[float]) -> None:
        self._open = open_adapter
        self._lengths = lengths
        self._held: dict[int, LoraAdapter] = {}
        self._values = 0

    def cosine(self, one: int, other: int) -> float:
        """The delta cosine; 0 for adapters whose shapes differ."""
        lengths = self._lengths[one] * self._lengths[other]
        try:
            return self._at(one).inner(self._at(other)) / lengths if lengths else 0.0
        except AdapterError:  # made for different base models
            return 0.0

    def equal(self, one: int, other: int, cosine: float) -> bool:
        """Whether the deltas differ by rounding alone."""
        first, second = self._lengths[one], self._lengths[other]
        return first**2 + second**2 - 2 * cosine * first * second <= (_EQUAL * max(first, second)) ** 2

    def _at(self, at: int) -> LoraAdapter:
        if at in self._held:
            self._held[at] = self._held.pop(at)  # last in the dict: used last
            return self._held[at]
        adapter = self._open(at)
        self._values += adapter.parameters
        while len(self._held) > 1 and self._values > _HELD_VALUES:
            self._values -= self._held.pop(next(iter(self._held))).parameters
        self._held[at] = adapter
        return adapter


def _candidates(sketches: Sequence[Sketch]) -> Iterator[tuple[int, int]]:
    """Pairs of positions (one < other) whose sketches are close, in order."""
    if len(sketches) < 2:
        return
    rows = np.stack([sketch.probes for sketch in sketches])  # (E, P)
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    rows = rows / np.where(lengths == 0, 1, lengths)
    for start in range(0, len(rows), _BLOCK_ROWS):
        close = rows[start : start + _BLOCK_ROWS] @ rows.T >= CANDIDATE
        for one, other in np.argwhere(close).tolist():
            if start + one < other:
                yield start + one, other
