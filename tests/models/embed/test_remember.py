"""Remembered vectors are the embedder's own, and no text is encoded twice while there is room."""

from collections.abc import Sequence

import numpy as np

from kshot.models.base import Embedder, Floats
from kshot.models.embed.hashing import HashingEncoder
from kshot.models.embed.remember import RememberingEmbedder


class Counting:
    """The hashing encoder, counting what it is asked for."""

    def __init__(self) -> None:
        self.inner = HashingEncoder()
        self.asked: list[str] = []

    @property
    def id(self) -> str:
        return self.inner.id

    @property
    def dim(self) -> int:
        return self.inner.dim

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        return self.inner.encode(texts)


def test_each_text_is_encoded_once() -> None:
    counting = Counting()
    memory = RememberingEmbedder(counting)
    first = memory.encode(["a b", "c d", "a b"])
    again = memory.encode(["c d", "e f"])
    assert counting.asked == ["a b", "c d", "e f"]
    assert np.array_equal(first, counting.inner.encode(["a b", "c d", "a b"]))
    assert np.array_equal(again, counting.inner.encode(["c d", "e f"]))
    assert isinstance(memory, Embedder)


def test_beyond_its_room_it_encodes_again() -> None:
    counting = Counting()
    memory = RememberingEmbedder(counting, most=1)
    memory.encode(["a", "b"])
    rows = memory.encode(["b", "a"])
    assert counting.asked == ["a", "b", "b"]
    assert np.array_equal(rows, counting.inner.encode(["b", "a"]))


def test_no_texts() -> None:
    memory = RememberingEmbedder(HashingEncoder())
    assert memory.encode([]).shape == (0, memory.dim)
