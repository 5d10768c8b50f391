"""Vectors of a pool's keys: a cache in its folder, found by key and encoder, never taken from another one.

``embeddings.npy`` is (N, d) float32, unit rows in the order of ``embeddings.json``, which says who encoded,
which record and which key each row is of, and a checksum. What does not fit is embedded anew.
"""

from __future__ import annotations

import fcntl
import io
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.data.atomic import write_atomically
from kshot.errors import DataError
from kshot.methods.panda.pool.folder import CACHE, LOCK
from kshot.methods.panda.pool.header import EncoderFacts
from kshot.methods.panda.pool.insight_pool import InsightPool
from kshot.methods.panda.records import content_id
from kshot.models.base import Embedder, Floats, Ints

OnBlock: TypeAlias = Callable[[int, int], None]
BLOCK_KEYS: Final = 1024
_TOLERANCE: Final = 0.01  # of a unit row's length, as similarity allows it
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PoolVectors:
    """A row a record, in pool order.

    Attributes:
        rows: (N, d) float32 of length 1, or 0; a memory map where the whole cache fits.
        encoder: Who made them.
        encoded: How many different keys were embedded just now.
        notes: What was not as it should be, in whole sentences.
    """

    rows: Floats
    encoder: EncoderFacts
    encoded: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Cached:
    """What the folder's cache gives: rows by the hash of their key."""

    rows: Floats
    places: dict[str, int]
    keys: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Table:
    """Vectors while they come: U different keys of N records."""

    ids: tuple[str, ...]  # (N,)
    hashes: tuple[str, ...]  # (N,)
    owners: Ints  # (N,) the key of each record
    keys: tuple[str, ...]  # (U,)
    rows: Floats  # (U, d)
    done: NDArray[np.bool_]  # (U,)


def encoder_facts(embedder: Embedder, *, key_template: str = "") -> EncoderFacts:
    """Who encodes, for the header and the cache.

    >>> from kshot.models.embed import HashingEncoder
    >>> encoder_facts(HashingEncoder(64)).dim
    64
    """
    revision, most = getattr(embedder, "revision", ""), getattr(embedder, "max_tokens", None)
    return EncoderFacts(
        embedder.id,
        embedder.dim,
        revision if isinstance(revision, str) else "",
        most if isinstance(most, int) else None,
        key_template,
    )


def embed_pool(pool: InsightPool, embedder: Embedder, *, on_block: OnBlock | None = None) -> PoolVectors:
    """Vectors of a pool that has no folder; each different key is embedded once.

    Raises:
        DataError: A key cannot be embedded, or the embedder gave a row that is neither unit nor zero.

    >>> from kshot.methods.panda.pool import InsightPool, PoolHeader
    >>> from kshot.methods.panda.records import Insight
    >>> from kshot.models.embed import HashingEncoder
    >>> embed_pool(InsightPool([Insight(0, "a b", "c")], PoolHeader("t")), HashingEncoder(64)).rows.shape
    (1, 64)
    """
    nothing = _Cached(np.zeros((0, embedder.dim), np.float32), {})
    return _completed(pool, embedder, nothing, encoder_facts(embedder), on_block, None)


def open_vectors(
    folder: str | Path,
    pool: InsightPool,
    embedder: Embedder,
    *,
    key_template: str = "",
    write: bool = True,
    on_block: OnBlock | None = None,
) -> PoolVectors:
    """Vectors of a pool's folder: cached ones where encoder and key are the same, the others embedded now.

    Args:
        folder: The pool's.
        pool: What was loaded from it.
        embedder: Who encodes.
        key_template: See ``EncoderFacts``.
        write: Whether the cache is written; a folder that cannot be written is no error.
        on_block: Told after each block: keys embedded so far, and in all. Each block is kept on the disk.

    Raises:
        DataError: As ``embed_pool``.

    Example::

        open_vectors("pools/irony", InsightPool.load("pools/irony"), load_embedder("hashing")).rows
    """
    folder = Path(folder)
    facts = encoder_facts(embedder, key_template=key_template)
    cached = _read(folder, facts)
    return _completed(pool, embedder, cached, facts, on_block, folder if write else None)


def key_hash(key: str) -> str:
    """What a vector is found by.

    >>> key_hash("a") == key_hash("a "), len(key_hash("a"))
    (False, 16)
    """
    return content_id(key)


def _completed(
    pool: InsightPool,
    embedder: Embedder,
    cached: _Cached,
    facts: EncoderFacts,
    on_block: OnBlock | None,
    folder: Path | None,
) -> PoolVectors:
    hashes = tuple(key_hash(insight.key) for insight in pool)
    notes = [cached.note] if cached.note else []
    if hashes == cached.keys:
        return PoolVectors(cached.rows, facts, notes=tuple(notes))
    table = _started(pool, hashes, cached, facts.dim)
    missing = np.flatnonzero(~table.done).tolist()
    if cached.places and missing:
        notes.append(f"{len(missing)} of {len(table.keys)} keys are new or changed: they are embedded now")
    refused = ""
    for at in range(0, len(missing), BLOCK_KEYS):
        block = missing[at : at + BLOCK_KEYS]
        table.rows[block] = unit_rows(embedder, [table.keys[place] for place in block])
        table.done[block] = True
        if folder is not None and not refused and at + BLOCK_KEYS < len(missing):
            refused = _keep(folder, table, facts)
        if on_block is not None:
            on_block(at + len(block), len(missing))
    if folder is not None and not refused:
        refused = _keep(folder, table, facts)
    notes += [refused] if refused else []
    return PoolVectors(table.rows[table.owners], facts, len(missing), tuple(notes))


def _started(pool: InsightPool, hashes: tuple[str, ...], cached: _Cached, dim: int) -> _Table:
    """Each different key once, with the vectors that the cache has."""
    places = {h: place for place, h in enumerate(dict.fromkeys(hashes))}
    keys = dict(zip(hashes, (insight.key for insight in pool), strict=True))
    table = _Table(
        pool.ids,
        hashes,
        np.array([places[h] for h in hashes], dtype=np.int64),
        tuple(keys[h] for h in places),
        np.zeros((len(places), dim), np.float32),
        np.zeros(len(places), np.bool_),
    )
    known = [h for h in places if h in cached.places]
    filled = [places[h] for h in known]
    table.rows[filled] = cached.rows[[cached.places[h] for h in known]]
    table.done[filled] = True
    return table


def unit_rows(embedder: Embedder, keys: Sequence[str]) -> Floats:
    """(N, d) vectors of keys, checked.

    Raises:
        DataError: A key cannot be embedded, or the embedder gave a row that is neither unit nor zero.

    >>> from kshot.models.embed import HashingEncoder
    >>> unit_rows(HashingEncoder(64), ["a b"]).shape
    (1, 64)
    """
    try:
        rows = np.asarray(embedder.encode(keys), dtype=np.float32)
    except DataError as error:
        raise DataError(f"a key cannot be embedded: {error}") from error
    lengths = np.linalg.norm(rows.astype(np.float64), axis=-1)
    if rows.shape != (len(keys), embedder.dim):
        told = f"shape {rows.shape}"
    else:
        wrong = np.flatnonzero(~((np.abs(lengths - 1) <= _TOLERANCE) | (lengths == 0)))  # NaN lands here too
        told = f"a row of length {lengths[wrong[0]]:.4g} for {keys[wrong[0]][:60]!r}" if len(wrong) else ""
    if told:
        raise DataError(f"embedder {embedder.id}: found {told}, expected unit rows of {embedder.dim} numbers")
    return rows


def _read(folder: Path, facts: EncoderFacts) -> _Cached:
    """What the cache holds for this encoder; a damaged one, and one of another encoder, give nothing."""
    nothing = np.zeros((0, facts.dim), np.float32)
    vectors, listed = (folder / name for name in CACHE)
    if not listed.is_file() and not vectors.is_file():
        return _Cached(nothing, {})
    try:
        plain: Any = json.loads(listed.read_bytes())
        if plain["version"] != _VERSION:
            raise ValueError(f"version {plain['version']!r}, expected {_VERSION}")
        if plain["encoder"] != asdict(facts):
            by = str(plain["encoder"]["id"])
            told = "with other settings" if by == facts.id else f"by {by}"
            return _Cached(nothing, {}, note=f"{vectors}: was made {told}; all keys are embedded anew")
        rows = np.load(vectors, mmap_mode="r", allow_pickle=False)
        keys = tuple(map(str, plain["keys"]))
        if rows.dtype != np.float32 or rows.shape != (len(keys), facts.dim) or not rows.flags.c_contiguous:
            raise ValueError(f"{rows.dtype} of shape {rows.shape}, expected {(len(keys), facts.dim)} float32")
        if _checksum(rows) != plain["crc"]:
            raise ValueError("its bytes are not those that were written")
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        told = f"{vectors}: is damaged or does not fit ({error}); all keys are embedded anew"
        return _Cached(nothing, {}, note=told)
    return _Cached(rows, {h: place for place, h in enumerate(keys)}, keys)


def _keep(folder: Path, table: _Table, facts: EncoderFacts) -> str:
    """Writes what is embedded by now, vectors first; why it could not, or nothing."""
    there = np.flatnonzero(table.done[table.owners]).tolist()
    picked = table.rows[table.owners[there]]  # (N, d)
    listed = {
        "version": _VERSION,
        "encoder": asdict(facts),
        "crc": _checksum(picked),
        "ids": [table.ids[place] for place in there],
        "keys": [table.hashes[place] for place in there],
    }
    content = io.BytesIO()
    np.save(content, picked, allow_pickle=False)
    try:
        with (folder / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            write_atomically(folder / CACHE[0], content.getvalue())
            write_atomically(folder / CACHE[1], json.dumps(listed).encode())
    except BlockingIOError:
        return f"{folder}: another process writes there, so the vectors are not kept"
    except OSError as error:
        return f"{folder}: the vectors cannot be kept there ({error.strerror or error})"
    return ""


def _checksum(rows: Floats) -> int:
    return zlib.crc32(rows.data) if rows.size else 0
