"""Parquet files, read by row groups; class labels that Hugging Face's datasets wrote get their names back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.data.formats.records import Record, Records
from kshot.errors import DataError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BATCH_ROWS = 1024


def read_parquet(path: Path, *, notes: list[str]) -> Records:
    """The rows of a Parquet file; ``line`` is the number of the row, from 1.

    Raises:
        DataError: The file is cut off or damaged, or names a column twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as stream, pq.ParquetFile(stream) as file:
            names = _class_names(path, file, notes)
            row = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for values in batch.to_pylist():
                    row += 1
                    yield Record(row, _named(values, names) if names else values)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).split("\n", maxsplit=1)[0][:120]
        raise DataError(
            f"{path}: the Parquet file is cut off or damaged ({reason}); write it again"
        ) from None


def _class_names(path: Path, file: pq.ParquetFile, notes: list[str]) -> dict[str, list[str]]:
    columns = list(file.schema_arrow.names)
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise DataError(f"{path}: column {twice[0]!r} stands twice; rename one")
    metadata = (file.schema_arrow.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(metadata)["info"]["features"] if metadata else {}
        found = {
            column: [str(name) for name in feature["names"]]
            for column, feature in features.items()
            if isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    for column, names in found.items():
        notes.append(
            f"{path.name}: numbers in {column!r} named as the file itself names them: {', '.join(names)}"
        )
    return found


def _named(values: dict[str, Any], names: Mapping[str, list[str]]) -> dict[str, Any]:
    named = dict(values)
    for column, labels in names.items():
        value = values.get(column)
        if isinstance(value, int) and 0 <= value < len(labels):
            named[column] = labels[value]
    return named
