"""An embedder that remembers: several systems ask for the vectors of the same rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import final

import numpy as np

from kshot.models.base import Embedder, Floats


@final
class RememberingEmbedder:
    """Another embedder, each text encoded once while there is room.

    Args:
        embedder: Who encodes.
        most: Texts that are kept; beyond them a text is encoded whenever it is asked for.

    Attributes:
        saved_seconds: What the remembered texts took when they were encoded, summed over every time that
            they were asked for again: who is timed can be charged as if nobody had asked before.
    """

    def __init__(self, embedder: Embedder, *, most: int = 100_000) -> None:
        self._embedder = embedder
        self._most = most
        self._known: dict[str, Floats] = {}
        self._cost: dict[str, float] = {}
        self.saved_seconds = 0.0

    @property
    def id(self) -> str:
        """The other embedder's."""
        return self._embedder.id

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._embedder.dim

    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, dim) unit rows, in order."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        self.saved_seconds += sum(self._cost[text] for text in set(texts) - set(new))
        found: dict[str, Floats] = {}
        if new:
            begun = time.perf_counter()
            rows = self._embedder.encode(new)
            each = (time.perf_counter() - begun) / len(new)
            self._cost.update(dict.fromkeys(new[: max(0, self._most - len(self._known))], each))
            found = dict(zip(new, rows, strict=True))
            room = max(0, self._most - len(self._known))
            self._known.update((text, row.copy()) for text, row in zip(new[:room], rows[:room], strict=True))
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        return np.stack([self._known[text] if text in self._known else found[text] for text in texts])
