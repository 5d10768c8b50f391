"""The hashing encoder gives the same unit rows everywhere, and near texts near rows."""

from __future__ import annotations

import math
import subprocess
import sys
import tracemalloc
import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import DataError, ModelError
from kshot.models.base import Embedder
from kshot.models.embed import hashing
from kshot.models.embed.hashing import HashingEncoder, words

A = 0.364854  # log(2) over the length of the row
texts = st.lists(st.text(max_size=30), max_size=8)


def cosine(a: str, b: str) -> float:
    rows = HashingEncoder().encode([a, b])
    return float(rows[0] @ rows[1])


def test_near_texts_are_near() -> None:
    assert cosine("The cats are sleeping", "a cat sleeps") > 0.2 > cosine("The cats are sleeping", "tax law")
    assert cosine("colour", "color") > 0.3
    assert cosine("Ｃａｆé", "café") == pytest.approx(1)
    assert cosine("dog bites man", "man bites dog") < 0.99
    assert cosine("我们今天去公园", "今天我们去公园") > 0.5 > cosine("我们今天去公园", "他昨晚写信")
    assert cosine("🙂 !", "🙂 ?") > cosine("🙂 !", "🙃 ?")


def test_words_are_letters_ideographs_and_symbols() -> None:
    assert words("Don't PANIC, 東京へ 42!") == ["don", "'", "t", "panic", ",", "東", "京", "へ", "42", "!"]
    assert words("हिन्दी ไทย") == ["हिन्दी", "ไทย"]
    assert [len(word) for word in words("x" * 150)] == [64, 64, 22]
    assert words(" \n\t") == []


def test_a_text_without_words_gives_zeros_and_no_texts_no_rows() -> None:
    rows = HashingEncoder(8).encode(["", "  "])
    assert rows.tolist() == [[0.0] * 8] * 2
    assert HashingEncoder(8).encode([]).shape == (0, 8)


def test_known_rows_stay_as_they_are() -> None:
    """Golden values: a change of the features needs a new version in the id."""
    encoder = HashingEncoder(8)
    assert encoder.id == "hashing-ngram-v1:dim=8"
    np.testing.assert_allclose(
        encoder.encode(["A cat, 東京!", "a"]),
        [[-A, -A, A, 0, 0, A, -A, 0.57828], [0, 0, 0, -1, 0, 0, 0, 0]],
        atol=1e-6,
    )


def test_another_process_gives_the_same_bytes() -> None:
    code = (
        "from kshot.models.embed.hashing import HashingEncoder;"
        "print(HashingEncoder(64).encode(['Ünïcode 東京 🙂 words']).tobytes().hex())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == HashingEncoder(64).encode(["Ünïcode 東京 🙂 words"]).tobytes().hex()


@settings(max_examples=100, deadline=None)
@given(texts)
def test_rows_have_length_one_and_depend_on_their_text_alone(some: list[str]) -> None:
    encoder = HashingEncoder(32)
    rows = encoder.encode(some)
    assert (rows.shape, rows.dtype) == ((len(some), 32), np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    assert ((np.abs(lengths - 1) < 1e-6) | (lengths == 0)).all()
    for row, text in zip(rows, some, strict=True):
        assert (HashingEncoder(32).encode([text])[0] == row).all()


def test_blocks_and_the_cache_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [f"text {number} of many words {number % 7}" for number in range(200)]
    plain = HashingEncoder(16).encode(some)
    monkeypatch.setattr(hashing, "_BLOCK_VALUES", 64)
    monkeypatch.setattr(hashing, "_CACHED_WORDS", 3)
    assert (HashingEncoder(16).encode(some) == plain).all()


def slow_row(text: str, dim: int) -> list[float]:
    """The docstring's equation, feature by feature."""

    def scattered(code: int) -> int:
        code ^= code >> 16
        code = code * 0x85EBCA6B % 2**32
        code ^= code >> 13
        code = code * 0xC2B2AE35 % 2**32
        return code ^ (code >> 16)

    sums = [0] * dim
    own = []
    features = []
    for word in words(text):
        padded = f" {word} "
        sizes = range(3, min(5, len(padded)) + 1) if len(word) > 1 else []
        pieces = [padded[at : at + size] for size in sizes for at in range(len(padded) - size + 1)]
        codes = [scattered(zlib.crc32(part.encode())) for part in [f"w:{word}", *pieces]]
        own.append(codes[0])
        features += codes
    features += [scattered((a * 31 + b) % 2**32) for a, b in pairwise(own)]
    for code in features:
        sums[(code >> 1) % dim] += -1 if code & 1 else 1
    values = [math.copysign(math.log1p(abs(value)), value) for value in sums]
    length = math.sqrt(sum(value * value for value in values)) or 1
    return [value / length for value in values]


@pytest.mark.parametrize("text", ["", "a", "the the the cat", "Ünïcode 東京 🙂 x_1", "long " * 300])
def test_rows_equal_the_equation_written_out(text: str) -> None:
    np.testing.assert_allclose(HashingEncoder(64).encode([text])[0], slow_row(text, 64), atol=1e-7)


def test_memory_is_bounded_for_many_and_for_long_texts() -> None:
    tracemalloc.start()
    rows = HashingEncoder(256).encode(["some words here"] * 20_000)
    peak = tracemalloc.get_traced_memory()[1] - rows.nbytes
    HashingEncoder(256).encode(["ab" * 100_000 + " cd ef" * 10_000])
    longest = tracemalloc.get_traced_memory()[1] - rows.nbytes
    tracemalloc.stop()
    assert peak < 120e6
    assert longest < 120e6


def test_lone_surrogates_are_hashed_like_any_character() -> None:
    assert np.isfinite(HashingEncoder(8).encode(["\ud800 a"])).all()


@pytest.mark.parametrize("dim", [0, 1, -5, True, 2.5, "1024", 2**30, None])
def test_a_size_that_is_none_is_refused(dim: object) -> None:
    with pytest.raises(ModelError, match="expected a whole number from 2"):
        HashingEncoder(dim)  # type: ignore[arg-type]


def test_what_is_no_list_of_texts_is_refused() -> None:
    assert isinstance(HashingEncoder(), Embedder)
    with pytest.raises(DataError, match="expected a list of texts"):
        HashingEncoder().encode("text")
    with pytest.raises(DataError, match="text 5000 is int"):
        HashingEncoder(1024).encode(["a"] * 5000 + [5])  # type: ignore[list-item]
