"""The longest common subsequence: rapidfuzz where it is there, whole numbers bit by bit where it is not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import TypeAlias

_Similarity: TypeAlias = Callable[..., int]


def lcs_length(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Elements that two sequences have in common in the same order, at most; without any library.

    Bit i of V is 0 where the longest common subsequence grows at element i of ``a``. Each element of ``b``
    costs a few operations on one whole number of ``len(a)`` bits.

    Source: Allison and Dix 1986 and Hyyrö 2004, bit-parallel LCS.

    >>> lcs_length("the cat sat".split(), "the cat ran away".split())
    2
    """
    masks: dict[Hashable, int] = {}
    for place, element in enumerate(a):
        masks[element] = masks.get(element, 0) | 1 << place
    full = (1 << len(a)) - 1
    grown = full
    for element in b:
        if mask := masks.get(element):
            common = grown & mask
            grown = ((grown + common) | (grown - common)) & full
    return len(a) - grown.bit_count()


def common_length(a: Sequence[Hashable], b: Sequence[Hashable], *, least: int = 0) -> int:
    """As ``lcs_length``, by rapidfuzz where it can be imported; 0 where it would be below ``least``.

    >>> common_length("abcd", "bd"), common_length("abcd", "bd", least=3)
    (2, 0)
    """
    fast = _rapidfuzz()
    if fast is not None:
        return fast(a, b, score_cutoff=least)
    common = lcs_length(a, b)
    return common if common >= least else 0


@cache
def _rapidfuzz() -> _Similarity | None:
    try:
        from rapidfuzz.distance import LCSseq
    except ImportError:
        return None
    return LCSseq.similarity
