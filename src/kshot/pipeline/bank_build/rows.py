"""The rows of one dataset: mapped, counted, drawn; what cannot be used is left out and said."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.formats.columns import Layout, detect
from kshot.data.formats.dataset_columns import RowMapping
from kshot.data.formats.read import SAMPLE_ROWS
from kshot.data.formats.records import Fault, Record, file_type, read_records
from kshot.errors import DataError, collected
from kshot.pipeline.bank_build.recipe import BankRecipe, Job
from kshot.pipeline.bank_build.settings import DatasetSection, HeldOutSection
from kshot.pipeline.bank_build.sources import Source

REPEAT, NOT_DRAWN, UNUSABLE = "the same row again", "not drawn (limit)", "cannot be used"


@dataclass(frozen=True, slots=True)
class DatasetRows:
    """What is learned from, and what the held-out loss is measured on.

    Attributes:
        learned: In the order of the files.
        held_out: Drawn by the seed; no row to learn from asks the same.
        read: Rows that the files hold, those that ``where`` leaves aside not counted.
        left_out: By reason, how many rows.
        faults: The first sentences about rows that cannot be used.
    """

    learned: tuple[Example, ...]
    held_out: tuple[Example, ...]
    read: int
    left_out: Mapping[str, int]
    faults: tuple[str, ...] = ()


def dataset_rows(recipe: BankRecipe, job: Job, source: Source) -> DatasetRows:
    """The rows of a dataset as its recipe says.

    Rows that repeat another one exactly count once. The same recipe and files give the same rows.

    Raises:
        DataError: A file cannot be read, or too many rows cannot be used, or none is left to learn from.
    """
    settings = recipe.settings
    found, faults, counts = _read(job.entry, source)
    read = counts.total() + len(found)
    bad = counts[UNUSABLE]
    if not found or bad > settings.most_dropped * read:
        raise DataError(
            f"{bad} of {read} rows cannot be used ({settings.most_dropped:.0%} may fall, see most_dropped); "
            f"first:\n{collected(faults)}"
            if read
            else f"no rows{' like ' + str(dict(job.entry.where)) if job.entry.where else ''} in the files"
        )
    rng = random.Random(f"{settings.seed} {job.entry.name}")
    if job.entry.limit is not None and job.entry.limit < len(found):
        counts[NOT_DRAWN] = len(found) - job.entry.limit
        found = [found[at] for at in sorted(rng.sample(range(len(found)), job.entry.limit))]
    held = _held_out(found, settings.held_out, rng)
    learned = tuple(row for at, row in enumerate(found) if at not in held)
    return DatasetRows(
        learned, tuple(found[at] for at in sorted(held)), read, dict(counts), tuple(faults[:3])
    )


def _read(entry: DatasetSection, source: Source) -> tuple[list[Example], list[str], Counter[str]]:
    rows: dict[str, Example] = {}
    faults: list[str] = []
    counts: Counter[str] = Counter()
    for file, (name, _) in zip(source.files, source.sha256, strict=True):
        for row in _examples(file, name, entry):
            if isinstance(row, str):
                counts[UNUSABLE] += 1
                faults += [row] if len(faults) < 100 else []
            elif row.id in rows:
                counts[REPEAT] += 1
            else:
                rows[row.id] = row
    return list(rows.values()), faults, counts


def _examples(file: Path, name: str, entry: DatasetSection) -> Iterator[Example | str]:
    """Every row as an example, or the sentence that says what is wrong with it."""
    reader: RowMapping | Layout = entry.mapping() or _layout(file, entry)
    wanted = entry.conditions()
    for found in read_records(file, file_type(file), notes=[]):
        where = f"{name}:{found.line}"
        if isinstance(found, Fault):
            yield f"{where}: {found.sentence}"
            continue
        try:
            if all(template.render(found.values) == value for template, value in wanted):
                yield reader.example(found.values, source=where)
        except DataError as error:
            yield f"{where}: {error}"


def _layout(file: Path, entry: DatasetSection) -> Layout:
    sample: list[Mapping[str, Any]] = []
    for found in read_records(file, file_type(file), notes=[]):
        sample += [found.values] if isinstance(found, Record) else []
        if len(sample) == SAMPLE_ROWS:
            break
    try:
        return detect(sample, format=entry.format)
    except DataError as error:
        raise DataError(f"{file.name}: {error}") from None


def _held_out(rows: Sequence[Example], section: HeldOutSection, rng: random.Random) -> set[int]:
    """Places of rows whose question no other row asks; the share is below 1, so that a row is left."""
    count = min(section.rows, int(section.share * len(rows)))
    if not count:
        return set()
    questions = [row.question for row in rows]
    asked = Counter(questions)
    alone = [at for at, question in enumerate(questions) if asked[question] == 1]
    return set(rng.sample(alone, min(count, len(alone))))
