"""Operations on whole arrays against slow restatements of their papers' equations in float64."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from operation_equations import dare, linear, slerp, task_arithmetic, ties, trimmed

from kshot.errors import ModelError
from kshot.models.checkpoint.operations import OPERATIONS, Slerp, Ties, operation_of
from kshot.models.checkpoint.operations.dare import drawn
from kshot.models.checkpoint.parts import TensorPlan

SIZE = 40_000


def members(count=3, size=SIZE, *, seed=0, step=2.0**-9):
    """Base and fine-tunes whose values are multiples of ``step``: float32 sums of few of them are exact."""
    random = np.random.default_rng(seed)
    base = np.round(random.standard_normal(size) / step) * step
    tuned = [base + np.round(random.standard_normal(size) * 0.05 / step) * step for _ in range(count - 1)]
    return [base, *tuned]


def plan(values, name="layer.weight", path="model.safetensors"):
    nothing = (None,) * len(values)
    return TensorPlan(name, path, "F32", (len(values[0]),), 0, nothing, nothing)


def mixed(operation, values, weights, *, block=SIZE, tensor=None, dtype=torch.float32, base=0):
    """The two passes of the engine, over blocks of one size."""
    operation.check(weights, base=base)
    tensor = tensor or plan(values)
    parts = [torch.tensor(value, dtype=dtype) for value in values]
    size = len(parts[0])

    def blocks():
        held = [torch.empty(block, dtype=dtype) for _ in parts]  # one buffer for all blocks, as in the engine
        for at in range(0, size, block):
            n = min(block, size - at)
            for buffer, part in zip(held, parts, strict=True):
                buffer[:n] = part[at : at + n]
            yield tuple(buffer[:n] for buffer in held)

    survey = operation.survey(tensor, blocks())
    starts = range(0, size, block)
    out = [
        operation.combine(found, weights, tensor=tensor, at=at, survey=survey)
        for at, found in zip(starts, blocks(), strict=True)
    ]
    return torch.cat([part.clone() for part in out]).numpy() if out else np.zeros(0, np.float32)


GOLDEN = {
    "linear": (operation_of("linear"), linear, (0.5, 0.3, 0.2)),
    "task arithmetic": (operation_of("task-arithmetic"), task_arithmetic, (0.0, 0.6, -0.3)),
    "task arithmetic, scaled": (
        operation_of("task_arithmetic", scale=0.4),
        lambda v, w: task_arithmetic(v, w, 0.4),
        (0.7, 2.0, 1.0),
    ),
    "slerp": (operation_of("slerp"), slerp, (0.3, 0.7)),
    "ties": (operation_of("ties"), lambda v, w: ties(v, w, 0.2), (0.0, 0.5, 0.25, 1.0)),
    "ties, dense": (
        operation_of("ties", density=1.0, scale=0.5),
        lambda v, w: ties(v, w, 1.0, 0.5),
        (0.0, 1.0, 1.0),
    ),
    "dare": (
        operation_of("dare", density=0.25, seed=3),
        lambda v, w: dare(v, w, 0.25, seed=3),
        (0.0, 0.5, 0.5),
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_whole_arrays_against_the_equation_in_double(case):
    operation, equation, weights = GOLDEN[case]
    values = members(len(weights))
    np.testing.assert_allclose(
        mixed(operation, values, weights), equation(values, weights), rtol=0, atol=1e-6
    )
    exact = mixed(operation, values, weights, dtype=torch.float64)
    assert exact.dtype == np.float64
    np.testing.assert_allclose(exact, equation(values, weights), rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", GOLDEN)
def test_block_size_changes_no_bit(case):
    operation, _, weights = GOLDEN[case]
    values = members(len(weights), step=2.0**-23)
    whole = mixed(operation, values, weights)
    for block in (997, 1 << 14, 20_001):
        np.testing.assert_array_equal(mixed(operation, values, weights, block=block), whole)


@pytest.mark.parametrize("case", GOLDEN)
def test_members_equal_to_the_base_give_the_base(case):
    operation, _, weights = GOLDEN[case]
    base = members(2)[0]
    np.testing.assert_allclose(
        mixed(operation, [base] * len(weights), weights), base.astype(np.float32), atol=1e-6
    )


@pytest.mark.parametrize("name", ["task_arithmetic", "ties", "dare"])
def test_one_member_kept_whole_is_that_member(name):
    density = None if name == "task_arithmetic" else 1.0
    values = members(2)
    found = mixed(operation_of(name, density=density), values, (0.0, 1.0))
    np.testing.assert_array_equal(found, values[1].astype(np.float32))


@pytest.mark.parametrize("name", ["linear", "slerp"])
def test_all_the_weight_on_one_model_gives_its_bits(name):
    values = members(2, step=2.0**-23)
    for weights, expected in (((1.0, 0.0), values[0]), ((0.0, 1.0), values[1])):
        np.testing.assert_array_equal(mixed(operation_of(name), values, weights), expected.astype(np.float32))


@pytest.mark.parametrize("case", [case for case in GOLDEN if case != "dare"])
def test_permuting_members_with_their_weights_changes_nothing(case):
    operation, _, weights = GOLDEN[case]
    values = members(len(weights))
    free = range(len(weights)) if case in ("linear", "slerp") else range(1, len(weights))
    first = [at for at in range(len(weights)) if at not in free]
    for order in itertools.islice(itertools.permutations(free), 3):
        order = [*first, *order]
        found = mixed(operation, [values[at] for at in order], [weights[at] for at in order])
        np.testing.assert_allclose(found, mixed(operation, values, weights), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["task_arithmetic", "ties", "dare"])
def test_the_base_may_stand_anywhere_and_its_weight_changes_nothing(name):
    values = members(3)
    at_first = mixed(operation_of(name), values[:2], (0.0, 0.8))
    found = mixed(operation_of(name, base=1), [values[1], values[0]], (0.8, 5.0), base=1)
    if name != "dare":  # draws go by position
        np.testing.assert_array_equal(found, at_first)
    again = mixed(operation_of(name, base=1), [values[1], values[0]], (0.8, 0.0), base=1)
    np.testing.assert_array_equal(found, again)
    with pytest.raises(ModelError, match=r"base at position 0, but the plan's base stands at 1"):
        operation_of(name).check((0.5, 0.5), base=1)


@pytest.mark.parametrize("case", GOLDEN)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_never_hidden(case, bad):
    operation, _, weights = GOLDEN[case]
    values = members(len(weights), 1000)
    for member in range(len(weights)):
        broken = [value.copy() for value in values]
        broken[member][123] = bad
        if case in ("linear", "slerp") or weights[member] or member == 0:
            assert not np.isfinite(mixed(operation, broken, weights, block=200)[123])


@pytest.mark.parametrize("size", [0, 1, 3])
@pytest.mark.parametrize("case", GOLDEN)
def test_tensors_of_hardly_any_value(case, size):
    operation, equation, weights = GOLDEN[case]
    values = [value[:size] for value in members(len(weights))]
    found = mixed(operation, values, weights)
    assert found.shape == (size,)
    if size > 1:
        np.testing.assert_allclose(found, equation(values, weights), atol=1e-6)


def test_slerp_falls_back_where_there_is_no_angle():
    a = members(2)[0]
    for b in (2 * a, -a, 0 * a):
        np.testing.assert_allclose(
            mixed(Slerp(), [a, b], (0.25, 0.75)), linear([a, b], (0.25, 0.75)), atol=1e-6
        )
    near = a + 1e-3 * np.random.default_rng(1).standard_normal(a.size)  # an angle of 0.001: still an arc
    assert Slerp().factors((0.5, 0.5), 1 - 5e-7) != (0.5, 0.5)
    np.testing.assert_allclose(mixed(Slerp(), [a, near], (0.5, 0.5)), (a + near) / 2, atol=2e-6)
    assert Slerp(parallel=0.9995).factors((0.5, 0.5), 0.9996) == (0.5, 0.5)


def test_the_angle_is_found_in_double_whatever_the_blocks():
    values = [value.astype(np.float32) for value in members(2, step=2.0**-23)]
    values[1] = values[0] + np.float32(1e-3) * values[1]  # a cosine that float32 rounds to 1
    a, b = (value.astype(np.float64) for value in values)
    expected = a @ b / math.sqrt((a @ a) * (b @ b))

    def cosine(block):
        parts = [torch.from_numpy(value) for value in values]
        starts = range(0, SIZE, block)
        blocks = (tuple(part[at : at + block] for part in parts) for at in starts)
        return Slerp().survey(plan(values), blocks)["cosine"]

    assert cosine(SIZE) == pytest.approx(expected, abs=1e-14)
    assert cosine(SIZE) == cosine(1 << 14) == cosine(777)


def test_slerp_keeps_the_length_of_equally_long_tensors():
    a, b = np.random.default_rng(0).standard_normal((2, SIZE))
    b *= np.sqrt(a @ a / (b @ b))
    found = mixed(Slerp(), [a, b], (0.5, 0.5), dtype=torch.float64)
    assert np.sqrt(found @ found) == pytest.approx(np.sqrt(a @ a), rel=1e-12)
    assert np.sqrt((((a + b) / 2) ** 2).sum()) < 0.8 * np.sqrt(a @ a)  # a mean does not


def test_ties_keeps_all_entries_that_equal_the_last_one():
    base = np.zeros(10)
    tuned = np.array([8, 4, 4, -4, 2, 1, 0, 0, 0, 0.0])
    np.testing.assert_array_equal(
        mixed(Ties(density=0.2), [base, tuned], (0, 1)), [8, 4, 4, -4, 0, 0, 0, 0, 0, 0]
    )


def test_ties_compares_twelve_bits_of_the_fraction():
    base, bit = np.zeros(4), 2.0**-12
    tuned = np.array([1 + bit, -1 - bit - bit / 2, 1.0, -1 - bit / 2])
    for density in (0.25, 0.5):  # the first two lie in one step, the others in the next below
        np.testing.assert_array_equal(
            mixed(Ties(density=density), [base, tuned], (0, 1)), [tuned[0], tuned[1], 0, 0]
        )
    np.testing.assert_array_equal(mixed(Ties(density=0.75), [base, tuned], (0, 1)), tuned)


def test_ties_by_hand():
    """Two agree against one; opposite equals cancel; an entry that one alone has is not halved."""
    values = [np.zeros(4), np.array([3, 1, 5, 0.0]), np.array([1, -1, 0, 0.0]), np.array([-2, 0, 0, 0.0])]
    np.testing.assert_array_equal(
        mixed(operation_of("ties", density=1.0), values, (0, 1, 1, 1)), [2, 0, 5, 0]
    )
    np.testing.assert_array_equal(  # the third outweighs both
        mixed(operation_of("ties", density=1.0), values, (0, 1, 1, 3)), [-2, 0, 5, 0]
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=60),
    st.floats(0.01, 1.0),
    st.integers(1, 7),
)
def test_ties_keeps_what_the_sorted_magnitudes_say(values, density, block):
    """Against sorting, over every exponent; the base is zero, so a delta is the member itself."""
    tuned = np.array(values, dtype=np.float64)
    found = mixed(Ties(density=density), [np.zeros(len(values)), tuned], (0, 1), block=block)
    np.testing.assert_array_equal(found, trimmed(tuned, density))


def test_dare_draws_are_seeded_apart_and_unbiased():
    def draw(**options):
        asked = {"density": 0.3, "seed": 0, "stream": (1, ".", "q")} | options
        return drawn(200_000, 0, **asked)

    whole = draw()
    assert whole.mean() == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 200_000))
    for other in (draw(seed=1), draw(stream=(2, ".", "q")), draw(stream=(1, ".", "k"))):
        agreeing = (whole == other).mean()
        assert agreeing == pytest.approx(0.58, abs=0.006)  # .3² + .7² of independent draws
    for lag in (1, 2, 64):
        assert (whole[lag:] & whole[:-lag]).mean() == pytest.approx(0.09, abs=0.004)
    values = members(2)
    found = mixed(operation_of("dare", density=0.3), values, (0, 1)) - values[0]
    assert found.sum() == pytest.approx((values[1] - values[0]).sum(), abs=0.05 * np.sqrt(SIZE / 0.3) * 4)


def test_dare_draws_do_not_depend_on_the_shard():
    values = members(3)
    operation = operation_of("dare")
    one = mixed(operation, values, (0, 1, 1))
    for path, same in (("model-00001-of-00003.safetensors", True), ("2_Dense/model.safetensors", False)):
        found = mixed(operation, values, (0, 1, 1), tensor=plan(values, path=path))
        assert np.array_equal(found, one) is same


REFUSED = {
    "sum below": ("linear", {}, (0.5, 0.3), "sum to 0.8, expected 1"),
    "sum above": ("linear", {}, (0.9, 0.3), "sum to 1.2, expected 1"),
    "no weight": ("linear", {}, (), "no weights"),
    "NaN": ("linear", {}, (float("nan"), 1.0), "weight 1 of 2 is nan"),
    "infinite": ("task_arithmetic", {}, (0.0, float("inf")), "weight 2 of 2 is inf"),
    "infinite scale": ("task_arithmetic", {"scale": float("inf")}, (0.0, 1.0), "the scale is inf"),
    "three in slerp": ("slerp", {}, (0.5, 0.3, 0.2), "it takes two models"),
    "outside the arc": ("slerp", {}, (1.5, -0.5), "expected 0 to 1"),
    "slerp's sum": ("slerp", {}, (0.5, 0.2), "sum to 0.7"),
    "negative in ties": ("ties", {}, (0.0, -1.0, 2.0), "-1 is below 0"),
    "nothing in ties": ("ties", {}, (1.0, 0.0, 0.0), "all are 0"),
    "density 0": ("ties", {"density": 0.0}, (0.0, 1.0), "density is 0.0, expected"),
    "density above 1": ("dare", {"density": 1.5}, (0.0, 1.0), "density is 1.5, expected"),
    "density NaN": ("dare", {"density": float("nan")}, (0.0, 1.0), "density is nan, expected"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_weights_and_options_that_make_no_sense_are_refused(case):
    name, options, weights, message = REFUSED[case]
    with pytest.raises(ModelError, match=message):
        operation_of(name, **options).check(weights, base=0)


def test_the_table_knows_its_rows_and_their_options():
    assert list(OPERATIONS)[:5] == ["linear", "task_arithmetic", "slerp", "ties", "dare"]
    assert [row.name for row in OPERATIONS.values()] == list(OPERATIONS)
    assert operation_of("dare", density=0.1, scale=2.0, seed=5, base=1) != operation_of("dare", density=0.1)
    with pytest.raises(ModelError, match=r"no operation 'tie'; known are linear, task_arithmetic"):
        operation_of("tie")
    with pytest.raises(ModelError, match=r"linear has no density; it is an option of ties, dare"):
        operation_of("linear", density=0.5)
    with pytest.raises(ModelError, match="slerp has no scale"):
        operation_of("slerp", scale=0.5)
