"""The embedder that needs no download: words and pieces of words, hashed into a vector of fixed length."""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import final

import numpy as np
from numpy.typing import NDArray

from kshot.errors import DataError, ModelError
from kshot.models.base import Floats

Hashes = NDArray[np.uint32]

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LONGEST_WORD = 64  # characters; a longer run of letters counts as several words
_ASCII_WORD = re.compile(rf"\w{{1,{_LONGEST_WORD}}}|[^\w\s]")
_BLOCK_VALUES = 1 << 21  # sums of one block of rows: 16 MB of doubles
_CACHED_WORDS = 200_000


def words(text: str) -> list[str]:
    """The words that are hashed: NFKC, casefolded; each ideograph, kana and symbol is one of its own.

    >>> words("Ｇo, 東京!")
    ['go', ',', '東', '京', '!']
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    return _any_word().findall(unicodedata.normalize("NFKC", text).casefold())


@cache
def _any_word() -> re.Pattern[str]:
    # \w knows no combining marks, and would cut Hindi and Thai words at their vowel signs.
    marks = "".join(char for char in map(chr, range(0x300, 0xFE00)) if unicodedata.category(char)[0] == "M")
    letter = rf"(?:[^\W{_IDEOGRAPHS}]|[{marks}])"
    return re.compile(rf"[{_IDEOGRAPHS}]|{letter}{{1,{_LONGEST_WORD}}}|[^\w\s]")


@final
class HashingEncoder:
    """Texts to unit vectors without a model: the same on every machine, and it knows no meanings.

    Features are words, pairs of neighbouring words, and the runs of 3 to 5 characters of each word with
    a blank on both sides. Each adds +1 or -1, by a fixed hash (CRC-32, then the finaliser of MurmurHash3), to
    one of ``dim`` sums s; a component is sign(s) · log(1 + |s|), and the row is divided by its length.
    Nothing is fitted, so a row depends on its text alone, not on its neighbours. Runs of 2 characters are
    left out: on four TweetEval tasks (validation rows, five hashes) nearest neighbours lost 2 points of
    macro-F1 with them, a logistic head 1.

    Raises:
        ModelError: ``dim`` is no whole number from 2 to 1,048,576.

    >>> encoder = HashingEncoder(dim=256)
    >>> rows = encoder.encode(["a red apple", "red apples", "train to Rome"])
    >>> bool(rows[0] @ rows[1] > rows[0] @ rows[2])
    True
    """

    def __init__(self, dim: int = 1024) -> None:
        if isinstance(dim, bool) or not isinstance(dim, int) or not 2 <= dim <= 1 << 20:
            raise ModelError(f"HashingEncoder: dim is {dim!r}, expected a whole number from 2 to {1 << 20}")
        self._dim = dim
        self._hashes: dict[str, Hashes] = {}  # word to its own hash, then those of its pieces

    @property
    def id(self) -> str:
        """Name, version of the features, and size; no content is behind it."""
        return f"hashing-ngram-v1:dim={self._dim}"

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, dim) float32 rows of length 1, in order; a text without any word gives zeros.

        Raises:
            DataError: ``texts`` is one text, or holds something that is none.
        """
        if isinstance(texts, str):
            raise DataError("HashingEncoder.encode: found one text, expected a list of texts")
        rows = np.zeros((len(texts), self._dim), dtype=np.float32)  # (N, dim)
        step = max(1, min(4096, _BLOCK_VALUES // self._dim))
        for start in range(0, len(texts), step):
            rows[start : start + step] = self._block(texts[start : start + step], start)
        return rows

    def _block(self, texts: Sequence[str], start: int) -> Floats:
        sums = np.zeros(len(texts) * self._dim)  # whole numbers, so no order of adding changes them
        for rows, hashes in self._features(texts, start):
            cells = rows * self._dim + (hashes >> 1) % self._dim
            signs = 1.0 - 2.0 * (hashes & 1)
            sums += np.bincount(cells, weights=signs, minlength=len(sums))
        whole = np.abs(sums).astype(np.int64)
        logs = np.fromiter(map(math.log1p, range(int(whole.max(initial=0)) + 1)), dtype=np.float64)
        values = np.copysign(logs[whole], sums).reshape(len(texts), self._dim)
        lengths = np.sqrt((values * values).sum(axis=1, keepdims=True))
        return (values / np.where(lengths == 0, 1, lengths)).astype(np.float32)

    def _features(self, texts: Sequence[str], start: int) -> Iterator[tuple[NDArray[np.int64], Hashes]]:
        """Row numbers and hashes, a bounded number at a time."""
        owners: list[int] = []
        found: list[Hashes] = []
        size = 0
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"text {start + row} is {type(text).__name__}, expected text")
            for features in self._of_text(text):
                owners.append(row)
                found.append(features)
                size += len(features)
                if size > _BLOCK_VALUES // 2:
                    yield _flat(owners, found)
                    owners, found, size = [], [], 0
        if found:
            yield _flat(owners, found)

    def _of_text(self, text: str) -> Iterator[Hashes]:
        own = []
        for word in words(text):
            features = self._of_word(word)
            own.append(features[0])
            yield features
        if len(own) > 1:
            singles = np.array(own, dtype=np.uint32)
            yield _scattered(singles[:-1] * np.uint32(31) + singles[1:])  # order counts: "a b" is not "b a"

    def _of_word(self, word: str) -> Hashes:
        features = self._hashes.get(word)
        if features is None:
            padded = f" {word} "
            last = min(5, len(padded)) if len(word) > 1 else 0
            pieces = [
                padded[at : at + size] for size in range(3, last + 1) for at in range(len(padded) - size + 1)
            ]
            parts = [f"w:{word}", *pieces]  # no piece has a colon beside a letter: symbols stand alone
            codes = [zlib.crc32(part.encode("utf-8", "surrogatepass")) for part in parts]
            features = _scattered(np.array(codes, dtype=np.uint32))
            if len(self._hashes) >= _CACHED_WORDS:
                self._hashes.clear()
            self._hashes[word] = features
        return features


def _flat(owners: list[int], found: list[Hashes]) -> tuple[NDArray[np.int64], Hashes]:
    counts = [len(features) for features in found]
    return np.repeat(np.array(owners, dtype=np.int64), counts), np.concatenate(found)


def _scattered(codes: Hashes) -> Hashes:
    """MurmurHash3's 32-bit finaliser: CRC-32 is linear, and its bits alone would collide in patterns."""
    codes = codes ^ (codes >> np.uint32(16))
    codes = codes * np.uint32(0x85EBCA6B)
    codes = codes ^ (codes >> np.uint32(13))
    codes = codes * np.uint32(0xC2B2AE35)
    return codes ^ (codes >> np.uint32(16))
