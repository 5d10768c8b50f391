"""CMA-ES on functions whose lowest point is known."""

import math

import numpy as np
import pytest

from kshot.errors import InputError
from kshot.methods.cocktail.evolution import evolve


class Counted:
    """A function with its lowest value 0 at ``at``, stretched by up to ``stretch``; asked so many times."""

    def __init__(self, at: np.ndarray, stretch: float) -> None:
        self.at, self.scales = at, np.logspace(0, math.log10(stretch), len(at))
        self.values: list[float] = []

    def __call__(self, point: np.ndarray) -> float:
        self.values.append(float((self.scales * (point - self.at) ** 2).sum()))
        return self.values[-1]

    def first_below(self, bound: float) -> int:
        return next(at for at, value in enumerate(self.values) if value < bound)


# about as many evaluations as published for this strategy: 170 n on a sphere of ten directions
@pytest.mark.parametrize(
    ("size", "stretch", "most"), [(1, 1, 250), (2, 1, 450), (5, 1, 1100), (10, 1, 2200), (10, 1000, 4500)]
)
def test_it_finds_the_lowest_point_in_time(size, stretch, most):
    function = Counted(np.linspace(-1, 1, size), stretch)
    found = evolve(function, np.full(size, 3.0), width=1.0, generations=1000, seed=1)
    assert np.abs(found - function.at).max() < 1e-4
    assert function.first_below(1e-9) < most


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_turned_axes_are_learned_from_the_path_and_from_the_generation(seed):
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(8, 8)))[0]
    function = Counted(np.zeros(8), 1000)
    evolve(lambda point: function(turn @ point), np.ones(8), generations=2000, seed=seed)
    assert function.first_below(1e-9) < 2500  # either update of the covariance alone takes 2700 and more


def test_the_seed_decides():
    runs = []
    for seed in (0, 0, 1):
        function = Counted(np.zeros(3), 10)
        evolve(function, np.ones(3), generations=5, seed=seed)
        runs.append(function.values)
    assert runs[0] == runs[1] != runs[2]
    assert len(runs[0]) == 5 * (4 + int(3 * math.log(3)))


def test_it_ends_where_nothing_changes():
    asked = []
    evolve(lambda x: asked.append(x) or 0.0, np.zeros(2), generations=1000)
    assert len(asked) == 6


def test_points_that_are_no_good_are_avoided():
    def halved(point):
        return float(((point - 1) ** 2).sum()) if point[0] > 0 else math.inf

    assert np.abs(evolve(halved, np.full(3, 0.1), generations=300) - 1).max() < 1e-3
    assert evolve(lambda x: math.inf, np.ones(2), generations=3).tolist() == [1.0, 1.0]


def test_refusals():
    for start, generations in ((np.zeros(0), 5), (np.zeros(2), 0)):
        with pytest.raises(InputError, match="expected one or more"):
            evolve(lambda x: 0.0, start, generations=generations)
