"""A prompt and its target as tokens, and which of them belong to a span of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt and its target as one sequence of tokens, tokenised once.

    Attributes:
        ids: (T,) all tokens, the end token last where there is one.
        start: Index of the first token of the target; ``ids[start:]`` are learned and scored.
        answer: (T - start,) whether a token of the target overlaps the answer.
        reasoning: (T - start,) whether it overlaps the reasoning.
        target_chars: Length of the target's text.
    """

    ids: tuple[int, ...]
    start: int
    answer: tuple[bool, ...]
    reasoning: tuple[bool, ...]
    target_chars: int = 0

    @property
    def target_count(self) -> int:
        """How many tokens are scored."""
        return len(self.ids) - self.start


def overlaps(
    spans: Sequence[tuple[int, int]], span: tuple[int, int] | None, *, shift: int
) -> tuple[bool, ...]:
    """Whether each token shares a character with a span; spans are (start, end), ``shift`` moves the one.

    >>> overlaps([(0, 2), (2, 3), (3, 6)], (1, 2), shift=1)
    (False, True, False)
    """
    if span is None:
        return (False,) * len(spans)
    first, last = span[0] + shift, span[1] + shift
    return tuple(start < last and stop > first for start, stop in spans)
