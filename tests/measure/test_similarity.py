"""Nearest rows and near-duplicates equal their slow restatement, whatever the block."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kshot.errors import DataError
from kshot.measure.similarity import (
    cosines,
    drop_near_duplicates,
    duplicate_of,
    nearest,
    neighbours_above,
)

Rows = NDArray[np.float32]
TAU = float(np.cos(np.radians(25.84)))  # the spec's "cosine distance below .1"


def at_angles(*degrees: float) -> Rows:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def clustered(seed: int, count: int, dim: int, *, repeats: bool = True) -> Rows:
    """Unit rows around a few centres, with exact copies and zero rows among them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(5, dim))
    rows = centres[rng.integers(0, 5, count)] + rng.normal(size=(count, dim)) * rng.choice([0.2, 1.0])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows.astype(np.float32)
    if repeats and count > 3:
        rows[rng.integers(0, count, count // 3)] = rows[rng.integers(0, count, count // 3)]
        rows[rng.integers(0, count)] = 0
    return rows


def slow_score(a: Rows, b: Rows) -> float:
    total = np.sum(a.astype(np.float64) * b.astype(np.float64))
    return float(min(1.0, max(-1.0, total)))


def slow_kept(rows: Rows, threshold: float) -> list[int]:
    kept: list[int] = []
    for row in range(len(rows)):
        if all(slow_score(rows[row], rows[other]) <= threshold for other in kept):
            kept.append(row)
    return kept


def slow_nearest(query: Rows, rows: Rows, k: int) -> list[int]:
    return sorted(range(len(rows)), key=lambda row: (-slow_score(query, rows[row]), row))[:k]


@pytest.mark.parametrize(
    ("degrees", "kept"),
    [((0, 20, 40, 60), [0, 2]), ((0, 30, 60), [0, 1, 2]), ((0, 0, 90), [0, 2]), ((), []), ((7,), [0])],
)
def test_a_dropped_row_drops_nobody(degrees: tuple[float, ...], kept: list[int]) -> None:
    rows = at_angles(*degrees) if degrees else np.zeros((0, 2), dtype=np.float32)
    assert drop_near_duplicates(rows, threshold=TAU).tolist() == kept


def test_the_threshold_is_strict_and_at_one_everything_stays() -> None:
    rows = np.array([[0.6, 0.8], [0.6, 0.8], [1, 0]], dtype=np.float32)
    exact = slow_score(rows[0], rows[2])
    assert drop_near_duplicates(rows, threshold=exact).tolist() == [0, 2]
    assert drop_near_duplicates(rows, threshold=np.nextafter(exact, 0)).tolist() == [0]
    assert drop_near_duplicates(rows, threshold=1.0).tolist() == [0, 1, 2]
    tall = rows * np.float32(1.005)  # as bfloat16 may leave it: a score is never above 1
    assert drop_near_duplicates(tall, threshold=1.0).tolist() == [0, 1, 2]
    assert nearest(tall[:1], np.stack([rows[0], tall[0]]), k=1)[0].tolist() == [[0]]


def test_a_repeat_names_the_first_kept_row_it_repeats() -> None:
    assert duplicate_of(at_angles(0, 90, 10, 80, 45, 2), threshold=TAU).tolist() == [-1, -1, 0, 1, -1, 0]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 60),
    dim=st.sampled_from([1, 2, 7, 33]),
    threshold=st.sampled_from([-0.5, 0.0, 0.5, 0.9, 0.99, 1.0]),
    block=st.sampled_from([1, 3, 16, 4096]),
)
def test_blocked_near_duplicates_equal_the_slow_walk(
    seed: int, count: int, dim: int, threshold: float, block: int
) -> None:
    rows = clustered(seed, count, dim)
    kept = drop_near_duplicates(rows, threshold=threshold, block_rows=block)
    assert kept.tolist() == slow_kept(rows, threshold)


def test_pairs_that_lie_on_the_threshold_are_decided_by_the_double_score() -> None:
    """Thresholds put onto the scores themselves: float32 products alone would decide by block shape."""
    rows = clustered(3, 80, 65, repeats=False)
    on_edge = {slow_score(rows[a], rows[b]) for a in range(40) for b in range(a)}
    for threshold in sorted(on_edge)[-25:]:
        expected = slow_kept(rows, threshold)
        for block in (1, 7, 64, 500):
            assert drop_near_duplicates(rows, threshold=threshold, block_rows=block).tolist() == expected


def test_every_dropped_row_has_an_earlier_kept_neighbour_above_the_threshold() -> None:
    rows = clustered(11, 400, 16)
    owners = duplicate_of(rows, threshold=0.8, block_rows=64)
    kept = np.flatnonzero(owners < 0)
    scores = np.array([[slow_score(rows[a], rows[b]) for b in kept] for a in kept])
    assert (scores[~np.eye(len(kept), dtype=bool)] <= 0.8).all()
    dropped = np.flatnonzero(owners >= 0)
    assert 0 < len(dropped) < 400
    assert (owners[dropped] < dropped).all()
    assert set(owners[dropped]) <= set(kept)
    assert (cosines(rows[dropped], rows[owners[dropped]]) > 0.8).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.tuples(st.integers(0, 9), st.integers(0, 40)),
    k=st.integers(1, 50),
    dim=st.sampled_from([1, 2, 5, 40]),
    block=st.sampled_from([1, 4, 1000]),
)
def test_nearest_equals_sorting_all_scores(
    seed: int, sizes: tuple[int, int], k: int, dim: int, block: int
) -> None:
    queries, rows = clustered(seed, sizes[0], dim), clustered(seed + 1, sizes[1], dim)
    indices, scores = nearest(queries, rows, k=k, block_rows=block)
    assert indices.shape == scores.shape == (sizes[0], min(k, sizes[1]))
    for query, found, values in zip(queries, indices, scores, strict=True):
        assert found.tolist() == slow_nearest(query, rows, k)
        assert values.tolist() == [slow_score(query, rows[row]) for row in found]


def test_ties_go_to_the_lower_index_across_blocks() -> None:
    rows = np.tile(at_angles(0), (50, 1))
    assert nearest(rows[:1], rows, k=4, block_rows=3)[0].tolist() == [[0, 1, 2, 3]]


def test_permuting_the_rows_permutes_the_answer() -> None:
    rows = clustered(5, 100, 12, repeats=False)
    order = np.random.default_rng(0).permutation(100)
    plain, _ = nearest(rows[:10], rows, k=5)
    permuted, _ = nearest(rows[:10], rows[order], k=5)
    assert (order[permuted] == plain).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), block=st.sampled_from([1, 5, 4096]), threshold=st.sampled_from([0.0, 0.95]))
def test_neighbours_come_in_order_and_none_is_missed(seed: int, block: int, threshold: float) -> None:
    rows, others = clustered(seed, 23, 6), clustered(seed, 17, 6)
    slow = [
        (a, b, slow_score(rows[a], others[b]))
        for a in range(23)
        for b in range(17)
        if slow_score(rows[a], others[b]) >= threshold
    ]
    assert list(neighbours_above(rows, others, threshold=threshold, block_rows=block)) == slow


def test_half_precision_memory_maps_give_what_their_float32_copies_give(tmp_path: Path) -> None:
    rows = clustered(2, 300, 24, repeats=False).astype(np.float16)
    file = tmp_path / "rows.npy"
    np.save(file, rows)
    mapped = np.load(file, mmap_mode="r")
    copy = rows.astype(np.float32)
    assert drop_near_duplicates(mapped, threshold=0.7, block_rows=64).tolist() == slow_kept(copy, 0.7)
    indices, _ = nearest(mapped[:5], mapped, k=3, block_rows=64)
    assert indices.tolist() == [slow_nearest(copy[row], copy, 3) for row in range(5)]


def test_memory_is_bounded_by_the_block_even_where_all_rows_tie() -> None:
    rows = np.tile(at_angles(30), (6000, 32)) / np.float32(np.sqrt(32))  # 6000 x 64, all equal
    tracemalloc.start()
    assert drop_near_duplicates(rows, block_rows=512).tolist() == [0]
    nearest(rows[:512], rows, k=3, block_rows=512)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # the dense matrix of scores alone would take 288 MB


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (at_angles(0, 1) * np.float32(2), {}, "row 0 has length 2, expected 1"),
        (np.array([[1, 0], [np.nan, 0]], np.float32), {}, "row 1 has length nan"),
        (np.array([[1, 0], [np.inf, 0]], np.float32), {}, "row 1 has length inf"),
        (np.array([[1e300, 0]]), {}, "row 0 has length inf"),
        (at_angles(0)[0], {}, "shape"),
        (np.eye(2, dtype=np.int64), {}, "int64"),
        (at_angles(0), {"threshold": float("nan")}, "threshold is nan"),
        (at_angles(0), {"threshold": 25.84}, "from -1 to 1"),
        (at_angles(0), {"block_rows": 0}, "block_rows is 0"),
    ],
)
def test_bad_input_is_refused_with_the_row(rows: Rows, options: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        drop_near_duplicates(rows, **options)


def test_nearest_refuses_two_embedders_and_k_of_zero() -> None:
    with pytest.raises(DataError, match="2 and 3 columns"):
        nearest(at_angles(0), np.eye(3, dtype=np.float32), k=1)
    with pytest.raises(DataError, match="k is 0"):
        nearest(at_angles(0), at_angles(0), k=0)
    with pytest.raises(DataError, match="query 0 has length 3"):
        nearest(at_angles(0) * np.float32(3), at_angles(0), k=1)
