"""The recommended alpha: the best general mean within one standard error of the best target mean."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kshot.errors import InputError
from kshot.methods.cocktail import recommend_alpha

ALPHAS = [0.0, 0.25, 0.5, 0.75, 1.0]


def around(means, spread):
    """(A, 4) with these means; the sample standard deviation of each row is ``spread`` times 2 / sqrt(3)."""
    return np.array(means)[:, None] + spread * np.array([-1, 1, -1, 1])


def test_the_rule_by_hand():
    # spread .3: standard deviation .3464, standard error .1732; the best target is .8 at alpha .75
    target, general = around([0.1, 0.6, 0.7, 0.8, 0.78], 0.3), around([0.9, 0.8, 0.7, 0.5, 0.2], 0.1)
    choice = recommend_alpha(ALPHAS, target, general, higher_is_better=True)
    assert choice.allowed.tolist() == [False, False, True, True, True]
    assert (choice.alpha, choice.index) == (0.5, 2)
    assert choice.target_means == pytest.approx([0.1, 0.6, 0.7, 0.8, 0.78])
    assert choice.target_errors == pytest.approx([0.3 / np.sqrt(3)] * 5)
    assert choice.general_errors == pytest.approx([0.1 / np.sqrt(3)] * 5)
    assert "best general mean, 0.7, among 3 of 5 alphas" in choice.reason
    assert "one standard error (0.1732) of the best, 0.8 at alpha 0.75" in choice.reason


def test_losses_are_the_other_way_round():
    target, general = around([0.1, 0.6, 0.7, 0.8, 0.78], 0.3), around([0.9, 0.8, 0.7, 0.5, 0.2], 0.1)
    choice = recommend_alpha(ALPHAS, 5 - target, 5 - general, higher_is_better=False)
    assert (choice.alpha, choice.allowed.tolist()) == (0.5, [False, False, True, True, True])
    wrong = recommend_alpha(ALPHAS, 5 - target, 5 - general, higher_is_better=True)
    assert wrong.alpha != choice.alpha


def test_it_is_the_best_ones_error_that_counts():
    target = np.vstack([around([0.5], 0.9), around([0.8], 0.01)])  # the worse one is uncertain, the best sure
    assert not recommend_alpha([0, 1], target, [[1.0], [0.0]], higher_is_better=True).allowed[0]
    turned = np.vstack([around([0.5], 0.01), around([0.8], 0.9)])
    assert recommend_alpha([0, 1], turned, [[1.0], [0.0]], higher_is_better=True).allowed[0]


@pytest.mark.parametrize(("general", "end"), [([1, 0.8, 0.6], 0.0), ([0.6, 0.8, 1], 1.0)])
def test_both_ends_can_win(general, end):
    choice = recommend_alpha([0, 0.5, 1], around([1, 1, 1], 0.2), around(general, 0), higher_is_better=True)
    assert choice.alpha == end


def test_ties_go_to_the_larger_alpha_whatever_the_order():
    for alphas in ([0, 0.5, 1], [1, 0, 0.5], [0.5, 1, 0]):
        same = recommend_alpha(alphas, np.ones((3, 4)), np.ones((3, 2)), higher_is_better=True)
        assert (same.alpha, alphas[same.index]) == (1.0, 1)
    rounded = np.array([[0.1 + 0.2], [0.3]])  # the same but for the last bit
    assert recommend_alpha([0, 1], rounded, rounded, higher_is_better=True).alpha == 1.0


def test_of_equal_best_targets_the_larger_alpha_gives_the_error():
    target = np.vstack([around([0.6], 0.1), around([0.8], 0.9), around([0.8], 0.01)])
    assert recommend_alpha([0, 0.5, 1], target, np.ones((3, 1)), higher_is_better=True).allowed.tolist() == [
        False,
        True,
        True,
    ]


def test_one_target_example_allows_the_best_alone():
    choice = recommend_alpha([0, 1], [[1.0], [0.99]], [[0.0], [1.0]], higher_is_better=True)
    assert choice.alpha == 0.0
    assert choice.target_errors is choice.general_errors is None
    assert "one target example" in choice.reason
    assert choice.rows()[0]["target_error"] is None


@given(
    arrays(np.float64, (4, 5), elements=st.floats(-5, 5)),
    arrays(np.float64, (4, 3), elements=st.floats(-5, 5)),
    st.permutations(range(4)),
    st.booleans(),
)
def test_the_order_of_alphas_does_not_matter_and_the_rule_holds(target, general, order, higher):
    alphas = np.array([0.0, 0.3, 0.6, 1.0])
    choice = recommend_alpha(alphas, target, general, higher_is_better=higher)
    again = recommend_alpha(alphas[order], target[order], general[order], higher_is_better=higher)
    assert again.alpha == choice.alpha
    sign = 1 if higher else -1
    assert choice.allowed[choice.index]
    inside = sign * choice.general_means[choice.allowed]
    assert sign * choice.general_means[choice.index] >= inside.max() - 1e-9
    assert choice.allowed[np.argmax(sign * choice.target_means)]


def test_rows_are_plain_data():
    rows = recommend_alpha(ALPHAS, np.eye(5), np.eye(5), higher_is_better=True).rows()
    assert json.loads(json.dumps(rows)) == rows
    assert [row["alpha"] for row in rows] == ALPHAS
    assert sum(row["chosen"] for row in rows) == 1


@pytest.mark.parametrize(
    ("alphas", "target", "general", "said"),
    [
        ([], np.ones((0, 1)), np.ones((0, 1)), "alphas have shape"),
        ([0, 1.5], np.ones((2, 1)), np.ones((2, 1)), "alpha is 1.5"),
        ([0, np.nan], np.ones((2, 1)), np.ones((2, 1)), "alpha is nan"),
        ([0, 0], np.ones((2, 1)), np.ones((2, 1)), "expected each once"),
        ([0, 1], np.ones((3, 1)), np.ones((2, 1)), r"target table has shape \(3, 1\)"),
        ([0, 1], np.ones((2, 1)), np.ones((2, 0)), "general table has shape"),
        ([0, 1], [[1.0], [1.0, 2.0]], np.ones((2, 1)), "the target table"),
        ([0, 1], np.ones((2, 1)), [[0, 0], [0, np.nan]], "general value at alpha 1, example 1, is nan"),
    ],
)
def test_refusals(alphas, target, general, said):
    with pytest.raises(InputError, match=said):
        recommend_alpha(alphas, target, general, higher_is_better=True)


def test_all_right_is_no_proof_that_a_miss_is_worse():
    """100 rows right have a standard error of 0; one miss more lies within what they leave open."""
    right = np.ones((3, 100))
    right[1, 0] = 0
    right[0, :2] = 0
    general = [[1.0, 1.0], [1.0, 0.8], [0.0, 0.0]]
    choice = recommend_alpha([0.0, 0.5, 1.0], right, general, higher_is_better=True)
    assert choice.allowed.tolist() == [False, True, True]  # 1 - .1587 ** .01 = .0182
    assert choice.alpha == 0.5
    graded = recommend_alpha([0.0, 0.5, 1.0], right * 0.999, general, higher_is_better=True)
    assert graded.alpha == 1.0  # values that are not right or wrong keep their own standard error
