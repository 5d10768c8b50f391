"""How a tree is grown: depth, breadth, when widening ends, and what names may not repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.errors import InputError

Breadth: TypeAlias = Literal["adaptive"] | tuple[int, ...]
MOST_WANTED = 12  # names that one request may ask for


@dataclass(frozen=True, slots=True)
class GrowOptions:
    """How a tree is grown. Numbers are targets: a second run with the same ones changes nothing.

    Attributes:
        depth: Of the deepest tasks; the root has depth 0.
        breadth: ``adaptive``: a task is widened until little new comes. Or the number of children of each
            depth, one number a level: ``(8, 6)`` is the paper's.
        order: ``rounds``: all open tasks are asked in one round. ``depth_first``: one request at a time,
            children before their parent is widened.
        batch: Names that one request asks for, 1 to 12; adaptive breadth always asks for so many.
        cap: Most children of a task with adaptive breadth.
        least_yield: Accepted names per name asked for; below it a call yielded too little. Two such calls
            in a row close a task with adaptive breadth.
        overlap: ROUGE-L F above which a name repeats another one.
        cosine: Cosine of embeddings above which it does; needs an embedder.
        share: Of the limits on calls and tokens, what growing with adaptive breadth may use; 1 where nothing
            is to be filled.
        calls_a_task: With adaptive breadth and a share below 1, no more tasks than can get so many of the
            other calls; 0: any number.
        probe: Whether each closed task is asked once more without its children being shown; see ``probes``.
        relevance: Whether the model is asked which proposed tasks belong to their parent; ``upper``: with
            adaptive breadth, those that would be split further, since an invented one there costs most.
        examples: Of a related task, shown in each request.
        elsewhere: Nearest names in other parts of the tree, shown in each request.
        refused: Newest names refused under the task, shown in each request.
        seed: Of the draw of examples and of the decoding.

    Raises:
        InputError: A number is out of its range, or a breadth is missing for a level.

    >>> GrowOptions(breadth=(8, 6)).depth
    2
    """

    depth: int = 2
    breadth: Breadth = "adaptive"
    order: Literal["rounds", "depth_first"] = "rounds"
    batch: int = MOST_WANTED
    cap: int = 64
    least_yield: float = 0.25
    overlap: float = 0.7
    cosine: float = 0.9
    share: float = 0.2
    calls_a_task: int = 2
    probe: bool = False
    relevance: bool | Literal["upper"] = "upper"
    examples: int = 2
    elsewhere: int = 10
    refused: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("depth", "batch", "cap", "calls_a_task", "examples", "elsewhere", "refused"):
            low = 1 if name in ("batch", "cap") else 0
            if (value := getattr(self, name)) < low:
                raise InputError(f"GrowOptions: {name} is {value}, expected a whole number from {low}")
        if self.batch > MOST_WANTED:
            raise InputError(f"GrowOptions: batch is {self.batch}, expected at most {MOST_WANTED}")
        if not 0 <= self.overlap < 1:
            raise InputError(f"GrowOptions: overlap is {self.overlap}, expected 0 or more and below 1")
        for name in ("least_yield", "cosine"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise InputError(f"GrowOptions: {name} is {share}, expected 0 to 1")
        if not 0 < self.share <= 1:
            raise InputError(f"GrowOptions: share is {self.share}, expected above 0, at most 1")
        if self.relevance not in (True, False, "upper"):
            raise InputError(f"GrowOptions: relevance is {self.relevance!r}, expected True, False or 'upper'")
        if self.order not in ("rounds", "depth_first"):
            raise InputError(f"GrowOptions: order is {self.order!r}, expected 'rounds' or 'depth_first'")
        self._check_breadth()

    def _check_breadth(self) -> None:
        if self.breadth == "adaptive":
            return
        if not isinstance(self.breadth, tuple) or not all(
            isinstance(count, int) and count >= 1 for count in self.breadth
        ):
            raise InputError(
                f"GrowOptions: breadth is {self.breadth!r}, expected 'adaptive', or whole numbers from 1, "
                "one for each level"
            )
        if len(self.breadth) < self.depth:
            raise InputError(
                f"GrowOptions: breadth {self.breadth} has {len(self.breadth)} levels, expected "
                f"{self.depth}, one for each level of depth"
            )

    @property
    def is_adaptive(self) -> bool:
        """Whether widening ends where little new comes, and not at a fixed number."""
        return self.breadth == "adaptive"

    def checks(self, depth: int) -> bool:
        """Whether names proposed under a task of this depth are checked for relevance.

        >>> [GrowOptions(relevance="upper").checks(depth) for depth in (0, 1)]
        [True, False]
        """
        is_upper = self.relevance == "upper" and self.is_adaptive and depth + 1 < self.depth
        return self.relevance is True or is_upper

    def target(self, depth: int) -> int:
        """The most children of a task of this depth.

        >>> GrowOptions(breadth=(8, 6)).target(1), GrowOptions().target(1)
        (6, 64)
        """
        if depth >= self.depth:
            return 0
        return self.cap if isinstance(self.breadth, str) else self.breadth[depth]
