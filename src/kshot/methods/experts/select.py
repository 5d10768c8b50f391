"""Which experts suit the shots, from the scores of each and how alike they are."""

from __future__ import annotations

import random
from functools import partial
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from kshot.errors import InputError
from kshot.methods.experts.candidates import Candidates, Ints
from kshot.methods.experts.groups import Groups, alike_values, grown_note, paper_values, search
from kshot.methods.experts.selection import ExpertSelection, outside
from kshot.methods.experts.sizes import shrunk

Rule: TypeAlias = Literal["paper", "released-code", "ranks", "accuracy", "perplexity", "random"]
RULES: tuple[Rule, ...] = get_args(Rule)
_NO_GROUPS = Groups(np.empty((0, 1), dtype=np.int64), {"rank_sum": np.empty(0)})


def select_experts(
    perplexity: ArrayLike,
    accuracy: ArrayLike,
    similarity: ArrayLike,
    *,
    size: int = 4,
    pool: int = 8,
    rule: Rule = "paper",
) -> ExpertSelection:
    """The group of experts that is good on the shots and diverse; ties are broken by position.

    ``select`` is the same with names for ties and a seed for ``random``.

    Args:
        perplexity: (E,) of the shots' targets.
        accuracy: (E,) share of the shots right.
        similarity: (E, E) how alike two experts are.
        size: N, experts to choose; fewer where there are fewer, which ``notes`` says.
        pool: M, the best ranked, among which groups are made; at least ``size``.
        rule: As in ``select``.

    Raises:
        DataError: Shapes differ, a value is NaN, or there is no expert.
        InputError: The rule does not exist, a number is below 1, or the pool is smaller than the group.

    Source: arXiv 2408.15915v2, section 3.3 and Alg. 1.

    >>> perplexity, accuracy = [2.0, 2.5, 2.2, 3.0, 4.0, 5.0], [0.50, 0.62, 0.40, 0.62, 0.58, 0.30]
    >>> found = select_experts(perplexity, accuracy, np.eye(6), size=2, pool=4)
    >>> found.pool, found.chosen
    ((1, 0, 3, 2), (1, 0))
    """
    candidates = Candidates(np.asarray(perplexity), np.asarray(accuracy), np.asarray(similarity))
    return select(candidates, size=size, pool=pool, rule=rule)


def select(
    candidates: Candidates, *, size: int = 4, pool: int = 8, rule: Rule = "paper", seed: int = 0
) -> ExpertSelection:
    """``select_experts`` for candidates with names.

    Args:
        candidates: Who comes into question.
        size: N.
        pool: M.
        rule: ``paper``: of all groups in the pool the lowest sum of ranks and of the place by diversity;
            ties: lower rank sum, lower similarity, names. ``released-code``: the least alike group of the
            pool. Without groups, for comparison: ``ranks`` (the first N of the pool), ``accuracy`` and
            ``perplexity`` (the best N by one score; ties by the other, then by name), ``random``.
        seed: Of ``random``.

    Raises:
        InputError: As ``select_experts``.
    """
    if rule not in RULES:
        raise InputError(
            f"the rule {rule!r} for choosing experts does not exist; expected one of {', '.join(RULES)}"
        )
    grouped = rule in ("paper", "released-code")
    notes = shrunk(len(candidates), size=size, pool=pool if grouped else None)
    size, pool = min(size, len(candidates)), min(pool, len(candidates))
    if grouped:
        return _best_group(candidates, size, pool, rule, notes)
    return _best_singles(candidates, size, rule, seed, notes)


def pool_of(candidates: Candidates, pool: int) -> Ints:
    """(M,) positions of the smallest rank sums; ties: lower perplexity, then the name."""
    order = candidates.order
    keys = candidates.perplexity[order], candidates.rank_sum[order]
    return order[np.lexsort(keys)][:pool]


def _best_group(
    candidates: Candidates, size: int, pool: int, rule: Rule, notes: tuple[str, ...]
) -> ExpertSelection:
    # position i means the i-th by name, until the groups are named back
    order = candidates.order
    ranks, similarity = candidates.rank_sum[order], candidates.similarity[np.ix_(order, order)]
    inside = pool_of(candidates, pool)
    places = np.flatnonzero(np.isin(order, inside)).tolist()
    judge = paper_values if rule == "paper" else alike_values
    groups = search(places, size, partial(judge, ranks, similarity)).relabelled(order)
    best = set(groups.members[0].tolist())
    chosen = tuple(at for at in inside.tolist() if at in best)
    ends = int(candidates.rank_sum[inside[-1]])
    left = {}
    for at in sorted(set(range(len(candidates))) - best):
        if at in inside:
            left[at] = outside(groups, at, pooled=True)
        else:
            left[at] = f"not in the pool: rank sum {candidates.rank_sum[at]}, the pool ends at {ends}"
    notes += grown_note(groups)
    return ExpertSelection(candidates, rule, chosen, tuple(inside.tolist()), groups, left, notes)


def _best_singles(
    candidates: Candidates, size: int, rule: Rule, seed: int, notes: tuple[str, ...]
) -> ExpertSelection:
    ranked = _ranked(candidates, rule, seed)
    last = ranked[size - 1]
    values = {
        "ranks": ("rank sum", candidates.rank_sum),
        "accuracy": ("accuracy", candidates.accuracy),
        "perplexity": ("perplexity", candidates.perplexity),
    }
    left = {}
    for place, at in enumerate(ranked[size:], start=size + 1):
        left[at] = f"place {place} of {len(ranked)} in the draw"
        if rule in values:
            name, value = values[rule]
            left[at] = f"place {place} by {name}: {value[at]:.6g}, the last chosen has {value[last]:.6g}"
    everybody = tuple(ranked)
    return ExpertSelection(candidates, rule, everybody[:size], everybody, _NO_GROUPS, left, notes)


def _ranked(candidates: Candidates, rule: Rule, seed: int) -> list[int]:
    order = pool_of(candidates, len(candidates)) if rule == "ranks" else candidates.order
    if rule == "ranks":
        return list(map(int, order))
    if rule == "random":
        return random.Random(seed).sample(order.tolist(), len(order))
    keys = (candidates.perplexity[order], -candidates.accuracy[order])
    ranked: list[int] = order[np.lexsort(keys if rule == "accuracy" else keys[::-1])].tolist()
    return ranked
