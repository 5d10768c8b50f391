"""Rankings equal their slow restatement, whatever the count and the order of the pool."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kshot.errors import DataError
from kshot.methods.select_data import Pool, Selector, Similarity, rank_pool, select_data
from kshot.methods.select_data import turns as turns_module
from kshot.methods.select_data.pool import uniform

Rows = NDArray[np.float32]
EXACT: tuple[Similarity, ...] = ("max", "mean", "round_robin")
ALL: tuple[Similarity, ...] = get_args(Similarity)


def at_angles(*degrees: float) -> Rows:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def unit(seed: int, count: int, dim: int) -> Rows:
    """Unit rows with copies among them, and one zero row where there is room."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows.astype(np.float32)
    if count > 4:
        rows[rng.integers(0, count, count // 3)] = rows[rng.integers(0, count, count // 3)]
        rows[rng.integers(0, count)] = 0
    return rows


def score(a: Rows, b: Rows) -> float:
    return float(min(1.0, max(-1.0, np.sum(a.astype(np.float64) * b.astype(np.float64)))))


def slow_ranking(shots: Rows, pool: Rows, similarity: str, keys: list[int]) -> list[int]:
    scores = [[score(row, shot) for shot in shots] for row in pool]
    places = range(len(pool))
    if similarity == "max":
        return sorted(places, key=lambda row: (-max(scores[row]), keys[row], row))
    if similarity == "mean":
        return sorted(places, key=lambda row: (-float(np.mean(scores[row])), keys[row], row))
    left, order = list(places), []
    while left:
        shot = len(order) % len(shots)
        best = min(left, key=lambda row: (-scores[row][shot], keys[row], row))
        left.remove(best)
        order.append(best)
    return order


def with_similarities(*rows: tuple[float, float]) -> Rows:
    """Unit vectors whose cosines to two orthogonal shots are given."""
    return np.array([(a, b, (1 - a * a - b * b) ** 0.5) for a, b in rows], dtype=np.float32)


def test_mean_orders_by_distance_to_the_mean_shot() -> None:
    """Check D8: shots at 0 and 90 degrees, and the distances that the spec prints."""
    shots, pool = at_angles(0, 90), at_angles(2, 44, 46, 88, 130, -20)
    distances = np.linalg.norm(pool - shots.mean(axis=0), axis=1)
    expected = [0.682429, 0.293261, 0.293261, 0.682429, 1.173347, 0.949909]
    np.testing.assert_allclose(distances, expected, atol=2e-6)
    order = rank_pool(shots, pool, similarity="mean").tolist()
    assert [set(order[:2]), set(order[2:4]), order[4:]] == [{1, 2}, {0, 3}, [5, 4]]


def test_three_selectors_on_four_rows() -> None:
    """Check D8: similarities of p, q, r, s to two shots."""
    shots = np.eye(3, dtype=np.float32)[:2]
    pool = with_similarities((0.9, 0.1), (0.8, 0.2), (0.7, 0.6), (0.3, 0.5))
    assert rank_pool(shots, pool).tolist() == [0, 1, 2, 3]
    assert rank_pool(shots, pool, similarity="round_robin").tolist() == [0, 2, 1, 3]
    mean = rank_pool(shots, pool, similarity="mean").tolist()
    assert [mean[0], set(mean[1:3]), mean[3]] == [2, {0, 1}, 3]


@pytest.mark.parametrize("seed", range(5))
def test_mean_equals_the_distance_to_the_mean_shot_on_random_vectors(seed: int) -> None:
    """Check D10."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(205, 16))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    shots, pool = rows[:5], rows[5:]
    distances = np.linalg.norm(pool.astype(np.float64) - shots.astype(np.float64).mean(axis=0), axis=1)
    assert rank_pool(shots, pool, similarity="mean").tolist() == np.argsort(distances).tolist()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.tuples(st.integers(1, 6), st.integers(0, 40)),
    dim=st.sampled_from([1, 2, 5, 40]),
    similarity=st.sampled_from(EXACT),
    count=st.integers(0, 50),
)
def test_every_ranking_equals_the_slow_one(
    seed: int, sizes: tuple[int, int], dim: int, similarity: Similarity, count: int
) -> None:
    shots, pool = unit(seed, sizes[0], dim), unit(seed + 1, sizes[1], dim)
    slow = slow_ranking(shots, pool, similarity, list(range(len(pool))))
    assert rank_pool(shots, pool, similarity=similarity).tolist() == slow
    assert rank_pool(shots, pool, similarity=similarity, count=count).tolist() == slow[:count]


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), similarity=st.sampled_from(ALL), count=st.integers(0, 30))
def test_with_keys_no_order_of_the_pool_changes_the_choice(
    seed: int, similarity: Similarity, count: int
) -> None:
    rng = np.random.default_rng(seed)
    shots, vectors = unit(seed, 3, 6), unit(seed + 1, 25, 6)
    keys = rng.permutation(25).astype(np.uint64)
    order = rng.permutation(25)
    plain = rank_pool(shots, Pool(vectors, keys), similarity=similarity, count=count)
    moved = rank_pool(shots, Pool(vectors[order], keys[order]), similarity=similarity, count=count)
    assert keys[order][moved].tolist() == keys[plain].tolist()


@pytest.mark.parametrize("similarity", EXACT)
def test_blocks_change_nothing(similarity: Similarity, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of near rows differ by less than float32 products can tell; blocks of one row and of all."""
    rng = np.random.default_rng(1)
    rows = np.ones((300, 65)) + rng.normal(size=(300, 65)) * 1e-4
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    shots, pool = rows[:4], rows[4:]
    slow = slow_ranking(shots, pool, similarity, list(range(len(pool))))
    for block in (1, 7, 5000):
        monkeypatch.setattr("kshot.methods.select_data.rank.BLOCK_ROWS", block)
        monkeypatch.setattr(turns_module, "BLOCK_ROWS", block)
        monkeypatch.setattr(turns_module, "_WAITING", 3 * block)
        assert rank_pool(shots, pool, similarity=similarity, count=20).tolist() == slow[:20]


def test_lists_too_long_for_one_pass_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shots, pool = unit(3, 5, 4), unit(4, 60, 4)
    slow = slow_ranking(shots, pool, "round_robin", list(range(60)))
    for listed in (1, 5, 37):
        monkeypatch.setattr(turns_module, "_LISTED", listed)
        assert rank_pool(shots, pool, similarity="round_robin").tolist() == slow


def test_rows_a_little_too_long_tie_with_a_perfect_score() -> None:
    """As bfloat16 may leave them: a score is never above 1, so ties go to the lower index."""
    shots = at_angles(0)
    pool = np.concatenate([at_angles(0), at_angles(0, 0) * np.float32(1.005)])
    for similarity in EXACT:
        assert rank_pool(shots, pool, similarity=similarity, count=1).tolist() == [0]


def test_half_precision_is_ranked_as_its_float32_copy() -> None:
    shots, pool = unit(0, 4, 24), unit(1, 200, 24).astype(np.float16)
    for similarity in ALL:
        half = rank_pool(shots, pool, similarity=similarity)
        assert half.tolist() == rank_pool(shots, pool.astype(np.float32), similarity=similarity).tolist()


def test_kde_draws_in_proportion_to_the_chances() -> None:
    """First draws of 20,000 seeds against the chances themselves, within five standard errors."""
    shots, pool = at_angles(0, 40), at_angles(0, 30, 90, 180)
    squares = 2 - 2 * np.cos(np.radians([[0, 40], [30, 10], [90, 50], [180, 140]]))
    chances = np.exp(-1.5 * squares).sum(axis=1)
    chances /= chances.sum()
    draws = 20_000
    log_chances = np.log(chances)
    firsts = np.array(
        [
            np.argmax(log_chances - np.log(-np.log(uniform(np.arange(4, dtype=np.uint64), seed=seed))))
            for seed in range(draws)
        ]
    )
    seen = np.bincount(firsts, minlength=4) / draws
    assert (np.abs(seen - chances) < 5 * np.sqrt(chances * (1 - chances) / draws)).all()
    for seed in range(200):  # and the ranking takes just these draws
        assert rank_pool(shots, pool, similarity="kde", gamma=1.5, seed=seed)[0] == firsts[seed]


def test_random_does_not_look_at_the_vectors_and_changes_with_the_seed() -> None:
    shots, pool = unit(0, 3, 5), unit(1, 50, 5)
    first = rank_pool(shots, pool, similarity="random", seed=1)
    assert sorted(first.tolist()) == list(range(50))
    assert first.tolist() == rank_pool(shots, pool[::-1], similarity="random", seed=1).tolist()
    assert first.tolist() != rank_pool(shots, pool, similarity="random", seed=2).tolist()


def test_uniform_numbers_fill_the_interval_evenly_for_neighbouring_keys_and_seeds() -> None:
    for seed in (0, 1, 2**63, -5):
        numbers = uniform(np.arange(20_000, dtype=np.uint64), seed=seed)
        counts = np.bincount((numbers * 10).astype(int), minlength=10)
        assert numbers.min() > 0
        assert numbers.max() < 1
        assert (np.abs(counts - 2000) < 5 * 2000**0.5).all()
    other = uniform(np.arange(20_000, dtype=np.uint64), seed=1)
    assert abs(np.corrcoef(numbers, other)[0, 1]) < 0.03


def test_an_empty_pool_has_an_empty_ranking() -> None:
    for similarity in ALL:
        empty = rank_pool(at_angles(0), np.zeros((0, 2), dtype=np.float32), similarity=similarity)
        assert (empty.tolist(), empty.dtype) == ([], np.int64)


@pytest.mark.parametrize(
    ("shots", "pool", "options", "message"),
    [
        (np.zeros((0, 2), np.float32), at_angles(0), {}, "there are no shots"),
        (at_angles(0), np.eye(3, dtype=np.float32), {}, r"shots have shape \(1, 2\), the pool \(3, 3\)"),
        (at_angles(0), at_angles(0, 1) * np.float32(3), {}, "row 0 has length 3"),
        (at_angles(0) * np.float32(2), at_angles(0), {}, "row 0 has length 2"),
        (at_angles(0), np.array([[1, 0], [np.nan, 0]], np.float32), {}, "row 1 has length nan"),
        (at_angles(0), np.array([[1, 0], [np.inf, 0]], np.float16), {}, "row 1 has length inf"),
        (at_angles(0), at_angles(0), {"similarity": "best"}, "expected one of max, mean, round_robin"),
        (at_angles(0), at_angles(0), {"gamma": 0.0}, "gamma is 0.0"),
        (at_angles(0), at_angles(0), {"gamma": float("nan")}, "gamma is nan"),
        (at_angles(0), at_angles(0), {"count": -1}, "count is -1"),
    ],
)
def test_bad_input_is_refused(shots: Rows, pool: Rows, options: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        rank_pool(shots, pool, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("keys", [np.arange(2), np.arange(3, dtype=np.uint64), np.zeros((2, 1), np.uint64)])
def test_a_pool_needs_one_key_a_row(keys: NDArray[np.uint64]) -> None:
    with pytest.raises(DataError, match="expected one uint64 a row"):
        Pool(at_angles(0, 90), keys)


def test_a_selector_with_options_and_its_name_agree() -> None:
    shots, pool = unit(0, 3, 5), unit(1, 50, 5)
    by_name = rank_pool(shots, pool, similarity="kde", gamma=7.0, seed=3, count=10)
    chosen = select_data(shots, pool, count=10, threshold=1.0, similarity=Selector("kde", gamma=7.0, seed=3))
    assert set(chosen.kept.tolist()) == set(by_name.tolist())
