"""The objective that remembers: asked once for each mix and example, or for all examples together."""

import numpy as np
import pytest

from kshot.errors import InputError
from kshot.methods.cocktail import Remembered
from kshot.methods.cocktail.objective import mean_loss, remembered

HALF = np.array([0.5, 0.5])


def test_only_what_is_not_known_is_asked(points):
    plain = points(2, 6)
    ask = Remembered(plain, 6)
    first = ask(HALF, [4, 1])
    again = ask(HALF, [1, 2, 4])
    assert plain.asked == [((0.5, 0.5), (4, 1)), ((0.5, 0.5), (2,))]
    assert ask.evaluations == 2
    assert again[[2, 0]].tolist() == first.tolist()
    assert ask(HALF, range(6)).tolist() == plain(HALF, range(6)).tolist()


def test_weights_that_agree_to_six_decimals_share(points):
    ask = Remembered(points(2, 3), 3)
    one = ask(HALF, [0])
    assert ask(HALF + np.array([1e-7, -1e-7]), [0]).tolist() == one.tolist()
    assert ask.evaluations == 1
    ask(HALF + np.array([1e-5, -1e-5]), [0])
    assert ask.evaluations == 2
    ask(np.array([0.0, 1.0]), [0])
    ask(np.array([-0.0, 1.0]), [0])
    assert ask.evaluations == 3


def test_joint_losses_are_asked_together():
    def contrast(weights, rows):  # depends on how many rows there are
        return np.full(len(rows), float(len(rows)))

    assert Remembered(contrast, 5, joint=True)(HALF, [3]).tolist() == [5.0]
    assert Remembered(contrast, 5)(HALF, [3]).tolist() == [1.0]
    ask = Remembered(contrast, 5, joint=True)
    ask(HALF, [0])
    ask(HALF, [1, 2])
    assert ask.evaluations == 1


def test_what_is_not_finite_is_remembered_too():
    asked = []

    def lost(weights, rows):
        asked.append(rows)
        return np.full(len(rows), np.nan)

    ask = Remembered(lost, 2)
    assert np.isnan(ask(HALF, [0])).all()
    assert np.isnan(ask(HALF, [0])).all()
    assert len(asked) == 1
    assert mean_loss(ask, HALF, [0, 1]) == np.inf


def test_it_is_not_wrapped_twice(points):
    ask = Remembered(points(2, 3), 3, joint=True)
    assert remembered(ask, 3) is ask


def test_refusals(points):
    ask = Remembered(points(2, 3), 3)
    for rows, said in (([3], "row 3 of 3"), ([], "rows are"), ([1, 1], "rows are")):
        with pytest.raises(InputError, match=said):
            ask(HALF, rows)
    with pytest.raises(InputError, match="0 examples"):
        Remembered(points(2, 3), 0)
    with pytest.raises(InputError, match=r"shape \(1,\) for 2 rows"):
        Remembered(lambda weights, rows: np.zeros(1), 3)(HALF, [0, 1])
