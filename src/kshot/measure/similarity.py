"""Nearest rows and near-duplicates among unit vectors, exactly, a block at a time.

Every decision is taken on one score, whatever the size of the blocks: ``cosines``, the products of the
float32 components in double, where they are exact, summed in double in the order of ``numpy.sum``, cut to
[-1, 1]. Float32 matrix products, whose last bits depend on the shape of the block, only rule pairs out or in
where the worst rounding error cannot matter; the few pairs between are scored anew.

Rows are float32 or float16, arrays, memory maps or picks of them; they have length 1, or 0 (a text without
any feature).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.errors import DataError
from kshot.models.base import Floats, Ints
from kshot.models.embed.rows import AnyFloats, Rows, floats

Doubles: TypeAlias = NDArray[np.float64]

BLOCK_ROWS = 2048
_SCORED_VALUES = 1 << 21  # components multiplied in double at a time
_LENGTH_TOLERANCE = 0.01  # of rows that came through float16 or bfloat16


def cosines(left: AnyFloats, right: AnyFloats) -> Doubles:
    """(P,) scores of P pairs of rows: the one definition of similarity in this module.

    >>> float(cosines(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32)[::-1])[0])
    0.0
    """
    doubles = left.astype(np.float32).astype(np.float64) * right.astype(np.float32).astype(np.float64)
    sums: Doubles = np.ascontiguousarray(doubles).sum(axis=1)
    return np.minimum(np.maximum(sums, -1.0), 1.0)


def nearest(queries: Rows, rows: Rows, *, k: int, block_rows: int = BLOCK_ROWS) -> tuple[Ints, Doubles]:
    """The k most similar rows of each query, best first. Ties: the lower index.

    Returns:
        Indices and scores, (Q, min(k, N)) each.

    Raises:
        DataError: k or the block is below 1, the widths differ, or a row is neither unit nor zero.

    >>> pool = np.eye(3, dtype=np.float32)
    >>> nearest(pool[:1], pool, k=2)[0].tolist()
    [[0, 1]]
    """
    _checked(queries, rows, block_rows)
    if k < 1:
        raise DataError(f"k is {k}, expected at least 1")
    k = min(k, len(rows))
    indices = np.zeros((len(queries), k), dtype=np.int64)  # (Q, k)
    scores = np.zeros((len(queries), k))  # (Q, k)
    for start in range(0, len(queries) if k else 0, block_rows):
        block = _block(queries, start, block_rows, "query")
        span = slice(start, start + len(block))
        indices[span], scores[span] = _nearest_of(block, rows, k, block_rows)
    return indices, scores


def neighbours_above(
    rows: Rows, others: Rows, *, threshold: float, block_rows: int = BLOCK_ROWS
) -> Iterator[tuple[int, int, float]]:
    """Every pair of a row and another whose score is at least the threshold: (row, other, score).

    Ordered by row, then by other. Nothing is held but one block of each and the pairs of one block of rows.

    Raises:
        DataError: As ``nearest``, or the threshold is no cosine.

    >>> list(neighbours_above(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), threshold=0.9))
    [(0, 0, 1.0), (1, 1, 1.0)]
    """
    _checked(rows, others, block_rows, threshold)
    for start in range(0, len(rows), block_rows):
        block = _block(rows, start, block_rows, "row")
        found: list[tuple[int, int, float]] = []
        for base in range(0, len(others), block_rows):
            other = _block(others, base, block_rows, "row")
            left, right = np.nonzero(block @ other.T >= threshold - product_error(block))
            scores = pair_scores(block, other, left, right)
            keep = scores >= threshold
            pairs = zip(
                (left[keep] + start).tolist(),
                (right[keep] + base).tolist(),
                scores[keep].tolist(),
                strict=True,
            )
            found.extend(pairs)
        yield from sorted(found, key=lambda pair: pair[:2])


def drop_near_duplicates(rows: Rows, *, threshold: float = 0.9, block_rows: int = BLOCK_ROWS) -> Ints:
    """Which rows to keep: each whose score with every kept row before it is at most the threshold.

    Rows stand in order of priority: the later one of two near-duplicates goes. A dropped row drops nobody,
    so a chain 0°, 20°, 40° keeps its first and third link where 20° count as a repeat and 40° do not.

    Returns:
        Indices of the kept rows, ascending.

    Raises:
        DataError: As ``nearest``, or the threshold is no cosine.

    Source: arXiv 2408.15915, Alg. 2, as a greedy walk, so that the order of pairs does not matter.

    >>> drop_near_duplicates(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)).tolist()
    [0, 2]
    """
    return np.flatnonzero(duplicate_of(rows, threshold=threshold, block_rows=block_rows) < 0)


def duplicate_of(rows: Rows, *, threshold: float = 0.9, block_rows: int = BLOCK_ROWS) -> Ints:
    """(N,) which kept row each row repeats, the first one in order; -1 where the row is kept itself.

    The walk of ``drop_near_duplicates``; its bound and memory too: kept rows are read again by the block.

    >>> duplicate_of(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)).tolist()
    [-1, 0, -1]
    """
    _checked(rows, rows, block_rows, threshold)
    owners = np.full(len(rows), -1, dtype=np.int64)  # (N,)
    kept = np.zeros(0, dtype=np.int64)
    for start in range(0, len(rows), block_rows):
        block = _block(rows, start, block_rows, "row")
        alive = np.arange(len(block))
        for base in range(0, len(kept), block_rows):
            chosen = kept[base : base + block_rows]
            above = _above(block[alive], floats(rows[chosen]), threshold)
            hit = above.any(axis=1)
            owners[start + alive[hit]] = chosen[above[hit].argmax(axis=1)]
            alive = alive[~hit]
        owners[start + alive] = _walk(block[alive], threshold, start + alive)
        kept = np.concatenate([kept, start + alive[owners[start + alive] < 0]])
    return owners


def _walk(block: Floats, threshold: float, names: Ints) -> Ints:
    """The greedy walk within one block; ``names`` are the rows' indices in the whole."""
    above = _above(block, block, threshold)
    owners = np.full(len(block), -1, dtype=np.int64)
    for row in range(len(block)):
        if owners[row] < 0:
            later = np.flatnonzero(above[row, row + 1 :]) + row + 1
            owners[later[owners[later] < 0]] = names[row]
    return owners


def _above(left: Floats, right: Floats, threshold: float) -> NDArray[np.bool_]:
    """(A, B) whether the score of each pair exceeds the threshold, as ``cosines`` decides it."""
    if threshold >= 1:
        return np.zeros((len(left), len(right)), dtype=np.bool_)
    products = left @ right.T  # (A, B)
    error = product_error(left)
    above: NDArray[np.bool_] = products > threshold - error
    a, b = np.nonzero(above)
    doubtful = products[a, b] <= threshold + error
    a, b = a[doubtful], b[doubtful]
    above[a, b] = pair_scores(left, right, a, b) > threshold
    return above


def unit_blocks(rows: Rows, *, block_rows: int = BLOCK_ROWS) -> Iterator[tuple[int, Floats]]:
    """Rows as float32, a block at a time, each with the place of its first row.

    Raises:
        DataError: A row is neither unit nor zero.

    >>> [(start, len(block)) for start, block in unit_blocks(np.eye(3, dtype=np.float32), block_rows=2)]
    [(0, 2), (2, 1)]
    """
    _checked(rows, rows, block_rows)
    for start in range(0, len(rows), block_rows):
        yield start, _block(rows, start, block_rows, "row")


def _nearest_of(block: Floats, rows: Rows, k: int, block_rows: int) -> tuple[Ints, Doubles]:
    count = len(block)
    indices = np.full((count, k), len(rows), dtype=np.int64)  # (B, k)
    scores = np.full((count, k), -np.inf)
    error = 2 * product_error(block)
    for base in range(0, len(rows), block_rows):
        other = _block(rows, base, block_rows, "row")
        products = np.clip(block @ other.T, -1, 1)  # (B, R)
        floor = scores[:, -1]
        if len(other) >= k:
            floor = np.maximum(floor, np.partition(products, len(other) - k, axis=1)[:, len(other) - k])
        left, right = np.nonzero(products >= (floor - error)[:, None])
        owner = np.concatenate([np.repeat(np.arange(count), k), left])
        index = np.concatenate([indices.ravel(), right + base])
        score = np.concatenate([scores.ravel(), pair_scores(block, other, left, right)])
        order = np.lexsort((index, -score, owner))
        firsts = np.searchsorted(owner[order], np.arange(count))
        best = order[firsts[:, None] + np.arange(k)]  # (B, k)
        indices, scores = index[best], score[best]
    return indices, scores


def pair_scores(left: Rows, right: Rows, a: Ints, b: Ints) -> Doubles:
    """(P,) scores of the pairs left[a], right[b], a bounded number at a time.

    >>> pair_scores(np.eye(2, dtype=np.float32), np.eye(2), np.array([0, 1]), np.array([0, 0])).tolist()
    [1.0, 0.0]
    """
    step = max(1, _SCORED_VALUES // max(1, left.shape[1]))
    parts = [cosines(left[a[at : at + step]], right[b[at : at + step]]) for at in range(0, len(a), step)]
    return np.concatenate(parts) if parts else np.zeros(0)


def product_error(block: Rows) -> float:
    """What a float32 product with one of these rows can be off by, in any order of adding (Higham), and some.

    >>> product_error(np.zeros((1, 384), dtype=np.float32)) < 5e-5
    True
    """
    return float((block.shape[1] + 8) * np.finfo(np.float32).eps * (1 + _LENGTH_TOLERANCE) ** 2)


def _block(rows: Rows, start: int, count: int, noun: str) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with the row
        block = floats(rows[start : start + count])
        squares = np.einsum("nd,nd->n", block, block)
    unit = np.abs(np.sqrt(squares) - 1) <= _LENGTH_TOLERANCE
    wrong = np.flatnonzero(~(unit | (squares == 0)))  # NaN lands here too
    if len(wrong):
        length = float(np.sqrt(squares[wrong[0]]))
        raise DataError(
            f"{noun} {start + int(wrong[0])} has length {length:.4g}, expected 1; "
            "divide each row by its length"
        )
    return block


def _checked(left: Rows, right: Rows, block_rows: int, threshold: float = 0.0) -> None:
    for rows in (left, right):
        if len(rows.shape) != 2 or not np.issubdtype(rows.dtype, np.floating):
            raise DataError(f"found a {rows.dtype} array of shape {rows.shape}, expected floats (N, D)")
    if left.shape[1] != right.shape[1]:
        raise DataError(f"rows have {left.shape[1]} and {right.shape[1]} columns; use one embedder for both")
    if block_rows < 1:
        raise DataError(f"block_rows is {block_rows}, expected at least 1")
    if not -1 <= threshold <= 1:
        raise DataError(f"the threshold is {threshold}, expected a cosine from -1 to 1")
