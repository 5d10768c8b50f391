"""Rows as Parquet, a group of rows at a time, without holding the file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, final

from kshot.pipeline.explore.export.rows import CONTENT, PROVENANCE

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 2000
GROUP_CHARACTERS = 16_000_000  # of content, so that very long rows do not pile up


def parquet_bytes(records: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """The bytes of a Parquet file of records as ``row_record`` makes them.

    Columns are large strings (a group may hold more than 2 GB), ``task_path`` a list of them.

    Example::

        write_atomically(path, parquet_bytes(records))
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = _Sink()
    schema = _schema()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema) as writer:
        for group in _groups(records):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            yield sink.drained()
    yield sink.drained()


def _schema() -> pa.Schema:
    import pyarrow as pa

    listed = {"task_path": pa.list_(pa.large_string())}
    return pa.schema([(key, listed.get(key, pa.large_string())) for key in (*CONTENT, *PROVENANCE)])


def _groups(records: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    characters = 0
    for record in records:
        group.append(record)
        characters += sum(len(record[key]) for key in CONTENT)
        if len(group) >= GROUP_ROWS or characters >= GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


@final
class _Sink(io.RawIOBase):
    """What is written to it can be taken out piece by piece; nothing is read back or overwritten."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def drained(self) -> bytes:
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found
