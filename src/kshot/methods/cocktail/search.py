"""Weights searched on the mixed model's own loss on the shots, without gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from kshot.errors import InputError
from kshot.methods.cocktail.evolution import evolve
from kshot.methods.cocktail.objective import SHARED, Objective, mean_loss
from kshot.methods.cocktail.weights import Values, alone, check_rows, shares, uniform

Method: TypeAlias = Literal["simplex", "cma"]
METHODS: tuple[Method, ...] = ("simplex", "cma")
SIMPLEX_MODELS = 10  # up to here it was nearer than cma after 200 tries on smooth losses; a test holds it
_FLOOR = 0.02  # the search starts with at least this share of an equal weight, or it could not leave 0
_GAIN = 1e-5  # a search begun anew goes on if it lowers the value by this share
_ENOUGH = 10_000  # the budget ends a search; this ends one that asks nothing new any more
_WORST = 1e300  # stands for a loss that is no finite number; differences of infinities are not numbers


@final
@dataclass(frozen=True, slots=True)
class Try:
    """One mix that was asked.

    Attributes:
        weights: (N,).
        loss: Of the mixed model on the rows; infinity where it was no finite number.
        value: The loss and the penalty: what is made small.
        origin: ``uniform``, ``start``, ``single`` or ``search``.
    """

    weights: tuple[float, ...]
    loss: float
    value: float
    origin: str


@final
@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """The best mix found, and every one that was tried.

    Attributes:
        weights: (N,) of the lowest value; ties: the earlier try.
        loss: Of the mixed model on the rows the weights were fitted to, without the penalty: a selection
            score, and too low for other rows; see ``crossfit``.
        method: ``simplex`` or ``cma``.
        path: Every try, in order.
        notes: What the reader must know.
    """

    weights: Values
    loss: float
    method: Method
    path: tuple[Try, ...]
    notes: tuple[str, ...] = ()

    @property
    def evaluations(self) -> int:
        """How many different mixes were tried."""
        return len(self.path)

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object for each try that was better than all before it."""
        best, found = math.inf, []
        for at, tried in enumerate(self.path, 1):
            if tried.value < best:
                best = tried.value
                found.append(
                    {
                        "evaluation": at,
                        "origin": tried.origin,
                        "weights": list(tried.weights),
                        "loss": tried.loss,
                        "value": tried.value,
                    }
                )
        return found


def search_weights(  # noqa: PLR0913 - what is asked, and the five numbers a search has
    objective: Objective,
    count: int,
    rows: Sequence[int],
    *,
    method: Method = "simplex",
    start: ArrayLike | None = None,
    evaluations: int = 200,
    seed: int = 0,
    penalty: float = 0.0,
) -> Search:
    """The weights from 0 that sum to 1 under which the mixed model has the lowest loss on the rows.

    Equal weights, the ``start`` and each single model are asked first, so that the result is never worse
    than they are on these rows. From the best of them the search goes on over log-weights. The rows are few:
    judge the way of searching with ``crossfit`` and keep its result by ``settle``.

    Args:
        objective: Of the mixed model.
        count: N models.
        rows: The examples that may be used.
        method: ``simplex``: Nelder-Mead, the quicker one where the loss is smooth. ``cma``: CMA-ES, less
            easily held up by a rough loss; it wants more evaluations.
        start: (N,) for example the softmax weights.
        evaluations: At most so many different mixes; at least N + 2. Weights that agree to six decimals
            are one mix. A search that stands still ends earlier.
        seed: Of ``cma``; the simplex draws nothing.
        penalty: Nats of loss for each nat of KL divergence from equal weights.

    Raises:
        InputError: A number is out of its range, the method is unknown, or no mix has a finite loss.

    Source: the loss of the mix itself as objective: LoraHub (arXiv 2307.13269).

    Example:
        >>> def objective(weights, rows):  # the best mix is three quarters of the first model
        ...     return np.array([float(weights[0] - 0.75) ** 2 for row in rows])
        >>> search_weights(objective, 2, [0, 1]).weights.round(3).tolist()
        [0.75, 0.25]
    """
    _check(count, rows, method=method, evaluations=evaluations, penalty=penalty)
    trial = _Trial(objective, tuple(rows), penalty, evaluations)
    notes = []
    try:
        trial.ask(uniform(count), "uniform")
        if start is not None:
            trial.ask(_start(start, count), "start")
        for model in range(count):
            trial.ask(alone(count, model), "single")
        if count > 1:
            _searched(trial, count, method=method, seed=seed)
    except _Spent:
        notes.append(f"all {evaluations} evaluations were used before the search stood still")
    best = trial.best
    if not math.isfinite(best.value):
        raise InputError(f"none of {len(trial.path)} mixes has a finite loss; check the models one by one")
    if lost := sum(not math.isfinite(tried.loss) for tried in trial.path):
        notes.append(f"{lost} of {len(trial.path)} mixes had no finite loss and counted as the worst")
    if method == "simplex" and count > SIMPLEX_MODELS:
        notes.append(f"the simplex is advised for up to {SIMPLEX_MODELS} models, not {count}")
    return Search(np.array(best.weights), best.loss, method, tuple(trial.path), tuple(notes))


def divergence(weights: ArrayLike) -> float:
    """KL divergence of weights from equal ones, in nats: 0 for equal weights, ln N for one model alone.

    >>> divergence([0.5, 0.5]), round(divergence([1.0, 0.0]), 6)
    (0.0, 0.693147)
    """
    values = np.asarray(weights, np.float64)
    inside = values[values > 0]
    return max(0.0, float((inside * np.log(inside * len(values))).sum()))


class _Spent(Exception):  # noqa: N818 - no error: the budget is used up
    """Ends a search from inside the function that it asks."""


class _Trial:
    """The objective with its budget, its penalty, and a record of every different mix."""

    def __init__(self, objective: Objective, rows: tuple[int, ...], penalty: float, budget: int) -> None:
        self._objective, self._rows, self._penalty, self._budget = objective, rows, penalty, budget
        self._known: dict[bytes, Try] = {}

    @property
    def path(self) -> list[Try]:
        return list(self._known.values())

    @property
    def best(self) -> Try:
        return min(self._known.values(), key=lambda tried: tried.value)

    def ask(self, weights: Values, origin: str = "search") -> float:
        """The value of a mix; infinity for a loss that is no finite number."""
        key = (np.round(weights, SHARED) + 0.0).tobytes()
        if key not in self._known:
            if len(self._known) >= self._budget:
                raise _Spent
            loss = mean_loss(self._objective, weights, self._rows)
            value = loss + (self._penalty * divergence(weights) if self._penalty else 0.0)
            self._known[key] = Try(tuple(float(weight) for weight in weights), loss, value, origin)
        return self._known[key].value


def _searched(trial: _Trial, count: int, *, method: Method, seed: int) -> None:
    """Go on from the best so far, in the N - 1 directions in which log-weights can differ.

    A weight that has come down to nothing cannot come back, for its logarithm changes nothing any more. So
    a search that ends with such weights is begun anew with them at the floor, until that finds nothing.
    """
    axes = _directions(count)  # (N - 1, N)
    floor = _FLOOR / count

    def value(point: Values) -> float:
        return trial.ask(_softmax(point @ axes))

    for turn in range(_ENOUGH):
        before = trial.best.value
        first = axes @ np.log(np.maximum(trial.best.weights, floor))
        if method == "cma":
            evolve(value, first, generations=_ENOUGH, seed=seed + turn)
        else:
            step = np.eye(count - 1) * (1 - 2 * (turn % 2))  # back and forth
            _nelder_mead(value, np.vstack([first, first + step]))
        after = trial.best
        settled = min(after.weights) >= floor or not math.isfinite(after.value)
        if settled or after.value >= before - _GAIN * abs(before):
            break


def _nelder_mead(value: Callable[[Values], float], corners: Values) -> None:
    """Ask from (n + 1, n) corners on until they have come together."""
    from scipy.optimize import minimize

    limits = {"xatol": 1e-4, "fatol": 1e-8, "maxfev": _ENOUGH, "maxiter": _ENOUGH}
    minimize(
        lambda point: min(value(point), _WORST),
        corners[0],
        method="Nelder-Mead",
        options={"initial_simplex": corners, **limits},
    )


def _directions(count: int) -> Values:
    """(N - 1, N) orthonormal rows that each sum to 0: adding to all log-weights alike changes no weight."""
    rows = np.zeros((count - 1, count))
    for at in range(1, count):
        rows[at - 1, :at] = 1 / math.sqrt(at * (at + 1))
        rows[at - 1, at] = -at / math.sqrt(at * (at + 1))
    return rows


def _softmax(logits: Values) -> Values:
    """(N,) weights; one that is 0 to six decimals is 0, so that its model need not be read."""
    with np.errstate(under="ignore"):
        parts = np.exp(logits - logits.max())
    parts[parts < 0.5 * 10.0**-SHARED * parts.sum()] = 0.0
    return np.asarray(parts / math.fsum(parts))


def _start(start: ArrayLike, count: int) -> Values:
    values = shares(start)
    if len(values) != count:
        raise InputError(f"the start has {len(values)} weights for {count} models; expected one for each")
    return values


def _check(count: int, rows: Sequence[int], *, method: str, evaluations: int, penalty: float) -> None:
    check_rows(rows)
    if method not in METHODS:
        raise InputError(f"method {method!r} is unknown; expected one of {', '.join(METHODS)}")
    if count < 1 or evaluations < count + 2:
        raise InputError(
            f"a search of {count} models in {evaluations} evaluations; expected one model or more, and at "
            f"least {count + 2} evaluations, so that equal weights, the start and each model can be asked"
        )
    if not (math.isfinite(penalty) and penalty >= 0):
        raise InputError(f"the penalty is {penalty!r}; expected a finite number from 0")
