"""Votes of retrieved records, and what chance and the expert itself would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

KS = (1, 3, 6, 12)
RANDOM_DRAWS = 20

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pool:
    """Records of one pool as arrays.

    Attributes:
        vectors: (N, D) float32 unit rows of the keys.
        labels: (N,) class index of the expert's answer.
    """

    vectors: NDArray[np.float32]
    labels: Ints


def nearest_records(pool: Pool, query: NDArray[np.float32]) -> Ints:
    """Places of the records by float32 dot product, one query at a time; ties: pool order."""
    return np.argsort(-(pool.vectors @ query), kind="stable")[: max(KS)]


def vote(labels: Ints) -> int:
    """The most frequent label of the k records; among equals the one of the nearest record."""
    counts = np.bincount(labels)
    return int(next(label for label in labels if counts[label] == counts.max()))


def votes(pool: Pool, queries: NDArray[np.float32]) -> tuple[Ints, Ints]:
    """(Q, 12) labels of the nearest records, and (Q, len(KS)) the vote of the first k of them."""
    shown = np.stack([pool.labels[nearest_records(pool, query)] for query in queries])
    return shown, np.array([[vote(row[:k]) for k in KS] for row in shown])


def random_votes(pool: Pool, count: int, *, seed: int) -> list[NDArray[np.int64]]:
    """``RANDOM_DRAWS`` times (Q, len(KS)): votes of records drawn without replacement for each query."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(RANDOM_DRAWS):
        drawn = [rng.permutation(len(pool.labels))[: max(KS)] for _ in range(count)]
        found.append(np.array([[vote(pool.labels[places[:k]]) for k in KS] for places in drawn]))
    return found


def any_by_chance(pool: Pool, gold: Ints, k: int) -> float:
    """Expected share of queries with the right label among k random records: 1 minus none of them."""
    size = len(pool.labels)
    right = np.bincount(pool.labels, minlength=int(gold.max()) + 1)
    k = min(k, size)
    return float(np.mean([1 - comb(size - int(right[g]), k) / comb(size, k) for g in gold]))


def share(right: NDArray[np.bool_] | Sequence[bool]) -> float:
    """Share of true values."""
    return float(np.mean(right))
