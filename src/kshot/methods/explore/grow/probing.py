"""Blind probes: what a task is split into when its children are not shown, and how many there may be."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kshot.methods.explore.records import TaskNode
from kshot.methods.explore.seams import Exploration

PROBED = "; probed"
MIN_COMMON = 3  # names known before, below which the estimate says nothing


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a blind probe of a task found.

    Attributes:
        node: Id of the task.
        known: Children before the probe, n1.
        probed: Different names of the probe that are children, were known or new, n2.
        common: Of these, how many were known, m.
    """

    node: str
    known: int
    probed: int
    common: int

    @property
    def estimate(self) -> float:
        """Of the number of all children: (n1 + 1)(n2 + 1)/(m + 1) - 1. To look at, not to stop by.

        Source: Chapman 1951, two samples without replacement. The model recalls what it recalls easily in
        both samples, so this is a lower bound rather than a mean.

        >>> ProbeResult("a", known=8, probed=6, common=5).estimate
        9.5
        """
        return (self.known + 1) * (self.probed + 1) / (self.common + 1) - 1

    @property
    def is_telling(self) -> bool:
        """Whether enough names were met twice for the estimate to mean anything."""
        return self.common >= MIN_COMMON


def probes(found: Exploration) -> list[ProbeResult]:
    """Results of all probes, in preorder, read from the tree and what was refused.

    Example::

        for one in probes(found):
            print(found.tree[one.node].name, one.known, one.estimate)
    """
    common: dict[str, set[str]] = {}
    fresh: dict[str, int] = {}
    for refusal in found.refused:
        if refusal.kind == "name" and is_probe(refusal.request):
            if refusal.rule == "repeat":
                common.setdefault(refusal.node, set()).add(refusal.near)
            elif refusal.rule == "surplus":
                fresh[refusal.node] = fresh.get(refusal.node, 0) + 1
    results = []
    for node in found.tree:
        if is_probed(node):
            by_probe = {one.id for one in found.tree.children(node.id) if any(map(is_probe, one.requests))}
            known = set(node.children) - by_probe
            both = common.get(node.id, set()) & known
            new = len(by_probe) + fresh.get(node.id, 0)
            results.append(ProbeResult(node.id, len(known), len(both) + new, len(both)))
    return results


def is_probe(request: str) -> bool:
    """Whether a request was a blind probe, by its id."""
    return request.startswith("probe:")


def is_probed(node: TaskNode) -> bool:
    """Whether a task was probed; its reason for being closed says so."""
    return node.closed.endswith(PROBED)


def as_probed(node: TaskNode) -> TaskNode:
    """The task, marked so."""
    return node if is_probed(node) else replace(node, closed=node.closed + PROBED)
