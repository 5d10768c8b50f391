"""``kshot explore attach``: rows that the user has, sorted under the tasks of a tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kshot.errors import DataError
from kshot.methods.explore.attach import attach, commit, item_of_example
from kshot.methods.explore.seams import Progress
from kshot.models.embed import load_embedder
from kshot.pipeline.explore.folder import ExploreFolder
from kshot.pipeline.open_pool import dataset_files, read_rows


def attach_files(
    place: Path, files: Sequence[Path], *, floor: float = 0.3, embedder: str = "hashing"
) -> dict[str, Any]:
    """Puts each row under its nearest task; rows below the floor and repeats stay out, counted.

    Attached rows count towards their task's rows, and generated ones may not repeat them.

    Raises:
        InputError: There is no exploration.
        DataError: A file cannot be read, or there are no rows.
    """
    examples = list(read_rows(dataset_files(files)))
    items = [item_of_example(row) for row in examples]
    if not items:
        raise DataError(f"{files[0]}: no rows to attach" if files else "no files of rows are given")
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
            "read": len(items),
            "attached": len(found.rows),
            "unassigned": len(found.unassigned),
            "repeats": len(found.repeats),
            "tasks": len(tree),
            "empty": sum(not node.rows.kept for node in tree),
        }
