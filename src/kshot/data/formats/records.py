"""Files into records: the type of a file is found by its first bytes, then read row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from kshot.data.nearest import no_such_path
from kshot.errors import DataError

FileType: TypeAlias = Literal["jsonl", "json", "csv", "tsv", "parquet"]
BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 4096
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
_BY_SUFFIX: dict[str, FileType] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One row as the file has it. ``line`` counts from 1; in Parquet it is the number of the row."""

    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one line."""

    line: int
    sentence: str


Records: TypeAlias = Iterator[Record | Fault]


def file_type(path: Path) -> FileType:
    """The type of a file, from its first bytes and its suffix.

    Raises:
        DataError: The file is missing, no regular file, unreadable, empty, packed, binary, or of no
            type that kshot reads.
    """
    head = _head(path)
    if not head:
        raise DataError(f"{path}: the file is empty; expected rows")
    if head.startswith(b"PAR1"):
        return "parquet"
    suffix = _BY_SUFFIX.get(path.suffix.lower())
    if suffix == "parquet":
        raise DataError(f"{path}: this is no Parquet file (its first bytes are not PAR1); write it again")
    _refuse_binary(path, head)
    if suffix in ("csv", "tsv"):
        return suffix
    first = head.removeprefix(BOM).lstrip()[:1]
    if first == b"[":
        return "json"
    if first == b"{" or suffix is not None:
        return "jsonl"
    if not first and len(head) < _HEAD_BYTES:
        raise DataError(f"{path}: the file holds white space only; expected rows")
    raise DataError(f"{path}: cannot tell what this file is; name it .jsonl, .json, .csv, .tsv or .parquet")


def read_records(path: Path, kind: FileType, *, notes: list[str]) -> Records:
    """The rows of a file, in order, each with its line; what is odd but no error goes into ``notes``.

    Only a JSON array is held in memory as a whole (its text); Parquet is read by row groups.

    Raises:
        DataError: While it is read: the file as a whole cannot be read on.
    """
    if kind in ("jsonl", "json"):
        from kshot.data.formats import json_rows

        return json_rows.read_lines(path, notes=notes) if kind == "jsonl" else json_rows.read_array(path)
    if kind == "parquet":
        from kshot.data.formats import parquet

        return parquet.read_parquet(path, notes=notes)
    from kshot.data.formats import delimited

    return delimited.read_delimited(path, delimiter="," if kind == "csv" else "\t")


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise DataError(
                f"{path}: this is a folder; give a file of rows (.jsonl, .json, .csv, .tsv, .parquet)"
            )
        if not path.exists():
            raise DataError(f"{path}: {no_such_path(path)}")
        if not path.is_file():
            raise DataError(f"{path}: this is no regular file; write the rows into a file first")
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: the file cannot be read ({reason})") from None


def _refuse_binary(path: Path, head: bytes) -> None:
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise DataError(f"{path}: the file is packed ({name}); unpack it first")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: the file is UTF-16; save it as UTF-8")
    if b"\0" in head:
        raise DataError(f"{path}: this is a binary file; expected rows as text (UTF-8) or Parquet")
