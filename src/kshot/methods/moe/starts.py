"""Where routers start: random, from the experts' weights, from what each expert's rows look like inside.

A router is linear and has no bias: expert e's logit for a token x is w_e · x. Every start says on what scale
its logits are; a start with larger logits begins more decided and learns more slowly from there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import AdapterError, ModelError
from kshot.methods.moe.gate_training import trained_gates
from kshot.methods.moe.watch import token_ids, watched
from kshot.models.hf.adapted import untouched
from kshot.models.hf.model import HfModel
from kshot.models.lora import LoraAdapter, LoraDelta

Start: TypeAlias = Literal["random", "arrow", "hidden_mean", "phatgoose"]
Rows: TypeAlias = Sequence[tuple[Conversation, Target]]
Routers: TypeAlias = dict[str, NDArray[np.float32]]
_Doubles: TypeAlias = NDArray[np.float64]

_FLAT = 1e-6  # a spread below this share of the size is rounding


def router_start(
    kind: Start,
    adapters: Sequence[LoraAdapter],
    *,
    base: HfModel | None = None,
    rows: Sequence[Rows] | None = None,
    seed: int = 0,
    steps: int = 100,
) -> Routers:
    """Router weights to start a mixture from, as ``build_mixture(routers=...)`` takes them.

    An expert that a module lacks has zeros there.

    - ``random``: uniform within 1/sqrt(in), as linear layers start (the paper's). Logits of inputs of unit
      root mean square have a spread of 0.58.
    - ``arrow``: the unit vector that the expert's s B A answers most strongly, its top right singular vector.
      Its sign is free: with ``base`` and ``rows`` the one whose mean logit on the expert's own rows is
      positive, else the one whose largest entry is (ties: the first). With ``scores="absolute"`` the sign
      does not matter. The logit is the part of x along it, with about the spread of one entry of x.
    - ``hidden_mean``: the mean input of the expert's own rows less the mean over experts, with what
      points along the mean over experts taken out, so that a bias-free router starts without a favourite; one
      factor a module makes the spread of logits between experts 1 over all tokens.
    - ``phatgoose``: before each expert's output a sigmoid gate is trained on its own rows, all else frozen;
      the gate vectors are standardised and divided by sqrt(in) and by the mean spread of the module's
      inputs, so that logits have a spread near 1.

    Args:
        kind: See above.
        adapters: (E,) the experts.
        base: The base model; ``hidden_mean`` and ``phatgoose`` need it.
        rows: (E,) rows of each expert: conversations and targets; needed with ``base``.
        seed: Of random routers, and of the order of rows.
        steps: Of training, ``phatgoose`` alone.

    Returns:
        Module name to (E, in), for every module that some expert adapts.

    Raises:
        AdapterError: There is no expert, shapes differ, or an expert does not fit the base.
        ModelError: The kind has no such name, base or rows are missing, an expert has no row, or a row is
            longer than the model.

    Source: ``arrow``: arXiv 2405.11157 (there the logit is |w · x|). ``phatgoose``: arXiv 2402.05859; there
    each token is standardised, here by the mean spread over the rows, as a linear router cannot divide by
    each token's. ``hidden_mean`` is ours.

    >>> expert = LoraAdapter("e", {"q": LoraDelta(np.array([[3.0, 4.0]]), np.array([[1.0], [0.0]]), 1.0)})
    >>> router_start("arrow", [expert])["q"].round(3).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    if kind not in get_args(Start):
        raise ModelError(f"router start {kind!r} is none of {', '.join(get_args(Start))}")
    if steps < 1:
        raise ModelError(f"{steps} steps for router starts, expected 1 or more")
    sizes = _inputs(adapters)
    if kind == "random":
        return _random(sizes, len(adapters), seed)
    if kind == "arrow" and rows is None:
        return _single({name: _arrow(name, adapters, size) for name, size in sizes.items()})
    model, ids = _own(base, rows, len(adapters), kind=kind, sizes=sizes)
    means = _means(model, ids, sizes)
    if kind == "arrow":
        directions = {name: _arrow(name, adapters, size) for name, size in sizes.items()}
        return _single({name: _turned(directions[name], means[name]) for name in sizes})
    present = {name: np.array([name in adapter.modules for adapter in adapters]) for name in sizes}
    if kind == "hidden_mean":
        apart = {name: _apart(means[name], present[name]) for name in sizes}
        return _single(_unit_spread(model, ids, apart, present))
    spread = _input_spread(model, ids, sizes)
    found = {name: np.zeros((len(adapters), size)) for name, size in sizes.items()}
    for expert, (adapter, own) in enumerate(zip(adapters, rows or (), strict=True)):
        for name, vector in trained_gates(model, adapter, own, seed=seed, steps=steps).items():
            found[name][expert] = _standardised(vector) / (math.sqrt(len(vector)) * spread[name])
    return _single(found)


def _inputs(adapters: Sequence[LoraAdapter]) -> dict[str, int]:
    """Module name to its number of inputs, sorted by name."""
    if not adapters:
        raise AdapterError("no adapter was given; a router needs at least one expert")
    sizes: dict[str, int] = {}
    for adapter in adapters:
        for name, delta in adapter.modules.items():
            if sizes.setdefault(name, delta.shape[1]) != delta.shape[1]:
                raise AdapterError(
                    f"{adapter.name}: {name} has {delta.shape[1]} inputs, {sizes[name]} in another expert; "
                    "one base model is needed"
                )
        if adapter.non_finite():
            raise AdapterError(f"{adapter.name}: tensor {adapter.non_finite()[0]} holds NaN or infinity")
    return {name: sizes[name] for name in sorted(sizes)}


def _own(
    base: HfModel | None, rows: Sequence[Rows] | None, experts: int, *, kind: str, sizes: Mapping[str, int]
) -> tuple[HfModel, list[list[tuple[int, ...]]]]:
    """The base, and the tokens of each expert's rows."""
    if base is None or rows is None:
        raise ModelError(f"router start {kind!r} needs the base model and each expert's own rows")
    if len(rows) != experts:
        raise ModelError(f"{experts} experts but {len(rows)} lists of rows; expected one each")
    if empty := [number for number, own in enumerate(rows) if not own]:
        raise ModelError(f"expert {empty[0]} has no row of its own; give it some, or start at random")
    known = dict(base.model.named_modules())
    if unknown := [name for name in sizes if name not in known]:
        raise AdapterError(
            f"module {unknown[0]} is not in {base.loaded.name}; use the experts' own base model"
        )
    ids = [token_ids(base.loaded, [c for c, _ in own], [t for _, t in own]) for own in rows]
    return base, ids


def _random(sizes: Mapping[str, int], experts: int, seed: int) -> Routers:
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(-1 / math.sqrt(size), 1 / math.sqrt(size), (experts, size)).astype(np.float32)
        for name, size in sizes.items()
    }


def _arrow(name: str, adapters: Sequence[LoraAdapter], size: int) -> _Doubles:
    found = np.zeros((len(adapters), size))
    for expert, adapter in enumerate(adapters):
        if adapter.rank(name):
            found[expert] = _top_direction(adapter.modules[name])
    return found


def _top_direction(delta: LoraDelta) -> _Doubles:
    """(in,) the top right singular vector of s B A, by r × r algebra; zeros where the delta is zero."""
    rows, mixing = np.linalg.qr(delta.a.astype(np.float64).T)  # (in, r), (r, r)
    core = np.linalg.qr(delta.b.astype(np.float64), mode="r") @ mixing.T
    _, values, right = np.linalg.svd(core)
    if not delta.scaling or values[0] <= 1e-14 * np.linalg.norm(delta.a) * np.linalg.norm(delta.b):
        return np.zeros(len(rows))
    vector: _Doubles = rows @ right[0]
    largest = int(np.argmax(np.abs(vector) > (1 - 1e-9) * np.abs(vector).max()))  # the first of equals
    return vector if vector[largest] > 0 else -vector


def _turned(directions: _Doubles, means: _Doubles) -> _Doubles:
    """(E, in) with the sign that makes each expert's mean logit on its own rows positive."""
    turned: _Doubles = np.where((directions * means).sum(axis=1, keepdims=True) < 0, -directions, directions)
    return turned


def _means(
    base: HfModel, ids: Sequence[Sequence[tuple[int, ...]]], sizes: Mapping[str, int]
) -> dict[str, _Doubles]:
    """Module name to (E, in): the mean input over all tokens of each expert's rows, in the base alone."""
    layers = _layers(base, sizes)
    found: dict[str, list[_Doubles]] = {name: [] for name in sizes}
    for own in ids:
        with untouched(base.model):
            seen = watched(base.loaded, own, layers, lambda _, x: x.double().sum(0))
        for name in sizes:
            found[name].append(np.sum([row[name] for row in seen], axis=0) / sum(map(len, own)))
    return {name: np.stack(means) for name, means in found.items()}


def _apart(means: _Doubles, present: NDArray[np.bool_]) -> _Doubles:
    """(E, in) means less the middle one, at right angles to it; zeros where an expert is absent."""
    middle = means[present].mean(axis=0)
    apart = np.where(present[:, None], means - middle, 0.0)
    length = middle @ middle
    if length:
        apart -= np.outer(apart @ middle / length, middle)
    flat = np.linalg.norm(apart, axis=1) <= _FLAT * np.linalg.norm(middle)
    apart[flat] = 0.0
    return apart


def _unit_spread(
    base: HfModel,
    ids: Sequence[Sequence[tuple[int, ...]]],
    routers: Mapping[str, _Doubles],
    present: Mapping[str, NDArray[np.bool_]],
) -> dict[str, _Doubles]:
    """Routers times one factor a module, so that logits less their mean over experts have a spread of 1."""
    import torch

    on = base.loaded.device
    weights = {name: torch.from_numpy(w[present[name]]).float().to(on) for name, w in routers.items()}

    def squares(name: str, x: torch.Tensor) -> torch.Tensor:
        logits = x.float() @ weights[name].T  # (T, P)
        return (logits - logits.mean(dim=1, keepdim=True)).square().mean()[None] * len(x)

    rows = [row for own in ids for row in own]
    with untouched(base.model):
        seen = watched(base.loaded, rows, _layers(base, routers), squares)
    found = {}
    for name, router in routers.items():
        size = math.sqrt(sum(float(row[name][0]) for row in seen) / sum(map(len, rows)))
        found[name] = router / size if size else router
    return found


def _input_spread(
    base: HfModel, ids: Sequence[Sequence[tuple[int, ...]]], sizes: Mapping[str, int]
) -> dict[str, float]:
    """Module name to the mean over tokens of the standard deviation of the entries of its input."""
    rows = [row for own in ids for row in own]
    with untouched(base.model):
        seen = watched(
            base.loaded,
            rows,
            _layers(base, sizes),
            lambda _, x: x.double().std(dim=1, correction=0).sum()[None],
        )
    total = sum(map(len, rows))
    return {name: (sum(float(row[name][0]) for row in seen) / total) or 1.0 for name in sizes}


def _standardised(vector: _Doubles) -> _Doubles:
    """Mean 0 and standard deviation 1; zeros where it is constant."""
    spread = vector.std()
    if spread <= _FLAT * np.abs(vector).max():
        return np.zeros_like(vector)
    return np.asarray((vector - vector.mean()) / spread)


def _layers(base: HfModel, names: Mapping[str, object]) -> dict[str, object]:
    return {name: base.model.get_submodule(name) for name in names}


def _single(routers: Mapping[str, _Doubles]) -> Routers:
    return {name: value.astype(np.float32) for name, value in routers.items()}
