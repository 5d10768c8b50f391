"""The properties of choosing data: section 10.6 of the method's specification, one test each."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kshot.errors import DataError
from kshot.measure.similarity import cosines
from kshot.methods.select_data import (
    NOT_NEAREST,
    REPEAT,
    DataSelection,
    Pool,
    Similarity,
    drop_near_duplicates,
    rank_pool,
    select_data,
)

Rows = NDArray[np.float32]
TAU = float(np.cos(np.radians(25.84)))
ALL: tuple[Similarity, ...] = get_args(Similarity)


def at_angles(*degrees: float) -> Rows:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def clustered(seed: int, count: int, dim: int) -> Rows:
    """Unit rows around a few centres, exact copies among them."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(6, dim))[rng.integers(0, 6, count)] + rng.normal(size=(count, dim)) * 0.3
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    if count:
        rows[rng.integers(0, count, count // 4)] = rows[rng.integers(0, count, count // 4)]
    return rows.astype(np.float32)


def best_scores(shots: Rows, rows: Rows) -> NDArray[np.float64]:
    repeated = [cosines(rows, np.broadcast_to(shot, rows.shape)) for shot in shots]
    found: NDArray[np.float64] = np.max(repeated, axis=0)
    return found


draws = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "size": st.integers(0, 50),
        "count": st.integers(1, 60),
        "threshold": st.sampled_from([0.0, 0.7, 0.9, 0.99]),
        "similarity": st.sampled_from(ALL),
        "refill": st.booleans(),
    }
)


def made(draw: dict[str, object]) -> tuple[Rows, Pool, dict[str, object]]:
    options = dict(draw)
    seed, size = int(str(options.pop("seed"))), int(str(options.pop("size")))
    keys = np.random.default_rng(seed).permutation(size).astype(np.uint64)
    return clustered(seed + 1, 4, 8), Pool(clustered(seed, size, 8), keys), options


def test_the_released_code_loses_chains_and_this_walk_does_not() -> None:
    """Check D9: cosine distance below .1 counts as a repeat; the walk is in the given order."""
    for degrees, kept in [((0, 20, 40, 60), [0, 2]), ((0, 30, 60), [0, 1, 2]), ((0, 0, 90), [0, 2])]:
        assert drop_near_duplicates(at_angles(*degrees), threshold=TAU).tolist() == kept


def test_the_less_shot_like_of_two_repeats_falls_and_both_sides_are_told() -> None:
    chosen = select_data(at_angles(0, 90), at_angles(10, 5, 80, 45, 180), count=4)
    assert chosen.kept.tolist() == [1, 2, 3]
    assert chosen.nearest.tolist() == [0, 1, 0]
    np.testing.assert_allclose(chosen.scores, np.cos(np.radians([5, 10, 45])), atol=1e-6)
    assert (chosen.repeats.tolist(), chosen.repeat_of.tolist()) == ([0], [1])
    np.testing.assert_allclose(chosen.repeat_scores, np.cos(np.radians(5)), atol=1e-6)
    both = chosen.selection()
    assert both.kept == (1, 2, 3)
    assert [(drop.index, drop.reason, drop.neighbour) for drop in both.dropped] == [
        (0, REPEAT, 1),
        (4, NOT_NEAREST, None),
    ]
    assert both.dropped[1].score == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=60)
@given(draw=draws, order=st.randoms(use_true_random=False))
def test_pool_order_never_changes_the_chosen_rows(draw: dict[str, object], order: object) -> None:
    shots, pool, options = made(draw)
    moved = list(range(len(pool)))
    order.shuffle(moved)  # type: ignore[attr-defined]
    other = Pool(pool.vectors[moved], pool.keys[moved])
    plain, permuted = select_data(shots, pool, **options), select_data(shots, other, **options)  # type: ignore[arg-type]
    assert other.keys[permuted.kept].tolist() == pool.keys[plain.kept].tolist()
    assert other.keys[permuted.repeats].tolist() == pool.keys[plain.repeats].tolist()
    assert permuted.scores.tolist() == plain.scores.tolist()


@settings(max_examples=60)
@given(draw=draws)
def test_no_kept_pair_is_above_the_threshold_and_each_drop_has_a_better_kept_neighbour(
    draw: dict[str, object],
) -> None:
    shots, pool, options = made(draw)
    threshold = float(str(options["threshold"]))
    chosen = select_data(shots, pool, **options)  # type: ignore[arg-type]
    kept = pool.vectors[chosen.kept]
    for row in range(len(kept)):
        assert (cosines(np.broadcast_to(kept[row], kept[:row].shape), kept[:row]) <= threshold).all()
    likeness = best_scores(shots, np.asarray(pool.vectors)) if len(pool) else np.zeros(0)
    assert set(chosen.repeat_of.tolist()) <= set(chosen.kept.tolist())
    for row, owner, score in zip(chosen.repeats, chosen.repeat_of, chosen.repeat_scores, strict=True):
        assert score == cosines(pool.vectors[row][None], pool.vectors[owner][None])[0] > threshold
        assert likeness[owner] >= likeness[row]
    np.testing.assert_array_equal(chosen.scores, likeness[chosen.kept])
    np.testing.assert_allclose(chosen.best, likeness, atol=1e-5)


@settings(max_examples=60)
@given(draw=draws)
def test_candidates_are_kept_or_repeats_and_no_other_row_is(draw: dict[str, object]) -> None:
    shots, pool, options = made(draw)
    chosen = select_data(shots, pool, **options)  # type: ignore[arg-type]
    count = int(str(options["count"]))
    assert len(chosen.selection()) == len(pool)
    if not options["refill"]:
        first = rank_pool(shots, pool, similarity=options["similarity"], count=count)  # type: ignore[arg-type]
        assert sorted([*chosen.kept, *chosen.repeats]) == sorted(first)
    else:
        assert len(chosen.kept) <= count
        if len(chosen.kept) < count:  # then the pool is used up
            assert len(chosen.kept) + len(chosen.repeats) == len(pool)


def slow_refilled(shots: Rows, pool: Rows, count: int, threshold: float) -> list[int]:
    """The walk by likeness over the whole pool, until enough are kept."""
    likeness = best_scores(shots, pool)
    kept: list[int] = []
    for row in sorted(range(len(pool)), key=lambda row: (-likeness[row], row)):
        above = [float(cosines(pool[row][None], pool[other][None])[0]) > threshold for other in kept]
        if len(kept) < count and not any(above):
            kept.append(row)
    return kept


@settings(max_examples=40)
@given(seed=st.integers(0, 1000), count=st.integers(1, 40), threshold=st.sampled_from([0.5, 0.9, 1.0]))
def test_refilling_by_the_best_cosine_is_one_long_walk(seed: int, count: int, threshold: float) -> None:
    shots, pool = clustered(seed, 3, 6), clustered(seed + 1, 40, 6)
    chosen = select_data(shots, pool, count=count, threshold=threshold, refill=True)
    assert chosen.kept.tolist() == slow_refilled(shots, pool, count, threshold)


def slow_rounds(shots: Rows, pool: Rows, similarity: Similarity, count: int, threshold: float) -> list[int]:
    """Candidates join by the selector's rank: as many as are missing, or an eighth where that is more."""
    likeness = best_scores(shots, pool)
    ranking = rank_pool(shots, pool, similarity=similarity).tolist()
    asked = count
    while True:
        kept: list[int] = []
        for row in sorted(ranking[:asked], key=lambda row: (-likeness[row], row)):
            if all(float(cosines(pool[row][None], pool[other][None])[0]) <= threshold for other in kept):
                kept.append(row)
        if len(kept) >= count or asked >= len(pool):
            return kept[:count]
        asked += max(count - len(kept), asked // 8)


@settings(max_examples=100)
@given(seed=st.integers(0, 1000), count=st.integers(3, 15), similarity=st.sampled_from(ALL))
def test_refilling_equals_its_slow_restatement(seed: int, count: int, similarity: Similarity) -> None:
    shots, pool = clustered(seed, 3, 6), clustered(seed + 1, 40, 6)
    chosen = select_data(shots, pool, count=count, threshold=0.9, similarity=similarity, refill=True)
    assert chosen.kept.tolist() == slow_rounds(shots, pool, similarity, count, 0.9)


def test_no_more_rows_are_kept_than_were_asked_for() -> None:
    """One repeat among 20: two further candidates join, and the less shot-like of them is not needed."""
    likeness = np.linspace(0.2, 0.1, 25)
    pool = np.zeros((25, 26), dtype=np.float32)
    pool[:, 0] = likeness
    pool[range(25), range(1, 26)] = np.sqrt(1 - likeness**2)
    pool[7] = pool[6]
    chosen = select_data(np.eye(1, 26, dtype=np.float32), pool, count=20, refill=True)
    assert chosen.kept.tolist() == [row for row in range(21) if row != 7]
    assert chosen.repeats.tolist() == [7]
    assert [drop.reason for drop in chosen.selection().dropped] == [REPEAT] + [NOT_NEAREST] * 4


def test_a_pool_of_one_row_repeated_is_walked_to_its_end() -> None:
    pool = np.concatenate([np.tile(at_angles(10), (3000, 1)), at_angles(90)])
    chosen = select_data(at_angles(0), pool, count=2, refill=True)
    assert chosen.kept.tolist() == [0, 3000]
    assert len(chosen.repeats) == 2999


def test_more_candidates_than_rows_and_an_empty_pool() -> None:
    chosen = select_data(at_angles(0), at_angles(0, 50, 100), count=1000)
    assert chosen.kept.tolist() == [0, 1, 2]
    empty = select_data(at_angles(0), np.zeros((0, 2), np.float32), refill=True)
    assert (empty.kept.tolist(), len(empty.selection())) == ([], 0)


def test_a_threshold_of_one_keeps_exact_copies() -> None:
    pool = np.tile(at_angles(33), (5, 1))
    assert select_data(at_angles(0), pool, threshold=1.0).kept.tolist() == [0, 1, 2, 3, 4]
    assert select_data(at_angles(0), pool, threshold=0.999).kept.tolist() == [0]


def test_a_large_half_precision_map_is_never_held_whole(tmp_path: Path) -> None:
    count, dim = 60_000, 64
    rows = np.memmap(tmp_path / "rows", dtype=np.float16, mode="w+", shape=(count, dim))
    rng = np.random.default_rng(0)
    for at in range(0, count, 10_000):
        some = rng.normal(size=(10_000, dim))
        rows[at : at + 10_000] = some / np.linalg.norm(some, axis=1, keepdims=True)
    shots = np.asarray(rows[:20], dtype=np.float32)
    peaks = {}
    for similarity in ALL:
        tracemalloc.start()
        chosen = select_data(shots, rows, count=500, similarity=similarity)
        peaks[similarity] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(chosen.kept) + len(chosen.repeats) == 500
    assert max(peaks.values()) < 60e6, peaks  # scores of all pairs alone would take 28.8 GB


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"similarity": "nearest"}, "similarity is 'nearest'"),
    ],
)
def test_bad_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        select_data(at_angles(0), at_angles(0, 1), **options)  # type: ignore[arg-type]


def test_the_result_is_data_of_plain_arrays() -> None:
    chosen = select_data(at_angles(0), at_angles(0, 1, 90))
    assert isinstance(chosen, DataSelection)
    kinds = [chosen.kept, chosen.nearest, chosen.repeats, chosen.repeat_of]
    assert [array.dtype for array in kinds] == [np.int64] * 4
    assert (chosen.scores.dtype, chosen.repeat_scores.dtype, chosen.best.dtype) == (
        np.float64,
        np.float64,
        np.float32,
    )
