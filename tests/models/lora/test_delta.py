"""The algebra of s B A through r × r products, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_bank import dense, random_adapter

from kshot.errors import AdapterError
from kshot.models.lora import delta as algebra
from kshot.models.lora.delta import LoraDelta, ab_cosines, cosine, gram, inner, norm, summed

SEEDS = st.integers(0, 10_000)
# figures of the specification's check D6
ONE = LoraDelta(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]), 1.0)
OTHER = LoraDelta(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([[-2.0, 1.0], [-4.0, 3.0]]), 1.0)


def test_one_delta_in_two_splits():
    """Equal deltas whose factors have nothing in common: cos A 0, cos B 0, delta cosine 1, trace form 30."""
    assert ab_cosines({"q": ONE}, {"q": OTHER}, signed=True).tolist() == [0.0, 0.0]
    assert cosine({"q": ONE}, {"q": OTHER}) == pytest.approx(1.0, abs=1e-15)
    assert inner({"q": ONE}, {"q": OTHER}) == 30.0
    np.testing.assert_array_equal(ONE.dense(), OTHER.dense())


@given(SEEDS, SEEDS)
def test_inner_norm_and_cosine_are_those_of_the_dense_matrices(one, other):
    """Unequal ranks, targets and scalings; a missing module counts as zero."""
    left = random_adapter(one, modules=("a", "b"))
    right = random_adapter(other, ranks=(4, 1), modules=("b", "c"))
    x, y = (dense(adapter, "abc") for adapter in (left, right))
    scale = np.linalg.norm(x) * np.linalg.norm(y)
    assert inner(left.modules, right.modules) == pytest.approx(x @ y, abs=1e-12 * scale)
    assert norm(left.modules) == pytest.approx(np.linalg.norm(x), rel=1e-12)
    assert cosine(left.modules, right.modules) == pytest.approx(x @ y / scale, abs=1e-12)


@given(SEEDS, st.floats(0.25, 4), st.floats(-4, 4))
def test_how_a_delta_is_split_changes_nothing(seed, stretch, shear):
    """Gauge invariance: A -> R A, B -> B R⁻¹."""
    rng = np.random.default_rng(seed)
    a, b, other = rng.normal(size=(3, 6)), rng.normal(size=(5, 3)), random_adapter(seed, shape=(5, 6)).modules
    turn = np.array([[stretch, shear, 0.0], [0.0, 1.0, -shear], [0.0, 0.0, 1 / stretch]])
    was = {"a": LoraDelta(a, b, 0.7)}
    now = {"a": LoraDelta(turn @ a, b @ np.linalg.inv(turn), 0.7)}
    assert cosine(was, now) == pytest.approx(1.0, abs=1e-11)
    assert norm(now) == pytest.approx(norm(was), rel=1e-9)
    assert inner(now, other) == pytest.approx(inner(was, other), abs=1e-9 * norm(was) * norm(other))
    if abs(shear) > 0.1:
        assert ab_cosines(was, now, signed=True)[0] < 0.9999


@given(SEEDS, st.floats(-50, 50).filter(lambda x: abs(x) > 1e-6))
def test_scale_gives_the_sign_of_the_cosine(seed, weight):
    adapter = random_adapter(seed)
    assert adapter.cosine(adapter.scaled(weight)) == pytest.approx(np.sign(weight), abs=1e-12)
    assert adapter.scaled(weight).norm() == pytest.approx(abs(weight) * adapter.norm(), rel=1e-12)


def test_zero_is_at_right_angles_to_everything():
    zero = LoraDelta(ONE.a, np.zeros((2, 2)), 1.0)
    assert cosine({"q": zero}, {"q": ONE}) == 0.0 == cosine({"q": zero}, {"q": zero})
    assert cosine({}, {"q": ONE}) == 0.0 == norm({})


def test_what_cancels_is_zero_and_not_noise():
    """A sum of an adapter and its negative: rounding leaves 1e-16 of it, which has no direction."""
    parts = random_adapter(3)
    gone = {name: summed([delta, delta], [1.0, -1.0]) for name, delta in parts.modules.items()}
    assert norm(gone) == 0.0
    assert cosine(gone, parts.modules) == 0.0


def test_sums_are_kept_in_double():
    """4096 products of 1 + 2⁻¹²: a float32 sum would be off in the seventh digit."""
    value = np.float32(1 + 2**-12)
    one = LoraDelta(np.full((1, 4096), value), np.full((4096, 1), value), 1.0)
    assert inner({"q": one}, {"q": one}) == 4096.0**2 * float(value) ** 4


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_gram_is_the_table_of_inner_products(count, monkeypatch):
    adapters = [
        random_adapter(s, ranks=(1 + s % 3, 2), modules=("a", "b") if s % 2 else ("b", "c"))
        for s in range(count)
    ]
    whole = gram([adapter.modules for adapter in adapters])
    slow = [[one.inner(other) for other in adapters] for one in adapters]
    np.testing.assert_allclose(whole, np.reshape(slow, (count, count)), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(whole, whole.T)
    monkeypatch.setattr(algebra, "_BLOCK_RANKS", 3)
    np.testing.assert_allclose(gram([adapter.modules for adapter in adapters]), whole, rtol=1e-12, atol=1e-12)


@given(st.lists(st.integers(1, 9), max_size=12))
def test_blocks_cover_all_positions_in_order(ranks):
    found = [block for block in algebra._blocks(ranks) if block]
    assert [at for block in found for at in block] == list(range(len(ranks)))


def test_ab_cosines_need_equal_shapes():
    one = {"a": ONE, "b": ONE, "only": ONE}
    other = {"a": LoraDelta(ONE.a[:1], -ONE.b[:, :1], 1.0), "b": LoraDelta(-ONE.a, ONE.b * 3, 9.0)}
    assert ab_cosines(one, other, signed=True) == pytest.approx([-1.0, 1.0])
    assert ab_cosines(one, other, signed=False) == pytest.approx([1.0, 1.0])
    assert ab_cosines({"x": ONE}, {"y": ONE}, signed=True).size == 0
    zero = LoraDelta(ONE.a * 0, ONE.b, 1.0)
    assert ab_cosines({"a": ONE}, {"a": zero}, signed=True).tolist() == [0.0, 1.0]


@given(SEEDS, st.floats(-3, 3), st.floats(-3, 3))
def test_summed_is_the_sum(seed, first, second):
    one, other = (
        random_adapter(seed, dtype=np.float64).modules["a"],
        random_adapter(seed + 1, dtype=np.float64).modules["b"],
    )
    whole = summed([one, other], [first, second])
    assert (whole.rank, whole.scaling) == (one.rank + other.rank, 1.0)
    np.testing.assert_allclose(whole.dense(), first * one.dense() + second * other.dense(), atol=1e-9)


def test_no_cross_terms():
    """The specification's pair: adding A and B apart would give [[.5, .5], [.5, .5]]."""
    one = LoraDelta(np.array([[1.0, 0.0]]), np.array([[1.0], [0.0]]), 1.0)
    other = LoraDelta(np.array([[0.0, 1.0]]), np.array([[0.0], [1.0]]), 1.0)
    assert summed([one, other], [0.5, 0.5]).dense().tolist() == [[0.5, 0.0], [0.0, 0.5]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_what_cannot_be_computed_is_no_number(bad):
    broken = LoraDelta(np.full((2, 2), bad), np.full((2, 2), bad), 1.0)
    for ask in (lambda: inner({"q": broken}, {"q": broken}), lambda: gram([{"q": broken}, {"q": ONE}])):
        with pytest.raises(AdapterError, match="no finite number"):
            ask()


def test_shapes_that_do_not_agree():
    other = LoraDelta(np.ones((1, 3)), np.ones((2, 1)), 1.0)
    with pytest.raises(AdapterError, match=r"q: deltas of shapes \(2, 2\) and \(2, 3\)"):
        inner({"q": ONE}, {"q": other})
    with pytest.raises(AdapterError, match="q: shapes differ"):
        gram([{"q": ONE}, {"q": other}])
    with pytest.raises(AdapterError, match=r"are no \(r, in\) and \(out, r\)"):
        LoraDelta(np.ones((1, 3)), np.ones((2, 2)), 1.0)
    with pytest.raises(AdapterError, match="scaling is nan"):
        LoraDelta(ONE.a, ONE.b, float("nan"))
