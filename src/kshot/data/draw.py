"""Seeded draws: K shots of many rows, and folds for repeated cross-validation. Pure functions of ids.

Each row gets a place by the hash of seed and id, so that a draw depends on ids, k and seed alone: not on
the order of the file, the platform or the version of a random generator.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from kshot.errors import TaskError


def shuffled(ids: Sequence[str], *, seed: int, repeat: int = 0) -> list[int]:
    """Places of all rows in the order of the draw; ties (equal ids) stay in their order.

    >>> shuffled(["a", "b", "c"], seed=0)
    [0, 2, 1]
    """
    keys = [
        hashlib.sha256(f"{seed}:{repeat}:{row_id}".encode("utf-8", "surrogatepass")).digest()
        for row_id in ids
    ]
    return sorted(range(len(ids)), key=lambda index: keys[index])


def draw(ids: Sequence[str], *, k: int, seed: int, strata: Sequence[str] | None = None) -> list[int]:
    """Places of ``k`` rows, in the order of the draw; with ``strata`` in proportion to their sizes.

    Raises:
        TaskError: ``k`` is less than 1 or more than there are rows.
    """
    if not 1 <= k <= len(ids):
        raise TaskError(f"k is {k}, but {len(ids)} rows can be drawn from; choose k between 1 and {len(ids)}")
    order = shuffled(ids, seed=seed)
    if strata is None:
        return order[:k]
    left = allocate(Counter(strata), k=k)
    drawn = []
    for index in order:
        if left[strata[index]] > 0:
            left[strata[index]] -= 1
            drawn.append(index)
    return drawn


def allocate(sizes: dict[str, int], *, k: int) -> dict[str, int]:
    """How many of ``k`` rows each stratum gives: in proportion, by largest remainder, none left out.

    Ties in the remainder: the larger stratum, then the earlier name. A stratum that would give no row
    takes one from the stratum that is furthest above its share, while ``k`` allows one each; with a
    smaller ``k`` the ``k`` largest strata give one each (ties: the earlier name).

    >>> allocate({"no": 70, "yes": 29, "rarely": 1}, k=10)
    {'no': 7, 'rarely': 1, 'yes': 2}
    """
    names = sorted(sizes)
    total = sum(sizes.values())
    if k <= len(names):
        largest = sorted(names, key=lambda name: (-sizes[name], name))[:k]
        return {name: int(name in largest) for name in names}
    # Whole numbers throughout: share and remainder are in units of 1 / total.
    given = {name: k * sizes[name] // total for name in names}
    remainders = sorted(names, key=lambda name: (-(k * sizes[name] % total), -sizes[name], name))
    for name in remainders[: k - sum(given.values())]:
        given[name] += 1
    for name in sorted(names, key=lambda name: (-sizes[name], name)):
        if given[name] == 0:
            rich = [other for other in names if given[other] > 1]
            most = max(rich, key=lambda other: (given[other] * total - k * sizes[other], given[other]))
            given[most] -= 1
            given[name] = 1
    return given


def folds(
    ids: Sequence[str],
    *,
    count: int,
    seed: int,
    repeat: int = 0,
    strata: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
) -> list[list[int]]:
    """Places of the rows in each of ``count`` folds; every row is in exactly one.

    Rows of one group stay together (a group counts to the stratum of its smallest id). Groups are dealt
    out in turn, stratum by stratum, each stratum shuffled; fold sizes differ by at most one where every
    row is its own group. Within a fold rows keep their order.

    Raises:
        TaskError: There are fewer groups than folds.
    """
    members: dict[str, list[int]] = {}
    for index in sorted(range(len(ids)), key=lambda index: ids[index]):
        members.setdefault(groups[index] if groups is not None else str(index), []).append(index)
    units = list(members.values())
    if not 2 <= count <= len(units):
        raise TaskError(
            f"{count} folds of {len(units)} different rows cannot be made; "
            f"set folds: {{count: ...}} between 2 and {len(units)}, or give a test file"
        )
    order = shuffled([ids[unit[0]] for unit in units], seed=seed, repeat=repeat)
    if strata is not None:
        order.sort(key=lambda place: strata[units[place][0]])
    dealt: list[list[int]] = [[] for _ in range(count)]
    for turn, place in enumerate(order):
        dealt[turn % count].extend(units[place])
    return [sorted(fold) for fold in dealt]
