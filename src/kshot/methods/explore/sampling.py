"""Exactly N rows out of all, spread over the tasks."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence

from kshot.data.selection import Drop, Selection
from kshot.errors import DataError
from kshot.methods.explore.records import Row
from kshot.methods.explore.tree import DomainTree

MOST_WEIGHT = 500  # rows of a task beyond this many give it no more weight


def draw(tree: DomainTree, rows: Sequence[Row], *, count: int, seed: int) -> Selection:
    """Exactly ``count`` rows. A task of n rows weighs min(n, ``MOST_WEIGHT``) and never gives more than n.

    Which of a task's rows are drawn depends on the seed, the task and its number of rows alone. ``kept`` is
    in the order of the rows.

    Raises:
        DataError: ``count`` is below 1, or fewer rows than that belong to tasks of the tree.

    >>> tree = DomainTree.planted("sums")
    >>> from kshot.methods.explore.records import Item
    >>> rows = [Row(str(n), tree.root.id, Item(f"{n} + 1?")) for n in range(5)]
    >>> len(draw(tree, rows, count=3, seed=0).kept)
    3

    Source: weights as in the release of arXiv 2310.09168. It takes the whole part of each share plus one, in
    level order, until N are together, so that the last tasks get none; here the largest remainders decide.
    """
    places: dict[str, list[int]] = {node.id: [] for node in tree}
    for place, row in enumerate(rows):
        if row.node in places:
            places[row.node].append(place)
    total = sum(map(len, places.values()))
    if not 1 <= count <= total:
        raise DataError(
            f"{count} rows were asked for, and {total} of the {len(rows)} rows belong to tasks of the tree; "
            f"ask for 1 to {total}, or fill the tasks with more rows first"
        )
    given = shares({node: len(found) for node, found in places.items()}, count=count)
    kept = sorted(
        place for node, found in places.items() for place in _sample(found, given[node], node, seed)
    )
    chosen = set(kept)
    dropped = tuple(
        Drop(place, "not drawn" if row.node in places else "of no task in the tree")
        for place, row in enumerate(rows)
        if place not in chosen
    )
    return Selection(tuple(kept), dropped)


def shares(sizes: Mapping[str, int], *, count: int) -> dict[str, int]:
    """How many rows each task gives: in proportion to min(n, ``MOST_WEIGHT``), by largest remainders.

    Ties go to the earlier task. What a task has too few rows for goes on to the others. ``sizes`` are n by
    task, in preorder; their sum is at least ``count``.

    >>> shares({"a": 2, "b": 600, "c": 5000}, count=1001)
    {'a': 2, 'b': 500, 'c': 499}
    """
    open_tasks = {node: min(size, MOST_WEIGHT) for node, size in sizes.items() if size}
    given = dict.fromkeys(sizes, 0)
    left = count
    while True:
        weight = sum(open_tasks.values())
        whole = [node for node in open_tasks if left * open_tasks[node] >= sizes[node] * weight]
        if not whole:
            break
        for node in whole:  # its share is all it has, or more
            given[node] = sizes[node]
            left -= sizes[node]
            del open_tasks[node]
        if not open_tasks or left <= 0:
            return given
    parts = {node: divmod(left * own, weight) for node, own in open_tasks.items()}
    for node, (share, _) in parts.items():
        given[node] = share
    spare = left - sum(share for share, _ in parts.values())
    for node in sorted(parts, key=lambda node: -parts[node][1])[:spare]:  # stable: ties in order
        given[node] += 1
    return given


def _sample(places: Sequence[int], count: int, node: str, seed: int) -> list[int]:
    digest = hashlib.sha256(f"{seed}:{node}".encode()).digest()
    return random.Random(digest).sample(places, count)
