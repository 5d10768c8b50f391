"""The group of experts that covers the shots: each shot by whichever of its members knows it."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from kshot.methods.experts.candidates import Ints, Values
from kshot.methods.experts.groups import grown_note, mean_similarity, rounded, search
from kshot.methods.experts.selection import ExpertSelection, outside
from kshot.methods.experts.shot_table import ShotTable
from kshot.methods.experts.sizes import shrunk

_BLOCK = 1 << 22


def select_covering(table: ShotTable, *, size: int = 4) -> ExpertSelection:
    """The group with the most shots that some member answers rightly; no pool, no ranks of single experts.

    Where every expert knows a part of the task, each is wrong on most of the shots, and its means over all of
    them say little. What a mixture can do at best is what its best member does, shot by shot. Ties: the lower
    mean over the shots of the lowest loss in the group, the less alike, the names.

    Where answers are guessed among a few, luck covers shots too; give more shots then.

    Args:
        table: Experts on shots.
        size: Experts to choose; fewer where there are fewer, which ``notes`` says.

    Raises:
        InputError: The size is below 1.

    Source: ours; as in facility location, a group's worth is that of its best member for each row.

    >>> right = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]], dtype=bool)
    >>> select_covering(ShotTable(right, np.ones((3, 4)), np.eye(3)), size=2).chosen
    (0, 2)
    """
    candidates = table.candidates
    notes = shrunk(len(candidates), size=size)
    order = candidates.order
    judge = partial(coverage_values, table.in_order(order))
    groups = search(range(len(candidates)), min(size, len(candidates)), judge).relabelled(order)
    best = groups.members[0].tolist()
    chosen = tuple(sorted(best, key=lambda at: (-candidates.accuracy[at], candidates.perplexity[at])))
    left = {at: outside(groups, at) for at in range(len(candidates)) if at not in best}
    everybody = tuple(order.tolist())
    return ExpertSelection(
        candidates, "coverage", chosen, everybody, groups, left, notes + grown_note(groups)
    )


def coverage_values(table: ShotTable, members: Ints) -> dict[str, Values]:
    """(G,) each: ``missed`` shots, the mean ``lowest_loss`` and the ``similarity``."""
    shots = table.right.shape[1]
    missed, lowest = np.empty(len(members)), np.empty(len(members))
    step = max(1, _BLOCK // shots)
    for start in range(0, len(members), step):
        part = slice(start, start + step)
        missed[part] = shots - covered(table.right, members[part]).sum(axis=1)
        lowest[part] = best_loss(table.target_loss, members[part]).mean(axis=1)
    alike = mean_similarity(table.similarity, members)
    return {"missed": missed, "lowest_loss": rounded(lowest), "similarity": alike}


def covered(right: NDArray[np.bool_], members: Ints) -> NDArray[np.bool_]:
    """(G, K) whether some member is right on each shot."""
    found = right[members[:, 0]]
    for column in members.T[1:]:
        found |= right[column]
    return found


def best_loss(loss: Values, members: Ints) -> Values:
    """(G, K) the lowest loss among the members on each shot."""
    found = loss[members[:, 0]]
    for column in members.T[1:]:
        np.minimum(found, loss[column], out=found)
    return found
