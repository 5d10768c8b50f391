"""The forms of an export: one file of rows, streamed, and beside it what trainers need to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from kshot.data.atomic import write_atomically
from kshot.data.nearest import proposal
from kshot.errors import DataError, InputError
from kshot.methods.explore.formats import save_released
from kshot.methods.explore.formats.text import json_text
from kshot.methods.explore.records import Row
from kshot.methods.explore.tree import DomainTree
from kshot.pipeline.explore.export.card import Card, card_text
from kshot.pipeline.explore.export.parquet import parquet_bytes
from kshot.pipeline.explore.export.rows import CONTENT, PROVENANCE, example_of_row, fault, row_record
from kshot.pipeline.explore.export.snippets import axolotl, llama_factory

Form: TypeAlias = Literal["jsonl", "parquet", "alpaca", "messages", "released"]
FORMS: tuple[Form, ...] = get_args(Form)
FILES: Mapping[Form, str] = MappingProxyType(
    {
        "jsonl": "rows.jsonl",
        "parquet": "rows.parquet",
        "alpaca": "alpaca.json",
        "messages": "messages.jsonl",
        "released": "released.json",
    }
)
Records: TypeAlias = Iterator[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        rows: The file of rows.
        files: All files, the one of rows first.
        count: How many rows it holds.
        left_out: How many rows could not be exported, by reason.
    """

    rows: Path
    files: tuple[Path, ...]
    count: int
    left_out: dict[str, int]


def export_rows(
    folder: Path, tree: DomainTree, rows: Sequence[Row], *, form: str = "jsonl", card: Card
) -> Exported:
    """Writes rows into a folder with a data card and entries for LLaMA-Factory and axolotl.

    ``jsonl``, ``parquet`` and ``alpaca`` (a JSON list) have the fields of ``row_record``; ``messages`` has
    the turns of a chat in place of the content; ``released`` is the release's JSON list of instruction, input
    and output, with its folder of tasks in ``tree/`` and the provenance of each row in ``provenance.jsonl``.
    Rows keep their order, and each file appears whole. All are read back by ``kshot.data.formats``.

    Raises:
        InputError: There is no such form.
        DataError: No row can be exported, or the folder cannot be written.

    Example::

        export_rows(Path("out"), tree, rows, form="messages", card=Card(model="llama-3.1-8b")).rows
    """
    if form not in FORMS:
        raise InputError(f"there is no form {form!r}; forms: {', '.join(FORMS)}{proposal(form, FORMS)}")
    chosen = next(known for known in FORMS if known == form)
    faults = [fault(row, tree) for row in rows]
    good = [row for row, wrong in zip(rows, faults, strict=True) if not wrong]
    left_out = dict(Counter(filter(None, faults)).most_common())
    if not good:
        raise DataError(f"none of {len(rows)} rows can be exported ({left_out or 'there are none'})")
    place = Path(folder) / FILES[chosen]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, _BYTES[chosen](good, tree, card))
        files = [place, *_beside(place, chosen, good, tree, card)]
        told = card_text(tree, good, card, file=place.name, form=chosen, left_out=left_out)
        _write(place.with_name("README.md"), told)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return Exported(place, (*files, place.with_name("README.md")), len(good), left_out)


def _beside(place: Path, form: Form, rows: Sequence[Row], tree: DomainTree, card: Card) -> list[Path]:
    snippets = {
        "dataset_info.json": llama_factory(tree.root.name, place.name, is_chat=form == "messages"),
        "axolotl.yaml": axolotl(place.name, is_chat=form == "messages"),
    }
    for name, text in snippets.items():
        _write(place.with_name(name), text)
    found = [place.with_name(name) for name in snippets]
    if form == "released":
        provenance = place.with_name("provenance.jsonl")
        lines = ({key: record[key] for key in PROVENANCE} for record in _records(rows, tree, card))
        write_atomically(provenance, _lines(lines))
        found += [provenance, *save_released(place.with_name("tree"), tree, rows)]
    return found


def _write(path: Path, text: str) -> None:
    write_atomically(path, text.encode("utf-8", "backslashreplace"))


def _records(rows: Sequence[Row], tree: DomainTree, card: Card) -> Records:
    return (row_record(row, tree, card) for row in rows)


def _jsonl(rows: Sequence[Row], tree: DomainTree, card: Card) -> Iterator[bytes]:
    return _lines(_records(rows, tree, card))


def _parquet(rows: Sequence[Row], tree: DomainTree, card: Card) -> Iterator[bytes]:
    return parquet_bytes(_records(rows, tree, card))


def _alpaca(rows: Sequence[Row], tree: DomainTree, card: Card) -> Iterator[bytes]:
    return _listed(_records(rows, tree, card))


def _released(rows: Sequence[Row], tree: DomainTree, card: Card) -> Iterator[bytes]:
    return _listed({key: record[key] for key in CONTENT} for record in _records(rows, tree, card))


def _messages(rows: Sequence[Row], tree: DomainTree, card: Card) -> Iterator[bytes]:
    for row, record in zip(rows, _records(rows, tree, card), strict=True):
        example = example_of_row(row)
        turns = [("user", example.prompt), ("assistant", example.answer)]
        said = {"messages": [{"role": role, "content": content} for role, content in turns]}
        yield from _lines(iter([said | {key: record[key] for key in PROVENANCE}]))


def _lines(records: Records) -> Iterator[bytes]:
    return (f"{json_text(record)}\n".encode() for record in records)


def _listed(records: Records) -> Iterator[bytes]:
    before = "[\n"
    for record in records:
        yield f"{before}{json_text(record)}".encode()
        before = ",\n"
    yield b"\n]\n"


_BYTES: Mapping[Form, Callable[[Sequence[Row], DomainTree, Card], Iterator[bytes]]] = MappingProxyType(
    {
        "jsonl": _jsonl,
        "parquet": _parquet,
        "alpaca": _alpaca,
        "messages": _messages,
        "released": _released,
    }
)
