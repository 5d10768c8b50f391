"""Rows to the insights of a pool: one encode and one matrix-vector product a query."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import final

from kshot.data.example import Example
from kshot.errors import DataError
from kshot.methods.panda.pool import InsightPool, OnBlock, PoolVectors, embed_pool, open_vectors, unit_rows
from kshot.methods.panda.retrieve.choose import choose
from kshot.methods.panda.retrieve.options import PLAIN, Retrieval
from kshot.methods.panda.seams import Retrieved
from kshot.models.base import Embedder


def prompt_of(row: Example) -> str:
    """The key of a row: its raw text, as in the pool.

    >>> prompt_of(Example("a text", "label"))
    'a text'
    """
    return row.prompt


@final
class Retriever:
    """The nearest insights of a pool, row by row. Several threads may ask at once.

    Score: cosine, rounded to float32 once, query by query, so that no batch changes an answer. Order: score
    descending, then pool order. Equal keys have equal vectors, and so tie exactly.

    Args:
        pool: The insights.
        embedder: Who encodes keys and queries.
        options: How many, and which not.
        key: Row to the text that is compared with the pool's keys.
        vectors: The pool's, from ``open_vectors``; embedded now where they are not given.

    Raises:
        DataError: The vectors are not the pool's, or the embedder gives none that can be used.

    >>> from kshot.methods.panda.pool import PoolHeader
    >>> from kshot.methods.panda.records import Insight
    >>> from kshot.models.embed import HashingEncoder
    >>> pool = InsightPool([Insight(0, "red apples", "..."), Insight(1, "a train", "...")], PoolHeader("t"))
    >>> retrieve = Retriever(pool, HashingEncoder(), Retrieval(k=1))
    >>> retrieve(Example("the train", "")).chosen[0].insight.key
    'a train'
    """

    def __init__(
        self,
        pool: InsightPool,
        embedder: Embedder,
        options: Retrieval = PLAIN,
        *,
        key: Callable[[Example], str] = prompt_of,
        vectors: PoolVectors | None = None,
    ) -> None:
        self.pool = pool
        self.options = options
        self._embedder = embedder
        self._key = key
        self._vectors = vectors or embed_pool(pool, embedder)
        self._encoding = threading.Lock()  # tokenizers refuse two threads at once
        shape, expected = self._vectors.rows.shape, (len(pool), embedder.dim)
        if shape != expected:
            raise DataError(f"the vectors have shape {shape}, expected {expected} for this pool and embedder")
        if self._vectors.encoder.id != embedder.id:
            raise DataError(
                f"the vectors were made by {self._vectors.encoder.id}, the queries would be by "
                f"{embedder.id}; use one embedder for both"
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found and mended when pool and vectors were opened, in whole sentences."""
        return (*self.pool.notes, *self._vectors.notes)

    @property
    def vectors(self) -> PoolVectors:
        """The pool's, for another retriever of the same pool."""
        return self._vectors

    def __call__(self, row: Example) -> Retrieved:
        """The insights for one row; its id and source count for ``leave_one_out``."""
        return self._nearest(self._key(row), {row.id, row.source or ""})

    def nearest(self, key_text: str) -> Retrieved:
        """The insights nearest to a key: a text, or an agent's observation from its marker on."""
        return self._nearest(key_text, ())

    def _nearest(self, key: str, names: set[str] | tuple[()]) -> Retrieved:
        if not len(self.pool) or not self.options.k:
            return Retrieved()
        with self._encoding:
            (query,) = unit_rows(self._embedder, [key])  # (d,)
        return choose(self.pool, self._vectors.rows, query, self.options, key=key, names=names)


def open_retriever(
    folder: str | Path,
    embedder: Embedder,
    options: Retrieval = PLAIN,
    *,
    key: Callable[[Example], str] = prompt_of,
    write: bool = True,
    on_block: OnBlock | None = None,
) -> Retriever:
    """The retriever of a pool's folder, with the vectors that are cached there.

    Args:
        folder: Of the pool.
        embedder: Who encodes; vectors of another one are never used, but the keys embedded anew.
        options: See ``Retrieval``.
        key: See ``Retriever``.
        write: Whether new vectors are kept in the folder; one that cannot be written is no error.
        on_block: Told while keys are embedded: how many so far, and in all.

    Raises:
        DataError: The folder is no pool, or the embedder gives no vectors that can be used.

    Example::

        retrieve = open_retriever("pools/irony", load_embedder("hashing"), Retrieval(k=6))
        retrieve.nearest("a text").chosen
    """
    pool = InsightPool.load(folder)
    vectors = open_vectors(folder, pool, embedder, write=write, on_block=on_block)
    return Retriever(pool, embedder, options, key=key, vectors=vectors)


def search(pool: InsightPool, embedder: Embedder, text: str, *, k: int = 6) -> Retrieved:
    """The k insights of a pool that are nearest to a text; all keys are embedded for it.

    For a folder, and for more than one text, use ``open_retriever``.

    Example::

        search(InsightPool.load("pools/irony"), load_embedder("hashing"), "a text").chosen
    """
    return Retriever(pool, embedder, Retrieval(k=k)).nearest(text)
