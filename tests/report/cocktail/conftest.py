"""A cocktail with a sweep, a greedy and a searched soup, as JSON and as facts."""

from __future__ import annotations

from typing import Any

import pytest

from kshot.report.cocktail import CocktailFacts, mix_from

NAMES = ("base", "smith-lora", "model: weaver")


def plain_mix(**changes: Any) -> dict[str, Any]:
    """What a cocktail writes beside its weights."""
    weights = (0.5, 0.3, 0.2)
    forms = ("base", "adapter", "model")
    members = [
        {"name": name, "form": form, "content": "0", "loss": 1.0 + at, "weight": weight,
         "low": weight - 0.1, "high": weight + 0.15, "change": 0.02 * at}
        for at, (name, form, weight) in enumerate(zip(NAMES, forms, weights, strict=True))
    ]  # fmt: skip
    rows = [
        {"temperature": heat, "lowest_weight": 0.1, "highest_weight": 0.6, "crossfit": loss, "fitted": 0.9,
         "chosen": heat == 1.0}
        for heat, loss in ((0.5, 1.3), (1.0, 1.1), (5.0, None))
    ]  # fmt: skip
    return {
        "format": 1, "system": "cocktail", "rule": "softmax", "members": members,
        "examples": ["a", "b", "c", "d", "e"], "losses": [], "left": {"dyer-lora": "excluded by name"},
        "temperature": {"asked": "auto", "chosen": 1.0, "rows": rows, "crossfit_uniform": 1.2},
        "tells_apart": True, "apart": "the weights differ from equal ones", "reason": "temperature 1 it is",
        "loss": 0.9, "uniform_loss": 1.2,
    } | changes  # fmt: skip


def plain_greedy() -> dict[str, Any]:
    members = [
        {"name": name, "form": "", "weight": weight}
        for name, weight in zip(NAMES, (0.5, 0, 0.5), strict=True)
    ]
    steps = [
        {"model": 0, "name": "base", "loss": 1.0, "accepted": True},
        {"model": 1, "name": "smith-lora", "loss": None, "accepted": False},
        {"model": 2, "name": "model: weaver", "loss": 0.8, "accepted": True},
    ]
    return {"system": "greedy soup", "rule": "greedy", "members": members, "steps": steps, "examples": ["a"]}


def plain_searched() -> dict[str, Any]:
    members = [{"name": name, "weight": 1 / 3} for name in NAMES]
    search = {
        "method": "simplex",
        "evaluations": 200,
        "crossfit": 1.4,
        "crossfit_uniform": 1.2,
        "kept": False,
    }
    return {
        "system": "searched soup", "rule": "simplex", "members": members, "search": search,
        "reason": "equal weights instead", "examples": ["a"],
    }  # fmt: skip


def sample_cocktail() -> CocktailFacts:
    mixes = (plain_mix(), plain_greedy(), plain_searched())
    return CocktailFacts(mixes=tuple(map(mix_from, mixes)))


@pytest.fixture(scope="session")
def cocktail() -> CocktailFacts:
    return sample_cocktail()


@pytest.fixture
def mix_json() -> dict[str, Any]:
    return plain_mix()


@pytest.fixture
def sweep() -> dict[str, Any]:
    """A sweep of five alphas."""
    return {
        "alphas": [0.0, 0.25, 0.5, 0.75, 1.0],
        "target": {"mean": [0.1, 0.4, 0.8, 0.85, 0.86], "error": [0.01] * 5, "n": 40, "name": "target"},
        "general": {"mean": [0.9, 0.9, 0.88, 0.7, 0.3], "error": None, "n": 60, "name": "general"},
        "higher_is_better": True, "chosen": 0.75, "reason": "within one standard error", "selection": True,
    }  # fmt: skip
