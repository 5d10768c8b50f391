"""All right, mixed, all wrong: counts against a count row by row, and Wilson's intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kshot.errors import MetricError
from kshot.measure.statistics.proportions import wilson
from kshot.report.knowledge.agreement import agreement

shapes = st.tuples(st.integers(1, 5), st.integers(0, 12))


def counted_slowly(experts, mixture):
    found = {"all right": [], "mixed": [], "all wrong": []}
    for row in range(experts.shape[1]):
        right = [bool(expert[row]) for expert in experts]
        name = "all right" if all(right) else "mixed" if any(right) else "all wrong"
        found[name].append((bool(mixture[row]), sum(right) / len(right)))
    return found


@given(shapes.flatmap(lambda shape: st.tuples(arrays.arrays(bool, shape), arrays.arrays(bool, shape[1]))))
def test_every_row_counts_in_exactly_one_group(pair):
    experts, mixture = pair
    rows, slow = agreement(experts, mixture), counted_slowly(experts, mixture)
    assert [row.group for row in rows] == list(slow)
    for row in rows:
        told = slow[row.group]
        assert (row.n, row.right) == (len(told), sum(right for right, _ in told))
        if told:
            assert row.share == pytest.approx(row.right / row.n)
            assert row.interval == wilson(row.right, row.n)
            assert row.experts_share == pytest.approx(sum(share for _, share in told) / row.n)
        else:
            assert (row.share, row.interval, row.experts_share) == (None, None, None)


@given(
    arrays.arrays(bool, (4, 9)), arrays.arrays(bool, 9), st.permutations(range(4)), st.permutations(range(9))
)
def test_the_order_of_experts_and_rows_does_not_matter(experts, mixture, some, others):
    shuffled = agreement(experts[list(some)][:, list(others)], mixture[list(others)])
    assert [(row.n, row.right) for row in shuffled] == [
        (row.n, row.right) for row in agreement(experts, mixture)
    ]


def test_one_expert_leaves_no_row_mixed():
    rows = agreement(np.array([[True, False, True]]), np.array([True, True, False]))
    assert [(row.group, row.n, row.right) for row in rows] == [
        ("all right", 2, 1), ("mixed", 0, 0), ("all wrong", 1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("experts", "mixture", "message"),
    [
        (np.ones((2, 3)), np.ones(3, bool), "expert_right: found float64"),
        (
            np.ones(3, bool),
            np.ones(3, bool),
            r"expert_right: found bool of shape \(3,\), expected booleans with 2",
        ),
        (np.ones((2, 3), bool), np.ones(3), "mixture_right: found float64"),
        (np.ones((2, 3), bool), np.ones((1, 3), bool), "mixture_right: .* 1 axes"),
        (np.ones((0, 3), bool), np.ones(3, bool), "no expert"),
        (np.ones((2, 3), bool), np.ones(4, bool), "has 3 rows, mixture_right 4"),
    ],
)
def test_what_does_not_fit_is_refused(experts, mixture, message):
    with pytest.raises(MetricError, match=message):
        agreement(experts, mixture)
