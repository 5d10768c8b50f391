"""CSV and TSV with a header, read strictly: every row has as many fields as the header."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from kshot.data.formats.records import BOM, Fault, Record, Records
from kshot.errors import DataError

_LARGEST_FIELD = 2**31 - 1


def read_delimited(path: Path, *, delimiter: str) -> Records:
    """The rows of a CSV or TSV file as texts; ``line`` is the line on which a row begins.

    A column without a name (an index that a table program wrote) is left out.

    Raises:
        DataError: The header names a column twice, a quotation is never closed, or bytes are no UTF-8.
    """
    if csv.field_size_limit() < _LARGEST_FIELD:
        csv.field_size_limit(_LARGEST_FIELD)
    with path.open("rb") as file:
        reader = csv.reader(_lines(path.name, file), delimiter=delimiter, strict=True)
        header: list[str] | None = None
        begin = 1
        try:
            for fields in reader:
                line, begin = begin, reader.line_num + 1
                if not fields:
                    continue
                if header is None:
                    header = _checked_header(path, line, fields)
                elif len(fields) == len(header):
                    yield Record(
                        line, {name: text for name, text in zip(header, fields, strict=True) if name}
                    )
                else:
                    found = f"{len(fields)} {'field' if len(fields) == 1 else 'fields'}"
                    sentence = (
                        f"found {found}, the header has {len(header)}; quote fields that hold {delimiter!r}"
                    )
                    yield Fault(line, sentence)
        except csv.Error as error:
            sentence = f"the quotes do not match ({error}); quote a whole field, double the quotes inside it"
            raise DataError(f"{path.name}:{begin}: {sentence}") from None


def _lines(name: str, file: Iterator[bytes]) -> Iterator[str]:
    for line, raw in enumerate(file, start=1):
        try:
            yield (raw.removeprefix(BOM) if line == 1 else raw).decode("utf-8")
        except UnicodeDecodeError:
            where = f"{name}:{line}"
            raise DataError(f"{where}: the bytes are no UTF-8; save the file as UTF-8") from None


def _checked_header(path: Path, line: int, fields: list[str]) -> list[str]:
    header = [field.strip() for field in fields]
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise DataError(f"{path.name}:{line}: the header names column {twice[0]!r} twice; rename one")
    other = next((sign for sign in ";\t,|" if sign in header[0]), None)
    if len(header) == 1 and other is not None:
        raise DataError(
            f"{path.name}:{line}: the columns seem to be parted by {other!r}; save it with commas as .csv"
        )
    return header
