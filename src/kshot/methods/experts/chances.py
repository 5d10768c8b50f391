"""How sure a choice is: the shots drawn again and again, and how often each expert is chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from kshot.errors import InputError
from kshot.methods.experts.candidates import Ints, Values, competition_ranks
from kshot.methods.experts.coverage import best_loss, covered
from kshot.methods.experts.groups import (
    LIMIT,
    Groups,
    alike_values,
    combinations,
    mean_similarity,
    paper_values,
    rounded,
)
from kshot.methods.experts.shot_table import ShotTable
from kshot.methods.experts.sizes import shrunk

_BLOCK = 1 << 22
_LARGEST = 1e290  # stands for infinity, which times zero would be NaN


@final
@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """Shares of draws, (E,) each.

    Attributes:
        in_pool: How often each expert is among those that groups are made of.
        chosen: How often it is chosen; sums to the size of the group.
    """

    in_pool: Values
    chosen: Values


def pool_chances(
    table: ShotTable,
    *,
    size: int = 4,
    pool: int = 8,
    rule: Literal["paper", "released-code"] = "paper",
    draws: int = 1000,
    seed: int = 0,
) -> Chances:
    """How often each expert is in the pool, and chosen, when the shots are drawn anew with replacement.

    Each draw is decided exactly as ``select`` decides; 1,000 experts and 1,000 draws take a few seconds.

    Args:
        table: Experts on shots.
        size: As in ``select``.
        pool: As in ``select``; there must be at most 100,000 groups in it.
        rule: As in ``select``.
        draws: How many times.
        seed: Of the draws.

    Raises:
        InputError: There are too many groups, or a number is below 1.

    >>> sure = ShotTable(np.array([[True] * 8, [False] * 8]), np.array([[0.1] * 8, [2.0] * 8]), np.eye(2))
    >>> pool_chances(sure, size=1, pool=1).chosen.tolist()
    [1.0, 0.0]
    """
    count = len(table.right)
    shrunk(count, size=size, pool=pool)
    size, pool = min(size, count), min(pool, count)
    if math.comb(pool, size) > LIMIT:
        raise InputError(f"a pool of {pool} has too many groups of {size} to draw again; lower pool or size")
    order = table.candidates.order
    named = table.in_order(order)
    groups = combinations(range(pool), size)
    in_pool, chosen = np.zeros(count), np.zeros(count)
    judge = paper_values if rule == "paper" else alike_values
    for counts in _draws(named.right.shape[1], draws, seed, width=max(count, len(groups))):
        ranks, inside = _pools(named, counts, pool)  # (R, E), (R, M)
        alike = named.similarity[inside[:, :, None], inside[:, None, :]]  # (R, M, M)
        values = judge(np.take_along_axis(ranks, inside, axis=1), alike, groups)
        best = np.take_along_axis(inside, groups[_best(values)], axis=1)  # (R, N)
        in_pool += np.bincount(inside.ravel(), minlength=count)
        chosen += np.bincount(best.ravel(), minlength=count)
    back = np.argsort(order)
    return Chances(in_pool[back] / draws, chosen[back] / draws)


def coverage_chances(table: ShotTable, groups: Groups, *, draws: int = 1000, seed: int = 0) -> Chances:
    """As ``pool_chances``, for ``select_covering``: how often each expert is chosen among its ``groups``.

    There is no pool: every expert that some group holds comes into question in each draw.
    """
    count = len(table.right)
    by_name = np.argsort(table.candidates.order)[groups.members]  # (G, N)
    members = groups.members[np.lexsort(by_name.T[::-1])]
    missed = ~covered(table.right, members)  # (G, K)
    loss = np.minimum(best_loss(table.target_loss, members), _LARGEST)
    alike = np.broadcast_to(mean_similarity(table.similarity, members), (1, len(members)))
    chosen = np.zeros(count)
    for counts in _draws(missed.shape[1], draws, seed, width=len(members)):
        lowest = rounded(counts @ loss.T / missed.shape[1])
        values = {"missed": counts @ missed.T, "lowest_loss": lowest, "similarity": alike}
        chosen += np.bincount(members[_best(values)].ravel(), minlength=count)
    return Chances(np.isin(np.arange(count), members).astype(np.float64), chosen / draws)


def _draws(shots: int, draws: int, seed: int, *, width: int) -> Iterator[Values]:
    """(R, K) how often each shot is in each draw, as many draws at once as ``_BLOCK`` numbers allow."""
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // width)
    for start in range(0, draws, step):
        drawn = rng.integers(0, shots, (min(step, draws - start), shots))
        cells = drawn + shots * np.arange(len(drawn))[:, None]
        yield np.bincount(cells.ravel(), minlength=len(drawn) * shots).reshape(-1, shots).astype(np.float64)


def _pools(table: ShotTable, counts: Values, pool: int) -> tuple[Ints, Ints]:
    """Rank sums (R, E), and the pool (R, M) of each draw in the order of the names."""
    with np.errstate(over="ignore"):
        perplexity = counts @ np.minimum(np.exp(table.target_loss), _LARGEST).T  # (R, E)
    right = counts @ table.right.T.astype(np.float64)
    ranks = competition_ranks(perplexity) + competition_ranks(-right)
    first = np.lexsort((perplexity, ranks), axis=-1)[:, :pool]
    return ranks, np.sort(first, axis=-1)


def _best(values: dict[str, Values]) -> Ints:
    """(R,) the first group among those that no other beats, value by value."""
    shape = np.broadcast_shapes(*(value.shape for value in values.values()))
    open_still = np.ones(shape, dtype=bool)
    for value in values.values():
        left = np.where(open_still, value, np.inf)
        open_still &= left == left.min(axis=-1, keepdims=True)
    first: Ints = open_still.argmax(axis=-1)
    return first
