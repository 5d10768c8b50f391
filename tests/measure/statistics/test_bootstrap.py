"""Draws of rows: against theory, against a slow loop, and for what they depend on."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kshot.errors import MetricError
from kshot.measure.statistics import bootstrap
from kshot.measure.statistics.bootstrap import grouped, p_value, percentile_interval, resampled

Floats = NDArray[np.float64]


def test_examples() -> None:
    assert doctest.testmod(bootstrap).failed == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30), st.randoms())
def test_groups_keep_all_rows_and_forget_their_order(rows: list[tuple[int, int]], random: Any) -> None:
    distinct, counts = grouped(rows)
    assert sorted(np.repeat(distinct, counts, axis=0).tolist()) == sorted(map(list, rows))
    shuffled = rows[:]
    random.shuffle(shuffled)
    again, again_counts = grouped(shuffled)
    assert again.tolist() == distinct.tolist()
    assert again_counts.tolist() == counts.tolist()


@pytest.mark.parametrize("counts", [[3, 5, 2], [1] * 50, [400, 600], [1]])
def test_every_draw_has_all_rows(counts: list[int]) -> None:
    weights = resampled(np.array(counts), lambda drawn: drawn, resamples=50)
    assert weights.shape == (50, len(counts))
    assert (weights.sum(axis=1) == sum(counts)).all()
    assert (weights >= 0).all()


@pytest.mark.parametrize("counts", [[30, 50, 20], [1] * 100])
def test_draws_vary_as_multinomial_counts_do(counts: list[int]) -> None:
    """Both ways of drawing: few groups at once, and row by row."""
    size = np.array(counts)
    n, share = size.sum(), size / size.sum()
    weights = resampled(size, lambda drawn: drawn, resamples=20_000, seed=3)
    assert weights.mean(axis=0) == pytest.approx(size, abs=6 * np.sqrt(n / 20_000))
    expected = n * (np.diag(share) - np.outer(share, share))
    assert np.cov(weights, rowvar=False) == pytest.approx(expected, abs=0.08 * n * share.max())


def test_a_mean_varies_with_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=400)
    draws = resampled(np.ones(400, np.int64), lambda drawn: drawn @ values / 400)
    assert len(draws) == 10_000
    assert draws.std() == pytest.approx(values.std() / 20, rel=0.03)
    low, high = percentile_interval(draws)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.05)


def test_blocks_bound_the_memory_and_change_nothing_but_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def first(drawn: Floats) -> Floats:
        sizes.append(len(drawn))
        return drawn[:, 0]

    monkeypatch.setattr(bootstrap, "_CELLS", 1000)
    assert len(resampled(np.ones(30, np.int64), first, resamples=100)) == 100
    assert max(sizes) == 33
    assert sum(sizes) == 100


def test_the_seed_decides() -> None:
    def draw(seed: int) -> list[float]:
        return [
            float(x) for x in resampled(np.array([5, 6]), lambda drawn: drawn[:, 0], resamples=9, seed=seed)
        ]

    assert draw(1) == draw(1) != draw(2)


def test_p_by_hand() -> None:
    draws = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    assert p_value(draws, 1.0, n=100) == 3 / 6  # 0 and 2 lie 1 away or more
    assert p_value(draws, 0.0, n=100) == 1.0
    assert p_value(draws + 4, 5.0, n=100) == 1 / 6
    assert p_value(draws + 4, 5.0, n=2) == 0.5
    assert p_value(draws + 4, 5.0, n=1) == 1.0
    assert p_value(draws + 4, 5.0, n=10_000) == 1 / 6


def test_p_counts_values_that_rounding_has_set_apart() -> None:
    assert p_value(np.array([0.1 + 0.2, 0.0]), 0.15, n=100) == 1.0


@pytest.mark.parametrize(("counts", "resamples"), [([], 10), ([0], 10), ([3], 0)])
def test_nothing_to_draw(counts: list[int], resamples: int) -> None:
    with pytest.raises(MetricError, match="expected at least one draw and one row"):
        resampled(np.array(counts, np.int64), lambda drawn: drawn[:, 0], resamples=resamples)
