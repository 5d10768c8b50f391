"""The examples that a mix is weighed by: prompts with answers, or rankings, from files or from memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.formats.columns import detect
from kshot.data.formats.fields import kind
from kshot.data.formats.json_rows import parse_row
from kshot.data.formats.ranking_rows import is_ranking, ranking, read_rankings
from kshot.data.formats.read import read_examples
from kshot.data.formats.records import BOM, Record, file_type, read_records
from kshot.data.nearest import proposal
from kshot.data.ranking import Ranking
from kshot.errors import DataError, collected


def mixing_rows(path: str | os.PathLike[str]) -> list[Example] | list[Ranking]:
    """The rows of a file: rankings where the first row has query and pos or neg, else labelled examples.

    Examples may be in any format that ``read_examples`` reads, ``{"input", "output"}`` among them. A JSON
    object of several tasks, each a list of rows, is read as ``FILE#TASK``.

    Example::

        mixing_rows("shots.jsonl")
        mixing_rows("llm_examples.json#ag_news")

    Raises:
        DataError: The file cannot be read, no task or an unknown one is named, or rows are wrong.
    """
    file, task = _split(path)
    tasks = _tasks(file)
    if tasks is not None:
        return mixing_rows_of(_task_rows(file, tasks, task), name=f"{file.name}#{task}")
    if task is not None:
        raise DataError(f"{file}: holds rows, not an object of tasks; give the file without #{task}")
    first = next(
        (
            row
            for row in islice(read_records(file, file_type(file), notes=[]), 100)
            if isinstance(row, Record)
        ),
        None,
    )
    if first is not None and is_ranking(first.values):
        return read_rankings(file)
    return list(read_examples(file).examples)


def mixing_rows_of(
    rows: Sequence[Mapping[str, Any]], *, name: str = "example_data"
) -> list[Example] | list[Ranking]:
    """Rows in memory as examples or rankings, by the first row; ``name`` and a number stand in messages.

    >>> mixing_rows_of([{"input": "2 + 2", "output": "4"}])[0].answer
    '4'

    Raises:
        DataError: There is no row, or rows are wrong (three shown, all counted).
    """
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise DataError(f"{name}:{number}: found {kind(row)}, expected an object")
    if not rows:
        raise DataError(f"{name}: holds no rows; expected at least one")
    found: list[Any] = []
    faults: list[str] = []
    layout = None if is_ranking(rows[0]) else _layout(rows, name)
    for number, row in enumerate(rows, start=1):
        where = f"{name}:{number}"
        try:
            found.append(layout.example(row, source=where) if layout else ranking(row, name=where))
        except DataError as error:
            faults.append(str(error) if str(error).startswith("example ") else f"{where}: {error}")
    if faults:
        raise DataError(collected(faults))
    return found


def _layout(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    try:
        return detect(rows)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def _split(path: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The file and the task; a file whose own name has a # is found as it is."""
    file = Path(path)
    if file.exists() or "#" not in file.name:
        return file, None
    name, _, task = str(path).rpartition("#")
    return Path(name), task


def _tasks(file: Path) -> dict[str, list[Any]] | None:
    """The tasks of a file that is one JSON object of lists of rows; None for any other file."""
    if file_type(file) != "jsonl" or file.suffix.lower() in (".jsonl", ".ndjson"):
        return None
    try:
        text = file.read_bytes().removeprefix(BOM).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None  # the reader of rows says what is wrong
    found = parse_row(text)
    if isinstance(found, str) or not found:
        return None
    lists = all(isinstance(rows, list) and rows and isinstance(rows[0], dict) for rows in found.values())
    return found if lists else None


def _task_rows(file: Path, tasks: Mapping[str, list[Any]], task: str | None) -> list[Any]:
    if task is None:
        raise DataError(
            f"{file}: holds {len(tasks)} tasks ({', '.join(tasks)}); name one: {file}#{next(iter(tasks))}"
        )
    if task not in tasks:
        raise DataError(f"{file}: has no task {task!r}; tasks: {', '.join(tasks)}{proposal(task, tasks)}")
    return tasks[task]
