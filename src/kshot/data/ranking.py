"""Ranking: a query with passages that answer it and passages that do not, as retrievers are trained on."""

from __future__ import annotations

from dataclasses import dataclass

from kshot.errors import DataError


@dataclass(frozen=True, slots=True)
class Ranking:
    """One labelled example for an embedder or a reranker.

    Attributes:
        query: What is looked for.
        positives: Passages that answer it; at least one.
        negatives: Passages that do not.
        id: For messages and seeded draws.

    Raises:
        DataError: The query is empty, there is no positive, or a passage is empty.
    """

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    id: str = ""

    def __post_init__(self) -> None:
        where = f"example {self.id}: " if self.id else ""
        if not self.query.strip():
            raise DataError(f"{where}the query is empty; expected what is looked for")
        if not self.positives:
            raise DataError(f"{where}there is no positive; expected at least one passage in 'pos'")
        if not all(passage.strip() for passage in (*self.positives, *self.negatives)):
            raise DataError(f"{where}a passage is empty; leave it out or write it")
