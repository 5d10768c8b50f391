"""The losses of rankings as pure functions of vectors and logits, and the seeded draw of negatives."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kshot.data.ranking import Ranking
from kshot.models.kinds.base import Doubles

_BLOCK_SCORES = 1 << 22  # at once: thousands of examples have a hundred million scores


def contrastive_nats(
    queries: ArrayLike,
    passages: Sequence[ArrayLike],
    *,
    scale: float = 0.05,
    batch_size: int | None = None,
) -> tuple[Doubles, NDArray[np.bool_]]:
    """The loss of every query against all passages of its batch, and whether its positive stands first.

    Args:
        queries: (K, d).
        passages: K of (P_i, d), the positive first.
        scale: Products are divided by it.
        batch_size: Queries that share their passages, in order; None: all K.

    Returns:
        (K,) nats, and (K,) whether every other passage of the batch scores lower (a tie is not right).

    Source: LM-Cocktail (arXiv 2311.13534), released code: cross-entropy of ``q pᵀ / 0.05``, the target of a
    query its own positive, all other passages of the batch negatives.

    >>> nats, right = contrastive_nats([[1.0, 0.0]], [[[1.0, 0.0], [0.0, 1.0]]], scale=1.0)
    >>> round(float(nats[0]), 6), bool(right[0])
    (0.313262, True)
    """
    rows = np.asarray(queries, dtype=np.float64)  # (K, d)
    step = len(rows) if batch_size is None else batch_size
    nats = np.zeros(len(rows))
    right = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(rows), max(step, 1)):
        own = [np.asarray(some, dtype=np.float64) for some in passages[start : start + step]]
        at = np.cumsum([0, *(len(some) for some in own)])[:-1]  # of each positive
        others = np.concatenate(own)  # (P, d)
        most = max(1, _BLOCK_SCORES // len(others))
        for first in range(0, len(own), most):
            some = slice(start + first, min(start + first + most, start + len(own)))
            scores = rows[some] @ others.T / scale  # (b, P)
            nats[some], right[some] = _cross_entropy(scores, at[first : first + most])
    return nats, right


def group_nats(logits: Sequence[ArrayLike]) -> tuple[Doubles, NDArray[np.bool_]]:
    """The loss of every group ``[positive, negatives]`` of a reranker, and whether its positive stands first.

    Args:
        logits: G of (P_g,), the positive first.

    Returns:
        (G,) nats, and (G,) whether every negative scores lower (a tie is not right).

    >>> round(float(group_nats([[2, 1, 0], [0, 1, 0.5]])[0].mean()), 6)
    1.043938
    """
    found = [_cross_entropy(np.asarray(group, dtype=np.float64)[None], np.zeros(1, int)) for group in logits]
    nats: Doubles = np.array([nats[0] for nats, _ in found])
    return nats, np.array([right[0] for _, right in found], dtype=bool)


def drawn(row: Ranking, count: int, *, seed: int) -> tuple[str, ...]:
    """At most ``count`` negatives of an example, in its own order; all of them where it has no more.

    The draw is a function of the seed, the query, its positives and the negatives' texts: neither the file's
    name nor the other examples matter, and a smaller count draws a part of what a larger one does.

    >>> row = Ranking("tea", ("a hot drink",), ("a", "b", "c"))
    >>> drawn(row, 2, seed=0) == drawn(row, 2, seed=0), len(drawn(row, 2, seed=0)), drawn(row, 5, seed=0)
    (True, 2, ('a', 'b', 'c'))
    """
    if len(row.negatives) <= count:
        return row.negatives
    stem = "\0".join([str(seed), row.query, *row.positives])
    keys = [
        hashlib.sha256(f"{stem}\0{text}".encode("utf-8", "surrogatepass")).digest() for text in row.negatives
    ]
    chosen = sorted(sorted(range(len(keys)), key=lambda at: (keys[at], at))[:count])
    return tuple(row.negatives[at] for at in chosen)


def _cross_entropy(scores: NDArray[Any], at: NDArray[Any]) -> tuple[Doubles, NDArray[np.bool_]]:
    """Nats of row i's entry ``at[i]``, and whether it is the one largest."""
    rows = np.arange(len(scores))
    own = scores[rows, at]
    top = scores.max(axis=1)
    nats: Doubles = np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top - own
    others = scores.copy()
    others[rows, at] = -np.inf
    return nats, own > others.max(axis=1, initial=-np.inf)
