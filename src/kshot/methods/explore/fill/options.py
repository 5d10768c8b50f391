"""How tasks are filled: how many rows each wants, how they are asked for, and what does not stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from kshot.errors import InputError
from kshot.methods.explore.rules import RuleOptions

Scope: TypeAlias = Literal["tree", "per_node"]
SCOPES: tuple[Scope, ...] = ("tree", "per_node")


@dataclass(frozen=True, slots=True)
class FillOptions:
    """How tasks are filled. Numbers are targets: filling again with the same ones changes nothing.

    Attributes:
        count: Rows that each task wants; rows that the user had count.
        counts: Exceptions: id of a task and its number.
        batch: Rows asked for in one request; fewer where fewer are missing.
        lanes: A round has ``lanes`` x ``lane_calls`` requests. The result depends on it, so it is not the
            endpoint's concurrency; with fewer lanes than requests may fly at once, places stay empty.
        lane_calls: Most requests of one lane, each of which sees the replies before it.
        least_kept: Share of a task's last 30 rows below which it is asked for no more; 0: never.
        overlap: ROUGE-L F of two instructions above which the later one goes.
        scope: Whether an instruction is compared with those of all tasks, or of its own task alone.
        rules: For single rows.
        second_pass: Whether the output of each kept row is asked for again, alone.
        nearby: Instructions of what is there already, shown in each request.
        examples: Rows shown as examples in each request.
        seed: Of the draw of examples and of the decoding.
        leaves_only: Whether tasks with children get no rows.

    Raises:
        InputError: A number is out of its range.

    >>> FillOptions(counts=(("a1", 5),)).wanted("a1"), FillOptions().wanted("b2")
    (5, 200)
    """

    count: int = 200
    counts: tuple[tuple[str, int], ...] = ()
    batch: int = 10
    lanes: int = 64
    lane_calls: int = 4
    least_kept: float = 0.2
    overlap: float = 0.7
    scope: Scope = "tree"
    rules: RuleOptions = field(default_factory=RuleOptions)
    second_pass: bool = False
    nearby: int = 6
    examples: int = 2
    seed: int = 0
    leaves_only: bool = False

    def __post_init__(self) -> None:
        least = {"count": 0, "batch": 1, "lanes": 1, "lane_calls": 1, "nearby": 0, "examples": 0}
        for name, low in least.items():
            if (value := getattr(self, name)) < low:
                raise InputError(f"FillOptions: {name} is {value}, expected a whole number from {low}")
        for node, count in self.counts:
            if count < 0:
                raise InputError(f"FillOptions: counts of task {node} is {count}, expected 0 or more")
        if not 0 <= self.least_kept <= 1:
            raise InputError(f"FillOptions: least_kept is {self.least_kept}, expected a share from 0 to 1")
        if not 0 <= self.overlap < 1:
            raise InputError(f"FillOptions: overlap is {self.overlap}, expected 0 or more and below 1")
        if self.scope not in SCOPES:
            raise InputError(f"FillOptions: scope is {self.scope!r}, expected one of {', '.join(SCOPES)}")

    def wanted(self, node: str) -> int:
        """Rows that a task wants."""
        return dict(self.counts).get(node, self.count) if self.counts else self.count
