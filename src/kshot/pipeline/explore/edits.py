"""A person's edited tree in an exploration: tasks leave with their rows, and come back with them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from kshot.methods.explore.formats import merged
from kshot.methods.explore.records import Counts, Refusal, Row
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.tree import DomainTree


def take_edit(found: Exploration, edited: DomainTree) -> int:
    """Puts the edited tree in place of the exploration's own; how many tasks left.

    A task that is new to the tree but has rows and refusals from before it was removed counts them again.

    Raises:
        DataError: The edited tree is of another domain.

    >>> found = Exploration(DomainTree.planted("rewriting"))
    >>> _ = found.tree.add(found.tree.root.id, "poems")
    >>> take_edit(found, DomainTree.planted("rewriting")), len(found.tree)
    (1, 1)
    """
    tree, gone = merged(found.tree, edited)
    rows: dict[str, list[Row]] = {}
    for row in found.rows:
        rows.setdefault(row.node, []).append(row)
    refused: dict[str, list[Refusal]] = {}
    for one in found.refused:
        if one.kind == "row":
            refused.setdefault(one.node, []).append(one)
    for node in list(tree):
        if node.id not in found.tree and (node.id in rows or node.id in refused):
            counts = _counted(rows.get(node.id, []), refused.get(node.id, []))
            tree.put(replace(node, rows=counts))
    found.tree = tree
    return len(gone)


def leave_unused(found: Exploration) -> int:
    """Leaves out rows of tasks that are not in the tree; how many those are.

    >>> leave_unused(Exploration(DomainTree.planted("rewriting")))
    0
    """
    left = [row for row in found.rows if row.node in found.tree]
    unused = len(found.rows) - len(left)
    found.rows = left
    return unused


def _counted(rows: list[Row], refused: list[Refusal]) -> Counts:
    """What is known of a task from its rows and refusals alone; how many were asked for is not."""
    came = sum(row.origin == "fill" for row in rows) + len(refused)
    rules = Counter(one.rule for one in refused)
    return Counts(delivered=came, kept=len(rows), refused=tuple(sorted(rules.items())))
