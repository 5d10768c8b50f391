"""Insights in groups that one question can condense: the same pair of answers, and near one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.errors import InputError
from kshot.methods.panda.pairs import pair_of
from kshot.methods.panda.records import Insight
from kshot.models.base import Embedder, Floats

Pair: TypeAlias = tuple[str, str]
Places: TypeAlias = NDArray[np.int64]
_MOST_ROUNDS = 20


@final
@dataclass(frozen=True, slots=True)
class Group:
    """Insights that one question is asked about.

    Attributes:
        pair: Preferred answer and rival; empty texts where the pool does not tell them.
        members: Places in the pool, ascending.
        shown: Those that stand in the question: nearest to the group's middle, ascending.
    """

    pair: Pair
    members: tuple[int, ...]
    shown: tuple[int, ...]


def group_insights(
    insights: Sequence[Insight], embedder: Embedder, *, most_groups: int = 24, group_size: int = 12
) -> tuple[tuple[Group, ...], tuple[int, ...]]:
    """Groups by (r1, r2) and, within a pair, by nearness of the explanations.

    Every pair gets one group, the most frequent first, and the rest of the groups go one by one to the pair
    with the most insights a group, as long as its groups are larger than ``group_size``. Within a pair the
    groups are spherical k-means clusters, begun with the first insight and then the one farthest from all
    begun ones; ties go to the lower index throughout, so nothing is drawn.

    Returns:
        The groups, by pair and first member; and the places of insights whose pair got no group.

    Raises:
        InputError: A bound is below 1.

    Example::

        groups, left = group_insights(pool.insights, embedder)
    """
    if most_groups < 1 or group_size < 1:
        raise InputError(f"most_groups is {most_groups}, group_size {group_size}; expected 1 or more of each")
    by_pair: dict[Pair, list[int]] = {}
    for place, insight in enumerate(insights):
        by_pair.setdefault(pair_of_insight(insight), []).append(place)
    pairs = sorted(by_pair, key=lambda pair: (-len(by_pair[pair]), pair))
    counts = _groups_each([len(by_pair[pair]) for pair in pairs[:most_groups]], most_groups, group_size)
    groups: list[Group] = []
    for pair, count in zip(pairs, counts, strict=False):
        members = np.asarray(by_pair[pair], np.int64)
        rows = embedder.encode([insights[place].insight or insights[place].key for place in members])
        groups += _of_pair(pair, members, rows, count=count, group_size=group_size)
    left = sorted(place for pair in pairs[most_groups:] for place in by_pair[pair])
    return tuple(groups), tuple(left)


def pair_of_insight(insight: Insight) -> Pair:
    """The answer that an insight argues for, and the one it argues against; empty texts where unknown.

    >>> pair_of_insight(Insight(0, "key", "text"))
    ('', '')
    """
    if insight.preference is None or not insight.preference.candidates:
        return "", ""
    pair = pair_of(insight.preference, insight.heuristic)
    return pair.preferred.answer, pair.rivals[0].answer if pair.rivals else ""


def clusters(rows: Floats, count: int) -> Places:
    """(N,) which of at most ``count`` clusters each row of unit length is in: spherical k-means, not drawn.

    >>> clusters(np.asarray([[1, 0], [0, 1], [1, 0]], np.float32), 2).tolist()
    [0, 1, 0]
    """
    values = rows.astype(np.float64)
    begun = [0]
    nearest = values @ values[0]
    while len(begun) < min(count, len(values)):
        begun.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, values @ values[begun[-1]])
    middles = values[begun]  # (G, d)
    found = np.argmax(values @ middles.T, axis=1)
    for _ in range(_MOST_ROUNDS):
        for group in range(len(middles)):
            mean = values[found == group].sum(axis=0)
            length = float(np.linalg.norm(mean))
            middles[group] = mean / length if length > 0 else middles[group]
        again = np.argmax(values @ middles.T, axis=1)
        if np.array_equal(again, found):
            break
        found = again
    return np.asarray(found, np.int64)


def _groups_each(sizes: Sequence[int], most_groups: int, group_size: int) -> list[int]:
    counts = [1] * len(sizes)
    while sum(counts) < most_groups:
        place = max(range(len(sizes)), key=lambda i: sizes[i] / counts[i], default=None)
        if place is None or sizes[place] <= counts[place] * group_size:
            break
        counts[place] += 1
    return counts


def _of_pair(pair: Pair, members: Places, rows: Floats, *, count: int, group_size: int) -> list[Group]:
    found = clusters(rows, count)
    groups = []
    for cluster in sorted(set(found.tolist()), key=lambda c: int(np.flatnonzero(found == c)[0])):
        inside = np.flatnonzero(found == cluster)
        middle = rows[inside].astype(np.float64).sum(axis=0)
        order = np.argsort(-(rows[inside].astype(np.float64) @ middle), kind="stable")[:group_size]
        shown = sorted(members[inside[order]].tolist())
        groups.append(Group(pair, tuple(members[inside].tolist()), tuple(shown)))
    return groups
