"""How the simulated model recalls: readily what ranks high among its siblings, seldom what ranks low."""

from __future__ import annotations

import bisect
import itertools
import random
from dataclasses import dataclass, field
from typing import final

from kshot.errors import InputError
from kshot.models.fake.ontology.world import Ontology

SHARES = ("obey", "hall", "leak", "prime", "para", "judge")


@dataclass(frozen=True, slots=True)
class RecallModel:
    """Assumed habits of the model; all but ``s`` and ``per_reply`` are probabilities.

    Attributes:
        s: Recall bias: a task's weight among its siblings is 1 / rank^s; 0 is none.
        obey: A listed sub-task is avoided, and an instruction that is shown as already there.
        hall: A proposed sub-task is off the ontology.
        leak: A row of a task comes from anywhere in the domain.
        prime: A row that follows demonstrations comes from the branch of one of them.
        para: A proposed sub-task is a listed one under another name.
        judge: A verdict on a proposed sub-task is right.
        per_reply: The most sub-tasks, or rows, in one reply.

    Raises:
        InputError: A value makes no sense.

    >>> RecallModel(1.5).obey
    0.9
    """

    s: float = 1.0
    obey: float = 0.9
    hall: float = 0.1
    leak: float = 0.1
    prime: float = 0.5
    para: float = 0.0
    judge: float = 0.95
    per_reply: int = 12

    def __post_init__(self) -> None:
        wrong = [name for name in SHARES if not 0 <= getattr(self, name) <= 1]
        if wrong or self.hall + self.para > 1:
            name = wrong[0] if wrong else "hall + para"
            raise InputError(f"recall model: {name} is no probability; expected 0 to 1")
        if not 0 <= self.s <= 10 or self.per_reply < 1:
            raise InputError(
                f"recall model: s is {self.s}, per_reply {self.per_reply}; expected 0 to 10, 1 or more"
            )


@final
@dataclass(frozen=True, slots=True)
class Recall:
    """Weighted draws from an ontology under a bias ``s``."""

    ontology: Ontology
    s: float
    _sums: dict[int, list[float]] = field(default_factory=dict)

    def leaf_below(self, node: int, draw: random.Random) -> int:
        """A leaf by a weighted path from a task down; a leaf itself stays.

        >>> ontology = Ontology.made((3, 4), seed=0)
        >>> Recall(ontology, 1.0).leaf_below(2, random.Random(0)) in ontology.children[2]
        True
        """
        while below := self.ontology.children[node]:
            sums = self._sums.get(node) or self._summed(node)
            node = below[bisect.bisect(sums, draw.random() * sums[-1], hi=len(below) - 1)]
        return node

    def children_in_turn(self, node: int, draw: random.Random) -> list[int]:
        """All children of a task as they come to mind: weighted draws without replacement."""
        left = list(self.ontology.children[node])
        weights = [self._weight(child) for child in left]
        found = []
        while left:
            at = bisect.bisect(list(itertools.accumulate(weights)), draw.random() * sum(weights))
            at = min(at, len(left) - 1)
            found.append(left.pop(at))
            weights.pop(at)
        return found

    def _weight(self, node: int) -> float:
        return float(self.ontology.ranks[node] ** -self.s)

    def _summed(self, node: int) -> list[float]:
        sums = list(itertools.accumulate(map(self._weight, self.ontology.children[node])))
        self._sums[node] = sums
        return sums
