"""A mix whose loss is known: models are points, a mix is their weighted sum, its loss a squared distance."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest


class Points:
    """N models and K targets in a few dimensions; the objective counts how it is asked."""

    def __init__(self, models: int, examples: int, *, seed: int = 0, noise: float = 1.0) -> None:
        rng = np.random.default_rng(seed)
        self.models = rng.normal(size=(models, 12))
        self.true = rng.dirichlet(np.full(models, 0.5))
        self.targets = self.true @ self.models + noise * rng.normal(size=(examples, 12)) / 4
        self.asked: list[tuple[tuple[float, ...], tuple[int, ...]]] = []

    def __call__(self, weights: np.ndarray, rows: Sequence[int]) -> np.ndarray:
        assert abs(weights.sum() - 1) < 1e-9
        assert (weights >= 0).all()
        self.asked.append((tuple(weights), tuple(rows)))
        return ((weights @ self.models - self.targets[list(rows)]) ** 2).sum(axis=1)

    @property
    def table(self) -> np.ndarray:
        """(N, K) losses of the models by themselves."""
        return ((self.models[:, None] - self.targets[None]) ** 2).sum(axis=2)


@pytest.fixture
def points() -> Callable[..., Points]:
    return Points
