"""ExpertSelection: which experts were chosen, and for each of the others why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from kshot.methods.experts.candidates import Candidates
from kshot.methods.experts.groups import Groups


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExpertSelection:
    """A choice among experts, both sides of it.

    Attributes:
        candidates: Who came into question, with scores and ranks.
        rule: How groups were judged.
        chosen: Positions of the chosen experts, the best ranked first.
        pool: Positions of those that groups were made of, the best ranked first.
        groups: Every group that was considered, the best first; empty where single experts were chosen.
        left: Position to why an expert was left, of all that were not chosen.
        notes: What differs from what was asked for.
    """

    candidates: Candidates
    rule: str
    chosen: tuple[int, ...]
    pool: tuple[int, ...]
    groups: Groups
    left: dict[int, str]
    notes: tuple[str, ...] = ()

    @property
    def approximate(self) -> bool:
        """Whether there were too many groups to consider all."""
        return not self.groups.complete

    @property
    def margin(self) -> float | None:
        """By how much the runner-up group is worse in what decides first; None where there is none."""
        return self.groups.margin

    def rows(self) -> list[dict[str, Any]]:
        """One JSON object an expert, in the order given: scores, both ranks, pool, chosen, and why not.

        >>> import numpy as np
        >>> from kshot.methods.experts import select_experts
        >>> found = select_experts(np.array([2.0, 3.0]), np.array([0.5, 0.5]), np.eye(2), size=1)
        >>> found.rows()[1]["rank_sum"], found.rows()[1]["left"]
        (3, 'in the pool, but the best group with it has total 4 against 3')
        """
        among, ranks = (
            self.candidates,
            zip(
                self.candidates.perplexity_rank.tolist(), self.candidates.accuracy_rank.tolist(), strict=True
            ),
        )
        return [
            {
                "name": among.called(at),
                "perplexity": float(among.perplexity[at]),
                "accuracy": float(among.accuracy[at]),
                "perplexity_rank": perplexity_rank,
                "accuracy_rank": accuracy_rank,
                "rank_sum": perplexity_rank + accuracy_rank,
                "in_pool": at in self.pool,
                "chosen": at in self.chosen,
                "left": self.left.get(at, ""),
            }
            for at, (perplexity_rank, accuracy_rank) in enumerate(ranks)
        ]

    def group_rows(self, limit: int | None = None) -> list[dict[str, Any]]:
        """One JSON object a group, the best first: the members' names, and what groups are judged by."""
        called = self.candidates.called
        return [row | {"members": [called(at) for at in row["members"]]} for row in self.groups.rows(limit)]


def outside(groups: Groups, expert: int, *, pooled: bool = False) -> str:
    """Why an expert is in no chosen group, told by the best group that it is in."""
    start = "in the pool, but " if pooled else ""
    at = groups.best_with(expert)
    if at is None:
        return f"{start}no group that was considered holds it"
    for name, value in groups.values.items():
        if value[at] != value[0]:
            what = name.replace("_", " ")
            return f"{start}the best group with it has {what} {value[at]:.6g} against {value[0]:.6g}"
    return f"{start}the best group with it is as good, and comes later by name"
