"""A pool of insights: an immutable collection with its header, and its folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

from kshot.data.atomic import write_atomically
from kshot.errors import DataError, RunError
from kshot.methods.panda.pool.folder import (
    CACHE,
    INSIGHTS,
    check_repeats,
    put_in_place,
    read_header,
    replaces_pool,
    write_header,
)
from kshot.methods.panda.pool.header import PoolHeader, now
from kshot.methods.panda.pool.lines import line_of, read_lines
from kshot.methods.panda.pool.released import export_file, import_file
from kshot.methods.panda.records import Insight


@final
class InsightPool:
    """Insights sorted by ``row``, ties by id, and what they are of. Nothing is edited in place.

    Args:
        insights: In any order.
        header: Its count of insights is set anew.
        notes: What a reader of the folder should know: a record that was cut off.

    Raises:
        DataError: Two records have one id.

    >>> pool = InsightPool([Insight(1, "b", "..."), Insight(0, "a", "...")], PoolHeader("letters"))
    >>> len(pool), pool[0].key, pool.header.counts["insights"]
    (2, 'a', 2)
    """

    __slots__ = ("_header", "_ids", "_insights", "_notes")

    def __init__(self, insights: Sequence[Insight], header: PoolHeader, *, notes: Sequence[str] = ()) -> None:
        ordered = sorted((insight.row, insight.id, place) for place, insight in enumerate(insights))
        self._insights = tuple(insights[place] for _, _, place in ordered)
        self._ids = tuple(id_ for _, id_, _ in ordered)
        self._notes = tuple(notes)
        repeated = _repeated([insight_id for _, insight_id, _ in ordered])
        if repeated:
            rows = [row for row, id_, _ in ordered if id_ == repeated]
            raise DataError(
                f"rows {rows[0]} and {rows[1]} of a pool are one record (id {repeated}); drop one"
            )
        counts = dict(header.counts) | {"insights": len(self._insights)}
        self._header = replace(header, counts=counts)

    @property
    def insights(self) -> tuple[Insight, ...]:
        """All of them, in pool order."""
        return self._insights

    @property
    def ids(self) -> tuple[str, ...]:
        """Their ids, in pool order."""
        return self._ids

    @property
    def header(self) -> PoolHeader:
        """What the pool is of, and how it was learned."""
        return self._header

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found when the folder was read, in whole sentences; mostly nothing."""
        return self._notes

    def __len__(self) -> int:
        return len(self._insights)

    def __iter__(self) -> Iterator[Insight]:
        return iter(self._insights)

    def __getitem__(self, index: int) -> Insight:
        return self._insights[index]

    def __repr__(self) -> str:
        return f"InsightPool({len(self)} insights of {self._header.task!r})"

    @classmethod
    def load(cls, folder: str | Path) -> InsightPool:
        """The pool of a folder. One that is still being learned gives what is there.

        Raises:
            DataError: There is no such folder, it is no pool or of a newer version, or a line is damaged.

        Example::

            pool = InsightPool.load("pools/irony")
        """
        folder = Path(folder)
        header = read_header(folder)
        lines = read_lines(folder / INSIGHTS)
        check_repeats(folder / INSIGHTS, lines)
        path, notes = folder / INSIGHTS, []
        if lines.unfinished:
            notes.append(f"{path}: the last record was cut off when its process died; it is not read")
        if len(lines.insights) < (said := header.counts.get("insights", 0)):
            notes.append(
                f"{path}: holds {len(lines.insights)} insights, its header says {said}: lines were lost or "
                "deleted; learning again with the same command fetches them"
            )
        return cls(lines.insights, header, notes=notes)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Writes a folder that appears whole or not at all.

        Args:
            folder: New, or empty.
            overwrite: Replaces a pool that is there; it stays until the new one is whole. Its vectors are
                kept: they are found by key, and those that fit are used.

        Raises:
            DataError: The folder is something else than a pool, or one and ``overwrite`` is off.
            RunError: It cannot be written.

        Example::

            pruned.pool.save("pools/irony-pruned")
        """
        folder = Path(folder)
        header = replace(self._header, created=self._header.created or now(), updated=now())
        content = b"".join(map(line_of, self._insights))
        try:
            old = replaces_pool(folder, overwrite=overwrite)
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            try:
                write_atomically(partial / INSIGHTS, content)
                write_header(partial, header)
                for name in CACHE if old else ():
                    if (folder / name).is_file():
                        shutil.copyfile(folder / name, partial / name)
                put_in_place(partial, folder, old=old)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        except OSError as error:
            raise RunError(f"{folder}: cannot be written ({error.strerror or error})") from error

    def with_insights(self, insights: Sequence[Insight]) -> InsightPool:
        """A pool of other insights under this header."""
        return InsightPool(insights, self._header)

    @classmethod
    def import_released(
        cls,
        file: str | Path,
        *,
        expert_file: str | Path | None = None,
        task: str = "",
        labels: Sequence[str] = (),
    ) -> InsightPool:
        """The pool of a file in one of the two released formats, told apart by their shape.

        A (TweetEval): a list of objects with text, query_prompt and insight; the key is the text. B
        (ScienceWorld): an object of trajectories, each a list of one-entry objects, situation to insight; the
        key is the situation from ``[observation]`` on, and repeated ones all stay, in order.

        Args:
            file: JSON.
            expert_file: For A: a list of objects with text and preferences, class indices written as a
                string; joined on the text.
            task: The pool's task; else the task number of B's trajectories, or A's file name.
            labels: For A: class names by index; else the indices stand for the classes.

        Raises:
            DataError: The file is neither, with the place of what was found.

        Example::

            InsightPool.import_released("task12__expert_insights.json").save("pools/life-stages")
        """
        insights, header = import_file(
            Path(file), expert_file=Path(expert_file) if expert_file else None, task=task, labels=labels
        )
        return cls(insights, header)

    def export_released(self, file: str | Path) -> None:
        """Writes the pool in the released format that it came from, or that its kind demands.

        What was imported comes out semantically equal. A pool that was learned here loses what the format
        has no place for.

        Raises:
            DataError: An agent's record does not tell of which trajectory it is.
            RunError: The file cannot be written.

        Example::

            pool.export_released("task12__expert_insights.json")
        """
        export_file(Path(file), self._insights, self._header)


def _repeated(ids: Sequence[str]) -> str:
    seen: set[str] = set()
    for found in ids:
        if found in seen:
            return found
        seen.add(found)
    return ""
