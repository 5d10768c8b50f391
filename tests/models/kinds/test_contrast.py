"""Losses of rankings as numbers that can be worked out by hand, and the draw of negatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.ranking import Ranking
from kshot.models.kinds import contrast
from kshot.models.kinds.base import ExampleLosses
from kshot.models.kinds.contrast import contrastive_nats, drawn, group_nats

QUERIES = [0, 50, 100]
PASSAGES = [[10, 30, 80], [55, 20, 90], [120, 60, 150]]


def unit(degrees):
    radians = np.radians(np.asarray(degrees, dtype=float))
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1)


@pytest.mark.parametrize(
    ("size", "expected"), [(1, 0.067564), (2, 0.217610), (3, 0.912713), (None, 0.912713)]
)
def test_unit_vectors(size, expected):
    nats, _ = contrastive_nats(unit(QUERIES), [unit(some) for some in PASSAGES], batch_size=size)
    losses = ExampleLosses(nats, np.ones(3, dtype=np.int64))
    assert losses.mean("paper", batch_size=size or 3) == pytest.approx(expected, abs=5e-7)


def test_a_slow_restatement_and_who_stands_first():
    nats, right = contrastive_nats(unit(QUERIES), [unit(some) for some in PASSAGES])
    every = unit([angle for some in PASSAGES for angle in some])
    for place, query in enumerate(unit(QUERIES)):
        powers = [np.exp(query @ passage / 0.05) for passage in every]
        assert nats[place] == pytest.approx(-np.log(powers[3 * place] / sum(powers)), abs=1e-9)
        assert right[place] == (max(powers) == powers[3 * place])
    assert right.tolist() == [True, True, False]  # 90 degrees lies nearer to 100 than 120 does


def test_reranker_logits():
    nats, right = group_nats([[2, 1, 0], [0, 1, 0.5]])
    assert nats.mean() == pytest.approx(1.043938, abs=5e-7)
    assert right.tolist() == [True, False]


def test_a_tie_is_not_right_and_huge_scores_do_not_overflow():
    assert group_nats([[1, 1]])[1].tolist() == [False]
    nats, _ = group_nats([[1e4, -1e4], [-1e4, 1e4]])
    np.testing.assert_allclose(nats, [0, 2e4])


def test_no_other_passage_is_no_loss():
    nats, right = contrastive_nats([[1.0]], [[[1.0]]])
    assert (nats[0], right[0]) == (0, True)


@given(
    texts=st.lists(st.text("abc", min_size=1), max_size=12, unique=True),
    count=st.integers(1, 14),
    seed=st.integers(0, 3),
)
def test_draws(texts, count, seed):
    row = Ranking("q", ("p",), tuple(texts))
    found = drawn(row, count, seed=seed)
    assert len(found) == min(count, len(texts))
    assert [text for text in texts if text in found] == list(found)  # in the row's order
    assert set(found) <= set(drawn(row, count + 1, seed=seed))
    assert set(drawn(Ranking("q", ("p",), tuple(texts[::-1]), "b:1"), count, seed=seed)) == set(found)


def test_the_seed_and_the_query_change_the_draw():
    texts = tuple(f"passage {number}" for number in range(50))
    rows = [Ranking(query, ("p",), texts) for query in ("a", "b")]
    found = {drawn(row, 7, seed=seed) for row in rows for seed in range(3)}
    assert len(found) == 6


def test_every_negative_is_drawn_about_equally_often():
    texts = tuple("abcdef")
    draws = [drawn(Ranking("q", ("p",), texts), 2, seed=seed) for seed in range(3000)]
    counts = [sum(text in draw for draw in draws) for text in texts]
    assert max(abs(count - 1000) for count in counts) < 130  # five standard deviations


@pytest.mark.parametrize("size", [None, 7, 20])
def test_thousands_of_examples_are_taken_in_blocks(monkeypatch, size):
    random = np.random.default_rng(0)
    queries = random.standard_normal((20, 4))
    passages = [random.standard_normal((1 + at % 3, 4)) for at in range(20)]
    whole = contrastive_nats(queries, passages, batch_size=size)
    shapes = []
    monkeypatch.setattr("kshot.models.kinds.contrast._BLOCK_SCORES", 100)
    entropy = contrast._cross_entropy
    monkeypatch.setattr(contrast, "_cross_entropy", lambda s, at: shapes.append(s.shape) or entropy(s, at))
    parts = contrastive_nats(queries, passages, batch_size=size)
    np.testing.assert_allclose(parts[0], whole[0], atol=1e-12)
    assert parts[1].tolist() == whole[1].tolist()
    assert max(rows * columns for rows, columns in shapes) <= 100
