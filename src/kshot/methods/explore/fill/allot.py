"""Which tasks the next calls go to: to where the most new rows are to be expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from kshot.methods.explore.records import TaskNode

_DONE = 1.0  # expected missing rows below which a task gets no further call in a round


@dataclass(frozen=True, slots=True)
class Open:
    """A task that wants rows.

    Attributes:
        node: The task.
        missing: Rows it wants, at least 1.
        first: Ordinal of its next request.
    """

    node: TaskNode
    missing: int
    first: int

    @property
    def share(self) -> float:
        """Of its last rows that were kept; optimistic where few came, and never 0."""
        recent = self.node.recent
        return (recent.count("1") + 1) / (len(recent) + 1)


@dataclass(frozen=True, slots=True)
class LanePlan:
    """The requests of one lane.

    Attributes:
        task: Which is filled.
        first: Ordinal of its first request.
        requests: How many it may make.
        target: Rows after which it ends, as far as it can tell.
    """

    task: Open
    first: int
    requests: int
    target: int


def allotted(tasks: Sequence[Open], requests: int, *, batch: int) -> list[int]:
    """Requests of each task in a round: the next one always goes where missing rows x kept share is largest.

    Each request lowers what is still missing by what it will give if things go on as they did. Ties: the
    earlier task.

    >>> node = TaskNode("a1", "list rivers")
    >>> allotted([Open(node, 20, 0), Open(node, 40, 0)], 4, batch=10)
    [1, 3]
    """
    found = [0] * len(tasks)
    missing = [float(task.missing) for task in tasks]
    shares = [task.share for task in tasks]
    heap = [(-missing[place] * shares[place], place) for place in range(len(tasks))]
    heapify(heap)
    while requests and heap:
        _, place = heappop(heap)
        found[place] += 1
        requests -= 1
        missing[place] -= min(float(batch), missing[place]) * shares[place]
        if missing[place] >= _DONE:
            heappush(heap, (-missing[place] * shares[place], place))
    return found


def lane_plans(tasks: Sequence[Open], requests: Sequence[int], *, lane_calls: int) -> list[LanePlan]:
    """The lanes of a round, in canonical order: a task's requests divided as evenly as can be.

    >>> plans = lane_plans([Open(TaskNode("a1", "list rivers"), 50, 7)], [5], lane_calls=4)
    >>> [(plan.first, plan.requests, plan.target) for plan in plans]
    [(7, 3, 30), (10, 2, 20)]
    """
    found = []
    for task, total in zip(tasks, requests, strict=True):
        lanes = -(-total // lane_calls)
        first = task.first
        for lane in range(lanes):
            size = total // lanes + (lane < total % lanes)
            found.append(LanePlan(task, first, size, -(-task.missing * size // total)))
            first += size
    return found
