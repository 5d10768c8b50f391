"""Weights of adapters searched on the shots without gradients, as LoraHub does.

Source: LoraHub (arXiv 2307.13269): weights in [-1.5, 1.5], L1 penalty .05, 40 steps. The search there is
nevergrad's; here it is a (1+1) evolution strategy with the one-fifth rule, which needs no further package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kshot.errors import InputError
from kshot.models.lora import LoraAdapter, LoraDelta

BOUND = 1.5


@dataclass(frozen=True, slots=True)
class SearchedWeights:
    """The best weights found, and what was tried.

    Attributes:
        weights: One for each adapter.
        loss: Of the shots under these weights, without the penalty; a selection score.
        losses: (steps,) of each try with the penalty, in order.
    """

    weights: tuple[float, ...]
    loss: float
    losses: tuple[float, ...]


def search_weights(
    loss: Callable[[Sequence[float]], float],
    count: int,
    *,
    steps: int = 40,
    penalty: float = 0.05,
    seed: int = 0,
) -> SearchedWeights:
    """The weights whose loss plus ``penalty`` times the mean of their absolute values is lowest.

    Begins with all weights 0, as LoraHub does. Ties: the earlier try. A loss that is no number never wins.

    Args:
        loss: Of weights, in nats per token; asked ``steps`` times.
        count: How many weights.
        steps: How many tries.
        penalty: Of the weights' size.
        seed: Of the tries.

    Raises:
        InputError: A number is below 1.

    >>> search_weights(lambda w: (w[0] - 1) ** 2, 1, penalty=0.0, seed=1).loss < 0.05
    True
    """
    if count < 1 or steps < 1:
        raise InputError(f"a search of {count} weights in {steps} steps; expected 1 or more of both")
    rng = np.random.default_rng(seed)
    best, width = np.zeros(count), 0.5
    tried: list[float] = []
    plain = lowest = np.inf
    for step in range(steps):
        moved = best + width * rng.standard_normal(count) if step else best
        weights = np.clip(moved, -BOUND, BOUND)
        found = float(loss([float(w) for w in weights]))
        whole = found + penalty * float(np.abs(weights).mean())
        tried.append(whole)
        better = whole < lowest
        if better:
            best, plain, lowest = weights, found, whole
        if step:
            width *= np.exp(0.8) if better else np.exp(-0.2)  # constant width at one success in five
    return SearchedWeights(tuple(float(w) for w in best), float(plain), tuple(tried))


def summed_apart(adapters: Sequence[LoraAdapter], weights: Sequence[float]) -> LoraAdapter:
    """A and B summed apart by the weights, so that cross terms between adapters appear, as in LoraHub.

    Each factor takes the square root of its scaling's size; smaller ranks are filled up with zeros.

    Raises:
        InputError: There is no adapter, or a weight is missing.

    >>> half = LoraDelta(np.array([[1.0, 0.0]]), np.array([[1.0], [0.0]]), 1.0)
    >>> both = summed_apart([LoraAdapter("a", {"q": half}), LoraAdapter("b", {"q": half})], [0.5, 0.5])
    >>> both.delta("q").tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    if not adapters or len(adapters) != len(weights):
        raise InputError(f"{len(adapters)} adapters and {len(weights)} weights; expected one weight for each")
    modules: dict[str, LoraDelta] = {}
    for module in sorted(set().union(*(adapter.modules for adapter in adapters))):
        parts = [
            (a.modules[module], w) for a, w in zip(adapters, weights, strict=True) if module in a.modules
        ]
        rank = max(delta.rank for delta, _ in parts)
        outs, ins = parts[0][0].shape
        a, b = np.zeros((rank, ins), np.float32), np.zeros((outs, rank), np.float32)
        for delta, weight in parts:
            root = np.sqrt(abs(delta.scaling))
            a[: delta.rank] += np.float32(weight * root) * delta.a
            b[:, : delta.rank] += np.float32(weight * root * np.sign(delta.scaling)) * delta.b
        modules[module] = LoraDelta(a, b, 1.0)
    first = adapters[0]
    return LoraAdapter("few-shot weights", modules, first.base, first.fan_in_fan_out)
