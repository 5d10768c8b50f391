"""What of an exploration may be used: rows that repeat shots or test rows stay out, and are told.

Only this part sees test rows, and only to keep them out: neither growing nor filling reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.measure.contamination import guard
from kshot.methods.explore.records import Row
from kshot.models.base import Embedder
from kshot.pipeline.explore.export import example_of_row
from kshot.pipeline.open_pool import dataset_files, protected_rows, read_rows

NO_ROWS: Mapping[str, Sequence[Example]] = {}


@dataclass(frozen=True, slots=True)
class GuardedRows:
    """Both sides of the guard.

    Attributes:
        rows: What may be used, in order.
        found: One plain object for each row that came near a protected one: id, group, reason, score.
        counts: By group and reason.
        protected: How many protected rows there were, by group; empty where nothing was given to guard.
    """

    rows: tuple[Row, ...]
    found: tuple[dict[str, Any], ...]
    counts: dict[str, int]
    protected: dict[str, int]


def protected_of(
    task: Task | None, shots: Sequence[Example] = (), files: Sequence[Path] = ()
) -> dict[str, tuple[Example, ...]]:
    """The rows that must not come back, by group: ``shots``, ``test``, and ``guard`` for files of the user's.

    Raises:
        DataError: A file cannot be read.
    """
    found: dict[str, tuple[Example, ...]] = dict(protected_rows(task)) if task is not None else {}
    if shots:
        found["shots"] = (*found.get("shots", ()), *shots)
    if files:
        found["guard"] = tuple(read_rows(dataset_files(files)))
    return found


def guard_rows(
    rows: Sequence[Row],
    protected: Mapping[str, Sequence[Example]] = NO_ROWS,
    *,
    embedder: Embedder | None = None,
) -> GuardedRows:
    """Drops rows that repeat a protected row, by the product's one guard.

    Raises:
        DataError: A row cannot be read.
    """
    sizes = {name: len(group) for name, group in protected.items()}
    if not any(sizes.values()):
        return GuardedRows(tuple(rows), (), {}, {})
    result = guard((example_of_row(row) for row in rows), protected, embedder=embedder)
    told = tuple(
        {
            "id": rows[one["row"]].id,
            "instruction": rows[one["row"]].item.instruction[:200],
            **_without(one, "row"),
        }
        for one in result.rows()
    )
    return GuardedRows(tuple(rows[place] for place in result.selection.kept), told, result.counts(), sizes)


def _without(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != name}
