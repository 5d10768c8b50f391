"""``kshot explore attach | curated | import``: rows that the user has, under the tasks of a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.errors import DataError
from kshot.measure.contamination import guard
from kshot.methods.explore.attach import Assigned, Attached, attach, commit, item_of_example
from kshot.methods.explore.fill import FillOptions
from kshot.methods.explore.formats import load_released
from kshot.methods.explore.records import Counts
from kshot.methods.explore.rivals import curated
from kshot.methods.explore.seams import Language, Progress
from kshot.methods.explore.tree import DomainTree
from kshot.models.embed import load_embedder
from kshot.pipeline.explore.folder import ExploreFolder
from kshot.pipeline.explore.guard import NO_ROWS
from kshot.pipeline.open_pool import dataset_files, read_rows

CURATED = "curated"
NO_OPTIONS: Mapping[str, Any] = {}


def attach_files(
    place: Path,
    files: Sequence[Path],
    *,
    floor: float = 0.2,
    embedder: str = "hashing",
    protected: Mapping[str, Sequence[Example]] = NO_ROWS,
) -> dict[str, Any]:
    """Puts each row under its nearest task; rows below the floor and repeats stay out, counted.

    Rows near ``protected`` ones stay out too: attached rows are shown in requests. Attached rows
    count towards their task's rows, and generated ones may not repeat them.

    Raises:
        InputError: There is no exploration.
        DataError: A file cannot be read, or there are no rows.
    """
    given = list(read_rows(dataset_files(files)))
    if not given:
        raise DataError(f"{files[0]}: no rows to attach" if files else "no files of rows are given")
    guarded = guard(given, protected)
    examples = [given[at] for at in guarded.selection.kept]
    items = [item_of_example(row) for row in examples]
    with ExploreFolder(place).open() as folder:
        saved = folder.load()
        found = attach(
            saved.found.tree,
            items,
            embedder=load_embedder(embedder),
            floor=floor,
            sources=[row.source or "" for row in examples],
            known={row.id for row in saved.found.rows},
        )
        commit(saved.found, found)
        folder.commit(saved, Progress("attach", 1, found.rows, (), saved.found.spent))
        tree = saved.found.tree
        return {
            "read": len(given),
            "guarded": guarded.counts(),
            "attached": len(found.rows),
            "unassigned": len(found.unassigned),
            "repeats": len(found.repeats),
            "tasks": len(tree),
            "empty": sum(not node.rows.kept for node in tree),
        }


def curate_files(
    place: Path,
    tree: DomainTree,
    files: Sequence[Path],
    *,
    language: Language = "en",
    options: Mapping[str, Any] = NO_OPTIONS,
    settings: Mapping[str, Any] = NO_OPTIONS,
) -> int:
    """The curated baseline: rows of files at the root, by the rules and filters of filling; how many stay.

    Args:
        place: The folder, a new one.
        tree: Its root is the domain; what is below gets nothing.
        files: In the order in which rows are taken.
        language: Of the rows.
        options: Of ``FillOptions``, but for ``count``: all rows that pass are kept.
        settings: Kept beside them in the folder.

    Raises:
        InputError: ``place`` holds something already.
        DataError: A file cannot be read, or there are no rows.
    """
    items = [item_of_example(row) for row in read_rows(dataset_files(files))]
    if not items:
        raise DataError(f"{files[0]}: no rows" if files else "no files of rows are given")
    filling = FillOptions(count=len(items), **options)
    asked = {"model": "none", "method": CURATED, "seed": filling.seed, "language": language}
    described = {"language": language, "simulated": False, "asked": asked, "fill": asdict(filling)}
    with ExploreFolder(place).open(make=True) as folder:
        saved = folder.begin(tree, described | dict(settings))
        folder.commit(saved, curated(saved.found, items, filling, language=language))
        return len(saved.found.rows)


def import_released(released: Path, place: Path, *, language: Language = "en") -> dict[str, Any]:
    """Begins an exploration with the tree and the examples of a released folder.

    Raises:
        DataError: The folder is none of the release's.
        InputError: ``place`` holds something already.

    Source: the layout of arXiv 2310.09168's release; exact repeats under one task are kept once.
    """
    tree, rows = load_released(released)
    once = tuple({row.id: replace(row, origin="attached", request="") for row in rows}.values())
    for node in tree:
        tree.put(replace(node, rows=Counts()))
    with ExploreFolder(place).open(make=True) as folder:
        saved = folder.begin(tree, {"language": language, "simulated": False})
        commit(saved.found, Attached(tuple(Assigned(at, row, 1.0) for at, row in enumerate(once))))
        folder.commit(saved, Progress("attach", 1, once, (), saved.found.spent))
    return {"tasks": len(tree), "rows": len(once), "repeats": len(rows) - len(once)}
