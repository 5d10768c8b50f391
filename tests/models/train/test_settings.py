"""Settings are checked when they are given."""

from __future__ import annotations

import pytest

from kshot.errors import ModelError
from kshot.models.train import PAPER, TrainSettings


@pytest.mark.parametrize(
    "options",
    [{"rank": 0}, {"learning_rate": -1.0}, {"steps": 0}, {"dropout": 1.0}, {"epochs": float("inf")},
     {"batch_size": 0}, {"warmup_share": -0.1}, {"learning_rate": float("nan")}, {"beta1": 1.0},
     {"beta2": -0.1}, {"held_back": 1.0}, {"check_every": 0}, {"patience": 0}, {"schedule": "stairs"},
     {"weight_decay": -1.0}, {"max_grad_norm": 0}, {"max_tokens": 0}, {"rates": (("", 1.0),)},
     {"rates": (("router", 0.0),)}],
)  # fmt: skip
def test_bad_settings(options):
    with pytest.raises(ModelError, match=f"training setting {next(iter(options))} (is|has)"):
        TrainSettings(**options)


@pytest.mark.parametrize(
    ("settings", "rows", "processes", "steps"),
    [
        (TrainSettings(), 5, 1, 20),
        (TrainSettings(), 50, 1, 130),
        (TrainSettings(max_steps=100), 50, 1, 100),
        (TrainSettings(steps=7), 50, 1, 7),
        (TrainSettings(accumulation=4), 20, 1, 20),
        (TrainSettings(epochs=0.01), 5, 1, 1),
        (TrainSettings(), 50, 4, 40),
        (TrainSettings(), 1, 8, 10),
        (PAPER, 1050, 1, 165),
    ],
)
def test_steps(settings, rows, processes, steps):
    assert settings.total_steps(rows, processes=processes) == steps


def test_the_papers_recipe_is_that_of_the_spec():
    assert (PAPER.epochs, PAPER.learning_rate, PAPER.batch_size, PAPER.accumulation) == (5, 5e-5, 2, 16)
    assert (PAPER.beta1, PAPER.weight_decay, PAPER.schedule, PAPER.max_tokens) == (0.9, 1e-4, "cosine", 1024)
    assert (PAPER.rank, PAPER.alpha, PAPER.dropout, PAPER.target_modules) == (
        16,
        16,
        0.05,
        ("q_proj", "v_proj"),
    )
