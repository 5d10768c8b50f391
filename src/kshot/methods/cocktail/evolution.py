"""CMA-ES: a search that learns which directions matter, from values alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kshot.errors import InputError
from kshot.methods.cocktail.weights import Values

_STILL = 1e-7  # a step so small, against the first, changes nothing any more


def evolve(
    value: Callable[[Values], float],
    start: Values,
    *,
    width: float = 0.5,
    generations: int = 100,
    seed: int = 0,
) -> Values:
    """(n,) the point with the lowest value among those tried.

    Covariance matrix adaptation with weighted recombination, cumulative step size control, rank-one and
    rank-mu updates, and the tutorial's default constants; ``4 + floor(3 ln n)`` points a generation. Ends
    when the steps have become too small to matter, or a whole generation has the same finite value. Equal
    seeds give equal tries; ties: the earlier try.

    Args:
        value: To make small; infinity stands for a point that is no good.
        start: (n,) where the first generation is centred.
        width: Standard deviation of the first generation in each coordinate.
        generations: At most.
        seed: Of the draws.

    Raises:
        InputError: There is no coordinate or no generation.

    Source: Hansen, The CMA Evolution Strategy: A Tutorial (arXiv 1604.00772); without negative weights.

    >>> evolve(lambda x: float(((x - 3) ** 2).sum()), np.zeros(2)).round(2).tolist()
    [3.0, 3.0]
    """
    size = len(start)
    if size < 1 or generations < 1:
        raise InputError(f"a search in {size} directions, {generations} generations; expected one or more")
    rng = np.random.default_rng(seed)
    state = _State(start, width)
    best, lowest = np.array(start), math.inf
    for generation in range(generations):
        points = state.drawn(rng)
        values = np.array([value(point) for point in points])
        order = np.argsort(values, kind="stable")
        if values[order[0]] < lowest:
            best, lowest = points[order[0]], float(values[order[0]])
        state.learn(points[order[: len(state.shares)]], generation)
        flat = math.isfinite(values[0]) and bool((values == values[0]).all())
        if flat or state.width * state.spread.max() < _STILL * width:
            break
    return best


class _State:
    """Mean, step size and covariance of the next generation, and the two paths they are learned from."""

    def __init__(self, start: Values, width: float) -> None:
        self.n = n = len(start)
        self.count = 4 + int(3 * math.log(n))
        self.shares: Values = np.log((self.count + 1) / 2) - np.log(np.arange(1, self.count // 2 + 1))
        self.shares /= self.shares.sum()
        self.mass = m = float(1 / (self.shares**2).sum())
        self.path_rate = (4 + m / n) / (n + 4 + 2 * m / n)
        self.step_rate = (m + 2) / (n + m + 5)
        self.one_rate = 2 / ((n + 1.3) ** 2 + m)
        self.many_rate = min(1 - self.one_rate, 2 * (m - 2 + 1 / m) / ((n + 2) ** 2 + m))
        self.damping = 1 + 2 * max(0.0, math.sqrt((m - 1) / (n + 1)) - 1) + self.step_rate
        self.usual = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))  # mean length of a normal draw
        self.mean, self.width = np.array(start, np.float64), width
        self.path, self.step_path = np.zeros(n), np.zeros(n)
        self.covariance = np.eye(n)
        self.spread, self.axes = np.ones(n), np.eye(n)

    def drawn(self, rng: np.random.Generator) -> Values:
        """(count, n) the points of a generation."""
        normal = rng.standard_normal((self.count, self.n))
        return np.asarray(self.mean + self.width * (normal * self.spread) @ self.axes.T)

    def learn(self, best: Values, generation: int) -> None:
        """Move to the better half (mu, n), the best first, and stretch along where it lies."""
        steps = (best - self.mean) / self.width  # (mu, n)
        step = self.shares @ steps
        self.mean = self.mean + self.width * step
        white = self.axes @ ((self.axes.T @ step) / self.spread)
        rate = self.step_rate
        self.step_path = (1 - rate) * self.step_path + math.sqrt(rate * (2 - rate) * self.mass) * white
        length = float(np.linalg.norm(self.step_path))
        faded = math.sqrt(1 - (1 - rate) ** (2 * (generation + 1)))
        calm = length / faded < (1.4 + 2 / (self.n + 1)) * self.usual
        rate = self.path_rate
        self.path = (1 - rate) * self.path + calm * math.sqrt(rate * (2 - rate) * self.mass) * step
        lost = (not calm) * self.one_rate * rate * (2 - rate)
        self.covariance = (
            (1 - self.one_rate - self.many_rate + lost) * self.covariance
            + self.one_rate * np.outer(self.path, self.path)
            + self.many_rate * (steps.T * self.shares) @ steps
        )
        self.width *= math.exp(min(1.0, self.step_rate / self.damping * (length / self.usual - 1)))
        squares, self.axes = np.linalg.eigh(self.covariance)
        self.spread = np.sqrt(np.maximum(squares, 1e-20))
