"""The three ways to make one number of the losses of examples."""

import numpy as np
import pytest

from kshot.models.kinds.base import ExampleLosses

TOKENS = [[1, 3], [2], [0.5, 0.5, 2, 1], [4], [1.5, 2.5]]


@pytest.mark.parametrize(("aggregate", "expected"), [("example", 2.2), ("paper", 1.866667), ("token", 1.8)])
def test_aggregates(aggregate, expected):
    losses = ExampleLosses(np.array([float(sum(some)) for some in TOKENS]), np.array(list(map(len, TOKENS))))
    assert losses.mean(aggregate, batch_size=2) == pytest.approx(expected, abs=5e-7)
    np.testing.assert_allclose(losses.each, [2, 2, 1, 4, 2])
