"""The plane is the one of principal components, and nothing in it is drawn."""

import numpy as np
import pytest

from kshot.errors import InputError
from kshot.measure.coverage import plane


def test_it_is_the_singular_value_decomposition_up_to_signs():
    table = np.random.default_rng(0).normal(size=(50, 7)) * [5, 3, 1, 1, 1, 1, 1]
    centred = table - table.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    assert np.abs(plane(table)) == pytest.approx(np.abs(u[:, :2] * s[:2]), abs=1e-8)
    assert plane(table).mean(axis=0) == pytest.approx([0, 0], abs=1e-9)


def test_order_of_rows_moves_no_point():
    table = np.random.default_rng(1).normal(size=(20, 5))
    assert plane(table[::-1]) == pytest.approx(plane(table)[::-1], abs=1e-8)
    assert all(column[np.abs(column).argmax()] > 0 for column in plane(table).T)


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (3, 1), (3, 0)])
def test_little_data_has_a_place_too(shape):
    found = plane(np.ones(shape))
    assert found.shape == (shape[0], 2)
    assert not found.any()


def test_what_is_no_table_is_refused():
    with pytest.raises(InputError, match="expected \\(rows, dimensions\\)"):
        plane(np.zeros(3))
    with pytest.raises(InputError, match="no number"):
        plane(np.array([[np.nan, 1.0]]))
