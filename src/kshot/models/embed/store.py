"""Vectors of texts in a folder: each text is embedded once, whatever file it stands in, for every later run.

::

    STORE/
    ├── header.json      encoder id and dim, of all rows
    ├── vectors.f16      (N, dim) little-endian half precision, one row after another
    ├── keys.bin         (N, 16) bytes: the first of the SHA-256 of each row's text
    ├── blocks.jsonl     one line a finished block: how many rows there are by then, and a checksum of it
    └── .lock            held while a process appends; the system frees it when the process dies

A row counts when its block stands in ``blocks.jsonl``; that line is written when all else is on the disk.
What a killed process left beyond it is cut off by the next one that appends.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from kshot.data.atomic import write_atomically
from kshot.errors import DataError, ModelError, RunError
from kshot.models.base import Embedder, Ints

FORMAT: Final = 1
KEY_BYTES: Final = 16
BLOCK_ROWS: Final = 4096
_HALF: Final = np.dtype("<f2")
_RECENT: Final = 65_536  # appended keys that a dictionary holds before they are sorted in
_TOLERANCE: Final = 0.01  # of a unit row's length, as similarity allows it

Halves = NDArray[np.float16]


def text_key(text: str) -> bytes:
    """What a text is found by: the first 16 bytes of its SHA-256.

    >>> text_key("a").hex()
    'ca978112ca1bbdcafac231b39a23dc4d'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES]


@final
class EmbeddingStore:
    """A folder of vectors of one encoder, open for reading, and for adding what is new.

    Args:
        folder: Made by the first ``add``; a folder with other things in it is refused.
        embedder: Who encodes.

    Raises:
        ModelError: The folder holds vectors of another encoder, or something that is no store.
        RunError: The store is damaged.

    Example::

        store = EmbeddingStore(Path("vectors"), load_embedder("hashing"))
        rows = store.add(["a text", "another"])
        store.vectors[rows]
    """

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.folder = folder
        self.embedder = embedder
        self._count = 0
        self._recent: dict[bytes, int] = {}  # rows that are not among the sorted yet
        self._sorted: tuple[NDArray[np.uint64], Ints] = (np.zeros(0, np.uint64), np.zeros(0, np.int64))
        self._check_header()
        self._open()

    def __len__(self) -> int:
        return self._count

    @property
    def vectors(self) -> Halves:
        """(N, dim) float16 memory map of all rows, in the order in which they came."""
        if not self._count:
            return np.zeros((0, self.embedder.dim), dtype=np.float16)
        shape = (self._count, self.embedder.dim)
        return np.memmap(self._file("vectors.f16"), dtype=_HALF, mode="r", shape=shape)

    def find(self, keys: Sequence[bytes]) -> Ints:
        """(T,) the row of each key (see ``text_key``); -1 where there is none."""
        wanted = np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)
        known, rows = self._sorted
        found = np.full(len(wanted), -1, dtype=np.int64)
        at = np.searchsorted(known, wanted[:, 0])
        open_ = np.flatnonzero(at < len(known))
        while len(open_):  # one round, and one more for each pair of keys that share their first half
            open_ = open_[known[at[open_]] == wanted[open_, 0]]
            same = self._seconds[rows[at[open_]]] == wanted[open_, 1]
            found[open_[same]] = rows[at[open_[same]]]
            open_ = open_[~same]
            at[open_] += 1
            open_ = open_[at[open_] < len(known)]
        for place in np.flatnonzero(found < 0).tolist() if self._recent else ():
            found[place] = self._recent.get(keys[place], -1)
        return found

    def add(self, texts: Sequence[str], *, on_block: Callable[[int, int], None] | None = None) -> Ints:
        """(T,) the row of each text; texts that are not there yet are encoded and appended, each once.

        What is appended is on the disk block by block: a process that dies loses the last block at most.

        Args:
            texts: In any order, repeats allowed.
            on_block: Told after each block: texts encoded so far, and in all.

        Raises:
            DataError: The embedder gave a row that is neither unit nor zero.
            RunError: Another process appends, or the folder cannot be written.
        """
        keys = [text_key(text) for text in texts]
        if (self.find(keys) < 0).any():
            with self._writing():
                firsts: dict[bytes, int] = {}
                for place in np.flatnonzero(self.find(keys) < 0).tolist():
                    firsts.setdefault(keys[place], place)
                new = list(firsts.values())
                for at in range(0, len(new), BLOCK_ROWS):
                    block = new[at : at + BLOCK_ROWS]
                    rows = self._encoded([texts[place] for place in block])
                    self._append(rows, b"".join(keys[place] for place in block))
                    first = self._count - len(block)
                    self._recent.update((keys[place], first + n) for n, place in enumerate(block))
                    if on_block is not None:
                        on_block(at + len(block), len(new))
            if len(self._recent) > _RECENT + len(self._sorted[0]) // 4:
                self._index()
        return self.find(keys)

    def _encoded(self, texts: list[str]) -> Halves:
        rows = self.embedder.encode(texts)
        lengths = np.linalg.norm(rows, axis=1)
        wrong = np.flatnonzero(~((np.abs(lengths - 1) <= _TOLERANCE) | (lengths == 0)))
        if rows.shape != (len(texts), self.embedder.dim) or len(wrong):
            told = (
                f"row {wrong[0]} of length {lengths[wrong[0]]:.4g}" if len(wrong) else f"shape {rows.shape}"
            )
            expected = f"expected unit rows of {self.embedder.dim} numbers"
            raise DataError(f"embedder {self.embedder.id}: found {told}, {expected}")
        return rows.astype(_HALF)

    def _append(self, rows: Halves, keys: bytes) -> None:
        content = rows.tobytes()
        _write_through(self._file("vectors.f16"), content)
        _write_through(self._file("keys.bin"), keys)
        self._count += len(rows)
        line = json.dumps({"rows": self._count, "crc": _checksum(content, keys)}) + "\n"
        _write_through(self._file("blocks.jsonl"), line.encode())

    def _check_header(self) -> None:
        path = self._file("header.json")
        if not path.is_file():
            if self.folder.exists() and not _is_blank(self.folder):
                told = "is something else than an embedding store"
                raise ModelError(f"{self.folder}: {told}; give another folder")
            return
        found, expected = _read_object(path), self._header()
        if found != expected:
            raise ModelError(
                f"{self.folder}: holds vectors of {found.get('encoder')!r} with {found.get('dim')} numbers "
                f"(format {found.get('format')}), expected {expected['encoder']!r} with {expected['dim']} "
                f"(format {FORMAT}); give each encoder a folder of its own"
            )

    def _header(self) -> dict[str, Any]:
        return {"format": FORMAT, "encoder": self.embedder.id, "dim": self.embedder.dim, "dtype": "float16"}

    def _open(self) -> None:
        """Takes in what is finished, after a look at the last block's bytes."""
        blocks = _finished(self._file("blocks.jsonl"))
        if self._count and blocks and blocks[-1]["rows"] == self._count:
            return  # nobody else appended since
        row_bytes = self.embedder.dim * _HALF.itemsize
        sizes = [_size(self._file("vectors.f16")) // row_bytes, _size(self._file("keys.bin")) // KEY_BYTES]
        self._count = blocks[-1]["rows"] if blocks else 0
        if self._count > min(sizes):
            raise RunError(
                f"{self.folder}: {self._count} rows were finished, but the files hold {min(sizes)}: they "
                "were cut; delete the folder, and the texts are embedded anew"
            )
        if blocks:
            first = blocks[-2]["rows"] if len(blocks) > 1 else 0
            self._check_block(first, blocks[-1]["crc"])
        self._index()

    def _check_block(self, first: int, checksum: int) -> None:
        keys = self._keys()[first:].tobytes()
        if _checksum(self.vectors[first:].tobytes(), keys) != checksum:
            raise RunError(
                f"{self.folder}: the last {self._count - first} rows are not what was written; "
                "delete the folder, and the texts are embedded anew"
            )

    def _keys(self) -> NDArray[np.uint64]:
        """(N, 2) the keys as two numbers each."""
        if not self._count:
            return np.zeros((0, 2), dtype=np.uint64)
        return np.fromfile(self._file("keys.bin"), dtype="<u8", count=2 * self._count).reshape(-1, 2)

    def _index(self) -> None:
        keys = self._keys()
        self._seconds = keys[:, 1].copy()
        order = np.argsort(keys[:, 0], kind="stable")
        self._sorted = (keys[order, 0], order)
        self._recent = {}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The folder locked, what others finished taken in, and what nobody finished cut off."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._file(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._check_header()
                if not self._file("header.json").exists():
                    write_atomically(self._file("header.json"), json.dumps(self._header(), indent=1).encode())
                self._open()
                self._cut()
                yield
        except OSError as error:
            raise _refused(self.folder, error) from error

    def _cut(self) -> None:
        lines = _finished(self._file("blocks.jsonl"))
        text = "".join(json.dumps(line) + "\n" for line in lines)
        sizes = {
            "vectors.f16": self._count * self.embedder.dim * _HALF.itemsize,
            "keys.bin": self._count * KEY_BYTES,
            "blocks.jsonl": len(text),
        }
        for name, size in sizes.items():
            if _size(self._file(name)) > size:
                os.truncate(self._file(name), size)

    def _file(self, name: str) -> Path:
        return self.folder / name


def _is_blank(folder: Path) -> bool:
    """Whether a folder holds nothing but what a process that died at once leaves behind."""
    return folder.is_dir() and all(entry.name.startswith(".") for entry in folder.iterdir())


def _finished(path: Path) -> list[dict[str, int]]:
    """The lines of whole blocks; a last line that was cut short counts as unwritten."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    try:
        found = [{"rows": int(line["rows"]), "crc": int(line["crc"])} for line in map(json.loads, lines)]
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path}: cannot be read ({error}); delete the folder of the store") from error
    return found


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); delete the folder of the store") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path}: holds no object; delete the folder of the store")
    return found


def _checksum(vectors: bytes, keys: bytes) -> int:
    return zlib.crc32(keys, zlib.crc32(vectors))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _write_through(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _refused(folder: Path, error: OSError) -> RunError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return RunError(
            f"{folder}: no space is left on the device; free some, and what is finished is not done again"
        )
    return RunError(f"{folder}: cannot be read or written ({error.strerror or error})")
