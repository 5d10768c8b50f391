"""Groups of experts, each with the numbers that it is judged by; all of them, or as many as can be grown."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np

from kshot.methods.experts.candidates import Ints, Values, competition_ranks

LIMIT = 100_000
_STARTS = 64
_DECIMALS = 9
# (G, N) positions -> what each group is judged by, (..., G) each, the most important first; lower is better
Judge: TypeAlias = Callable[[Ints], dict[str, Values]]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Every group that was considered, the best first.

    Attributes:
        members: (G, N) positions of experts, ascending in the order that breaks ties.
        values: What groups are judged by, (G,) each, the most important first; lower is better.
        complete: Whether these are all groups there are.
    """

    members: Ints
    values: Mapping[str, Values]
    complete: bool = True

    def __len__(self) -> int:
        """G."""
        return len(self.members)

    @property
    def margin(self) -> float | None:
        """By how much the second group is worse in the first value; None where there is no second."""
        if len(self) < 2:
            return None
        first = next(iter(self.values.values()))
        return float(first[1] - first[0])

    def best_with(self, expert: int) -> int | None:
        """The place of the best group that holds an expert; None where no group does."""
        found = np.flatnonzero((self.members == expert).any(axis=1))
        return int(found[0]) if found.size else None

    def rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """One JSON object a group, the best first: ``members`` and the values."""
        shown = range(min(len(self), len(self) if limit is None else limit))
        return [
            {"members": self.members[at].tolist()} | {name: float(v[at]) for name, v in self.values.items()}
            for at in shown
        ]

    def relabelled(self, order: Ints) -> Groups:
        """The same groups where position i is called ``order[i]``."""
        return Groups(order[self.members], self.values, self.complete)


def search(places: Sequence[int], size: int, judge: Judge) -> Groups:
    """The groups of ``size`` among some experts: all of them up to ``LIMIT``, above it what growth finds.

    Growth starts from each of the best single experts (64 at most) and takes on, step by step, whichever
    expert makes the best group; what ends there is compared. Ties: the members that come first.

    Args:
        places: Positions, in the order that breaks ties.
        size: Experts in a group, at most as many as there are places.
        judge: What groups are judged by.
    """
    if math.comb(len(places), size) <= LIMIT:
        return ordered(combinations(places, size), judge)
    singles = ordered(combinations(places, 1), judge)
    grown = [_grown(start, places, size, judge) for start in singles.members[:_STARTS, 0].tolist()]
    members = np.unique(np.array(grown, dtype=np.int64), axis=0)
    found = ordered(members, judge)
    return Groups(found.members, found.values, complete=False)


def ordered(members: Ints, judge: Judge) -> Groups:
    """Groups in the order of their values; ties stay as they come."""
    values = judge(members)
    order = np.lexsort(tuple(reversed(list(values.values()))))
    return Groups(members[order], {name: value[order] for name, value in values.items()})


def combinations(places: Sequence[int], size: int) -> Ints:
    """(G, size) all groups, in lexicographic order."""
    flat = itertools.chain.from_iterable(itertools.combinations(places, size))
    return np.fromiter(flat, dtype=np.int64).reshape(-1, size)


def mean_similarity(similarity: Values, members: Ints) -> Values:
    """(..., G) mean over the pairs of each group, 9 decimals; 0 for groups of one.

    Args:
        similarity: (..., E, E).
        members: (G, N).
    """
    count = members.shape[1]
    total = np.zeros((*similarity.shape[:-2], len(members)))
    for one, other in itertools.combinations(range(count), 2):
        total += similarity[..., members[:, one], members[:, other]]
    return rounded(total / max(1, math.comb(count, 2)))


def rounded(values: Values) -> Values:
    """9 decimals: what differs by less is rounding, so that copies of one expert are alike to anybody."""
    with np.errstate(over="ignore"):
        return np.round(values, _DECIMALS)


def grown_note(groups: Groups) -> tuple[str, ...]:
    """What is to be said where not every group was considered."""
    if groups.complete:
        return ()
    return (f"approximate: too many groups to try all; {len(groups)} were grown and compared",)


def paper_values(rank_sum: Ints, similarity: Values, members: Ints) -> dict[str, Values]:
    """Alg. 1: the members' ranks summed, plus the group's place by mean similarity among these groups.

    Args:
        rank_sum: (..., E) R_P + R_A.
        similarity: (..., E, E).
        members: (G, N).

    Returns:
        (..., G) each: ``total``, then ``rank_sum`` and ``similarity`` for ties, and ``diversity_rank``.

    Source: arXiv 2408.15915v2, Alg. 1. R_D is the place by ascending mean similarity; Eq. 6 inverts a signed
    mean, which turns the order about at zero.
    """
    ranks = rank_sum[..., members].sum(axis=-1).astype(np.float64)
    alike = mean_similarity(similarity, members)
    diversity = competition_ranks(alike).astype(np.float64)
    return {"total": ranks + diversity, "rank_sum": ranks, "similarity": alike, "diversity_rank": diversity}


def alike_values(rank_sum: Ints, similarity: Values, members: Ints) -> dict[str, Values]:
    """As the released code chooses: the least alike, whatever the scores; ties: the lower rank sum."""
    alike = mean_similarity(similarity, members)
    return {"similarity": alike, "rank_sum": rank_sum[..., members].sum(axis=-1).astype(np.float64)}


def _grown(start: int, places: Sequence[int], size: int, judge: Judge) -> list[int]:
    group = [start]
    while len(group) < size:
        further = np.array([sorted([*group, place]) for place in places if place not in group])
        group = ordered(further, judge).members[0].tolist()
    return group
