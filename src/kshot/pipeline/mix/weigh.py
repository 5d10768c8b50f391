"""Weights of a mix's members from examples, and all that is to be told of how they came about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.methods.cocktail import (
    GRID,
    Decision,
    GreedySoup,
    Method,
    Objective,
    Remembered,
    Search,
    alone,
    choose_temperature,
    crossfit,
    greedy_soup,
    mean_losses,
    mixing_weights,
    search_weights,
    settle,
    sweep_weights,
    uniform,
    weight_chances,
)
from kshot.methods.cocktail.objective import mean_loss
from kshot.pipeline.mix.job import Rule, Weighing

PAPER_TEMPERATURE = 5.0
# a search costs hundreds of mixes; with each example left out by itself it would cost K times that
_SEARCH_FOLDS = 5
_START = 1.0  # temperature of the weights that a search begins with, beside equal ones and each alone

Weights: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """The weights of a mix and the facts of their making.

    Attributes:
        weights: (N,) they sum to 1.
        told: What ``cocktail.json`` holds beside members and losses: ``rule``, ``reason``, ``loss`` and
            ``uniform_loss`` of the mixes on the examples, and what the rule has of ``temperature``,
            ``tells_apart``, ``apart``, ``steps``, ``search``, ``notes``.
        rows: One JSON object a member, with ``low``, ``high`` and ``change`` where the weights are a softmax.
    """

    weights: Weights
    told: dict[str, Any]
    rows: tuple[dict[str, Any], ...] = field(default=())


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """N members by name, their (N, K) losses by themselves, one number each, and the mix's own loss."""

    names: Sequence[str]
    table: Weights
    numbers: Weights
    ask: Remembered


def weigh(
    names: Sequence[str],
    table: Weights,
    objective: Objective,
    how: Weighing,
    *,
    numbers: Weights | None = None,
    joint: bool = False,
) -> Weighed:
    """The weights of N members from their losses on K examples.

    Args:
        names: N, for what is told.
        table: (N, K) losses of each member by itself.
        objective: The mixed model's loss on the same K examples; NaN, where no weight depends on it, leaves
            the losses of the mix untold.
        how: Which rule, its temperature or budget, and the seed of draws, folds and searches.
        numbers: (N,) one loss a member, where that is not the mean of its row: what softmax and best go by.
        joint: Whether the loss of one example depends on the others, as with in-batch negatives.

    Raises:
        InputError: No mix has a finite loss.
    """
    ask = Remembered(objective, table.shape[1], joint=joint)
    scored = _Scored(names, table, mean_losses(table) if numbers is None else numbers, ask)
    rules: dict[Rule, Callable[[_Scored, Weighing], Weighed]] = {
        "softmax": _softmax, "uniform": _uniform, "best": _best,
        "greedy": _greedy, "simplex": _search, "cma": _search,
    }  # fmt: skip
    found = rules[how.rule](scored, how)
    mixes = {"loss": found.weights, "uniform_loss": uniform(len(names))}
    losses = {name: mean_loss(ask, weights, range(ask.count)) for name, weights in mixes.items()}
    known = {name: loss if np.isfinite(loss) else None for name, loss in losses.items()}
    return Weighed(found.weights, {"rule": how.rule} | found.told | known, found.rows)


def _softmax(scored: _Scored, how: Weighing) -> Weighed:
    if how.temperature == "auto" and scored.ask.count > 1:
        return _softmax_chosen(scored, how)
    if how.temperature == "auto":
        chosen = PAPER_TEMPERATURE
        reason = "one example cannot be left out, so the paper's temperature 5 is used"
    else:
        chosen = float(how.temperature)
        reason = f"temperature {chosen:g} was asked for"
    heat = {"asked": how.temperature, "chosen": chosen, "rows": _sweep(scored, chosen)}
    told, rows = _sure(scored, how, chosen)
    weights = mixing_weights(scored.numbers, temperature=chosen)
    return Weighed(weights, {"temperature": heat, "reason": reason} | told, rows)


def _softmax_chosen(scored: _Scored, how: Weighing) -> Weighed:
    """The temperature of the lowest cross-fit loss; uniform weights where none is below theirs."""
    choice = choose_temperature(scored.table, scored.ask, seed=how.seed)
    heat = {"asked": how.temperature, "chosen": choice.temperature, "rows": choice.rows()}
    heat["crossfit_uniform"] = choice.crossfit_uniform
    weights = mixing_weights(scored.numbers, temperature=choice.temperature)
    end = settle(weights, choice.chosen, forced=how.forced)
    reason = choice.reason if end.kept else f"{choice.reason}; {end.reason}"
    told, rows = _sure(scored, how, choice.temperature) if end.kept else ({}, ())
    return Weighed(end.weights, {"temperature": heat, "reason": reason} | told, rows)


def _sure(
    scored: _Scored, how: Weighing, temperature: float
) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """How sure the weights are; untold where they are not a function of each example's own mean."""
    if not np.allclose(scored.numbers, mean_losses(scored.table), rtol=1e-12, atol=0):
        return {"notes": ["intervals are known for losses averaged by example only"]}, ()
    chances = weight_chances(scored.table, temperature=temperature, seed=how.seed)
    return {"tells_apart": chances.tells_apart, "apart": chances.reason}, tuple(chances.rows())


def _sweep(scored: _Scored, chosen: float) -> list[dict[str, Any]]:
    """What other temperatures would give; the mix was not asked, so their losses are unknown."""
    grid = sorted({*GRID, chosen})
    return [
        {
            "temperature": temperature,
            "lowest_weight": float(row.min()),
            "highest_weight": float(row.max()),
            "chosen": temperature == chosen,
        }
        for temperature, row in zip(grid, sweep_weights(scored.numbers, grid=grid), strict=True)
    ]


def _uniform(scored: _Scored, how: Weighing) -> Weighed:
    count = len(scored.names)
    return Weighed(uniform(count), {"reason": f"{count} members with equal weights"})


def _best(scored: _Scored, how: Weighing) -> Weighed:
    best = int(np.argmin(scored.numbers))
    reason = f"{scored.names[best]} has the lowest loss on the examples"
    return Weighed(alone(len(scored.names), best), {"reason": reason})


def _greedy(scored: _Scored, how: Weighing) -> Weighed:
    names, table, ask = scored.names, scored.table, scored.ask

    def found_on(rows: Sequence[int]) -> GreedySoup:
        return greedy_soup(mean_losses(table[:, list(rows)]), ask, rows)

    found = found_on(range(ask.count))
    told, end = _settled(scored, how, found.weights, lambda rows: found_on(rows).weights)
    told |= {"method": "greedy", "evaluations": ask.evaluations, "fitted": found.loss}
    steps = [row | {"name": names[row["model"]]} for row in found.rows()]
    reason = f"{len(found.accepted)} of {len(names)} members stayed; {end.reason}"
    return Weighed(
        end.weights, {"steps": steps, "search": told, "reason": reason, "notes": list(found.notes)}
    )


def _search(scored: _Scored, how: Weighing) -> Weighed:
    table, ask = scored.table, scored.ask
    method: Method = "simplex" if how.rule == "simplex" else "cma"

    def found_on(rows: Sequence[int]) -> Search:
        start = mixing_weights(mean_losses(table[:, list(rows)]), temperature=_START)
        limit, seed = how.evaluations, how.seed
        return search_weights(ask, len(table), rows, method=method, start=start, evaluations=limit, seed=seed)

    found = found_on(range(ask.count))
    told, end = _settled(scored, how, found.weights, lambda rows: found_on(rows).weights)
    told |= {"method": method, "evaluations": found.evaluations, "fitted": found.loss}
    return Weighed(end.weights, {"search": told, "reason": end.reason, "notes": list(found.notes)})


def _settled(
    scored: _Scored, how: Weighing, found: Weights, find: Callable[[Sequence[int]], Weights]
) -> tuple[dict[str, Any], Decision]:
    """Fitted weights held against uniform ones on examples that they did not see, and the end of it."""
    shots = scored.ask.count
    folds = min(shots, _SEARCH_FOLDS)
    fit = crossfit(find, scored.ask, shots, folds=folds, seed=how.seed) if shots > 1 else None
    end = settle(found, fit, forced=how.forced)
    told = {
        "kept": end.kept, "found": found.tolist(), "crossfit": fit.loss if fit else None,
        "crossfit_uniform": fit.uniform_loss if fit else None, "folds": folds if fit else None,
    }  # fmt: skip
    return told, end


def told_weights(names: Sequence[str], weights: Weights, *, most: int = 4) -> str:
    """The largest weights in words.

    >>> told_weights(["base", "smith", "mason"], np.array([0.2, 0.7, 0.1]), most=2)
    'smith 0.70, base 0.20, 1 more'
    """
    order = [int(at) for at in np.argsort(-weights, kind="stable") if weights[at] > 0]
    shown = [f"{names[at]} {weights[at]:.2f}" for at in order[:most]]
    return ", ".join(shown + ([f"{len(order) - most} more"] if len(order) > most else []))
