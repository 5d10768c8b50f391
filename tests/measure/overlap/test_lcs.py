"""The longest common subsequence without a library, and the choice between the two ways."""

from __future__ import annotations

import doctest
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.measure.overlap import lcs
from kshot.measure.overlap.distinct import drop_overlapping
from kshot.measure.overlap.distribution import nearest_to, pair_distribution
from kshot.measure.overlap.lcs import common_length, lcs_length
from kshot.measure.overlap.rouge import rouge_l

WORDS = st.lists(st.integers(0, 4), max_size=80)
TEXTS = ["a red car stops", "a red car", "the sun", "", "你好", "你好吗"]


def slow_length(a: list[int], b: list[int]) -> int:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def test_examples() -> None:
    assert doctest.testmod(lcs).failed == 0


@given(WORDS, WORDS, st.integers(0, 60))
def test_both_ways_equal_the_table(a: list[int], b: list[int], least: int) -> None:
    expected = slow_length(a, b)
    assert lcs_length(a, b) == common_length(a, b) == expected
    assert common_length(a, b, least=least) == (expected if expected >= least else 0)


def measured() -> tuple[object, ...]:
    near = (
        nearest_to(TEXTS, TEXTS[1:3]).tolist(),
        nearest_to(TEXTS, []).tolist(),
        nearest_to([], TEXTS).tolist(),
    )
    return drop_overlapping(TEXTS), near, pair_distribution(TEXTS), rouge_l(TEXTS[0], TEXTS[1])


def test_without_rapidfuzz_everything_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = measured()
    for name in ("rapidfuzz", "rapidfuzz.distance", "rapidfuzz.process"):
        monkeypatch.setitem(sys.modules, name, None)
    lcs._rapidfuzz.cache_clear()
    try:
        assert common_length("abcd", "bd", least=3) == 0
        assert measured() == with_it
        assert lcs._rapidfuzz() is None
    finally:
        lcs._rapidfuzz.cache_clear()
