"""Files of rows in and out: JSONL, JSON arrays, CSV, TSV and Parquet, in the row formats that people have."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from kshot.data.atomic import write_atomically
from kshot.data.example import Example
from kshot.data.formats.columns import Layout, detect
from kshot.data.formats.records import Fault, FileType, Record, Records, file_type, read_records
from kshot.errors import DataError, collected

SAMPLE_ROWS = 100


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The rows of a file and how they were read.

    Attributes:
        examples: In the order of the file; ``source`` is ``name:line``.
        format: The row format, given or detected.
        file_type: ``jsonl``, ``json``, ``csv``, ``tsv`` or ``parquet``.
        notes: What is odd but no error: empty lines, columns that are not used.
    """

    examples: tuple[Example, ...]
    format: str
    file_type: FileType
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    name: str
    kind: FileType
    layout: Layout | None
    records: Records
    notes: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[Example | str]:
        """Every row as an example, or as the sentence that says what is wrong with it."""
        for found in self.records:
            where = f"{self.name}:{found.line}"
            if isinstance(found, Fault) or self.layout is None:
                yield f"{where}: {found.sentence}" if isinstance(found, Fault) else where
                continue
            try:
                yield self.layout.example(found.values, source=where)
            except DataError as error:
                yield f"{where}: {error}"


def read_examples(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002 - the name in the task file
    columns: Mapping[str, str] | None = None,
    labelled: bool = True,
) -> ReadResult:
    """All rows of a file. What the file is, and which row format it has, is seen from the file itself.

    The format is that of most of the first 100 rows; then every row must fit it. ``columns`` maps our
    field names to the file's columns. Without ``labelled`` rows may lack an answer, which is then empty.

    Example::

        read_examples("shots.csv", columns={"prompt": "tweet", "answer": "mood"}).examples

    Raises:
        DataError: The file cannot be read, no format fits, or rows are wrong (three shown, all counted).
    """
    reading = _begin(Path(path), format, columns, labelled)
    examples, faults = [], []
    for row in reading.rows():
        if isinstance(row, str):
            faults.append(row)
        else:
            examples.append(row)
    if faults:
        raise DataError(collected(faults))
    chosen = reading.layout.format if reading.layout else format
    return ReadResult(tuple(examples), chosen, reading.kind, tuple(reading.notes))


def iter_examples(
    path: str | os.PathLike[str],
    *,
    format: str = "auto",  # noqa: A002
    columns: Mapping[str, str] | None = None,
    labelled: bool = True,
) -> Iterator[Example]:
    """The rows of a file one by one, without holding the file; options as in ``read_examples``.

    Raises:
        DataError: At the first row that is wrong.
    """
    for row in _begin(Path(path), format, columns, labelled).rows():
        if isinstance(row, str):
            raise DataError(row)
        yield row


def write_examples(path: str | os.PathLike[str], examples: Iterable[Example]) -> None:
    """Writes rows as JSONL that ``read_examples`` reads back; the file appears whole or not at all.

    Raises:
        DataError: A row cannot be written as UTF-8, or the file cannot be written.
    """
    target = Path(path)
    lines = (json.dumps(example.to_row(), ensure_ascii=False) + "\n" for example in examples)
    try:
        write_atomically(target, (line.encode("utf-8") for line in lines))
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error})") from None
    except UnicodeEncodeError:
        raise DataError(
            f"{target}: a row holds half a character (a lone surrogate); write the whole one"
        ) from None


def _begin(path: Path, format: str, columns: Mapping[str, str] | None, labelled: bool) -> _Reading:  # noqa: A002
    kind = file_type(path)
    notes: list[str] = []
    records = read_records(path, kind, notes=notes)
    try:
        head = list(islice(records, SAMPLE_ROWS))
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read ({error.strerror or error})") from None
    if not head:
        raise DataError(f"{path}: the file holds no rows; expected at least one")
    sample = [found.values for found in head if isinstance(found, Record)]
    reading = _Reading(path.name, kind, None, chain(head, records), notes)
    if not sample:
        return reading
    try:
        reading.layout = detect(sample, format=format, columns=columns, labelled=labelled)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    unused = reading.layout.unused(sorted({key for values in sample for key in values}))
    if unused:
        notes.insert(0, f"{path.name}: columns not used: {', '.join(unused)}")
    return reading
