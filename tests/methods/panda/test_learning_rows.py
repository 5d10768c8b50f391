"""Learning rows: the released draw is scikit-learn's; margins; near the shots and diverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from kshot.errors import DataError
from kshot.methods.panda.learning_rows import by_margin, diverse, first, stratified

NAMES = ("none", "against", "favor")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=8, max_size=60), st.integers(3, 50))
def test_the_draw_is_scikit_learns_in_its_order(codes, most):
    labels = [NAMES[code] for code in codes]
    found = stratified(labels, label_names=NAMES, most=most)
    if most >= len(codes):
        assert found.kept == tuple(range(len(codes)))
        return
    sizes = np.bincount(codes)
    if sizes[sizes > 0].min() < 2 or (sizes > 0).sum() > min(most, len(codes) - most):
        assert len(found.kept) == most
        return
    split = StratifiedShuffleSplit(n_splits=1, train_size=most, random_state=42)
    kept, _ = next(split.split(np.zeros(len(codes)), codes))
    assert found.kept == tuple(kept.tolist())


def test_the_order_of_the_class_indices_counts_not_that_of_their_names():
    labels = [NAMES[i % 3 if i % 7 else 0] for i in range(60)]
    assert stratified(labels, label_names=NAMES, most=20) != stratified(labels, most=20)
    assert stratified(labels, most=20) == stratified(labels, label_names=sorted(NAMES), most=20)


@pytest.mark.parametrize(
    ("codes", "most"), [([0] * 9 + [1], 5), ([0] * 5 + [1] * 5, 1), ([0] * 5 + [1] * 5, 9), ([0, 1, 2, 2], 2)]
)
def test_where_scikit_learn_refuses_small_strata_are_taken_together(codes, most):
    labels = [NAMES[code] for code in codes]
    with pytest.raises(ValueError):
        next(StratifiedShuffleSplit(1, train_size=most, random_state=42).split(codes, codes))
    found = stratified(labels, label_names=NAMES, most=most)
    assert len(found.kept) == most == len(set(found.kept))
    assert found.counts() == {"not drawn": len(codes) - most}


def test_edges_of_the_draw():
    assert stratified([], most=3).kept == ()
    assert stratified(["a", "b"], most=2).kept == (0, 1)
    with pytest.raises(DataError, match="'fear' is none of none, against, favor"):
        stratified(["fear"], label_names=NAMES)
    for call in (lambda: stratified(["a", "b"], most=0), lambda: first(3, most=0)):
        with pytest.raises(DataError, match="at least 1"):
            call()


def test_first_rows():
    found = first(4, most=3)
    assert (found.kept, found.counts()) == ((0, 1, 2), {"beyond the number asked for": 1})
    assert first(2).kept == (0, 1)
    assert first(0).kept == ()


def test_margins_in_both_directions_with_ties_in_row_order():
    shares = np.array([[0.4, 0.4, 0.2], [0.1, 0.8, 0.1], [0.5, 0.1, 0.4], [0.3, 0.2, 0.5], [0.0, 1.0, 0.0]])
    assert by_margin(shares, most=5).kept == (4, 1, 3, 2, 0)
    ties = [[0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [0.5, 0.5]]
    assert by_margin(ties, most=3).kept == (0, 1, 2)
    found = by_margin(ties, most=3, order="smallest")
    assert found.kept == (2, 3, 0)
    assert found.dropped[0].score == pytest.approx(0.8)
    for wrong in ([0.5, 0.5], [[1.0]], [[float("nan"), 1.0]]):
        with pytest.raises(DataError, match="2 classes or more"):
            by_margin(wrong)


def at(*degrees: float) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def slow_diverse(rows, shots, most, threshold):
    score = (rows @ shots.T).max(axis=1)
    kept: list[int] = []
    for place in sorted(range(len(rows)), key=lambda i: -score[i]):
        if len(kept) < most and all(rows[place] @ rows[other] <= threshold for other in kept):
            kept.append(place)
    return tuple(kept)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 359), min_size=1, max_size=25, unique=True), st.integers(1, 8))
def test_near_the_shots_without_repeats_is_its_slow_restatement(degrees, most):
    rows, shots = at(*degrees), at(17.3, 200.9)
    found = diverse(rows, shots, most=most, threshold=0.98)
    assert found.kept == slow_diverse(rows, shots, most, 0.98)
    assert len(found) == len(rows)


def test_a_repeat_names_the_row_it_repeats():
    found = diverse(at(0, 1, 90, 45), at(0), most=2, threshold=0.95)
    assert found.kept == (0, 3)
    assert [(d.index, d.reason, d.neighbour) for d in found.dropped] == [
        (1, "repeats a row that was taken", 0),
        (2, "beyond the number asked for", None),
    ]
    assert diverse(at()[:0].reshape(0, 2), at(0)).kept == ()
    with pytest.raises(DataError, match="no shots"):
        diverse(at(0), at()[:0].reshape(0, 2))
