"""``kshot explore attach``: rows that the user has, sorted under the tasks of a tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kshot.errors import DataError
from kshot.methods.explore.attach import attach, item_of_example
from kshot.methods.explore.fill.commit import commit_attached
from kshot.methods.explore.seams import Progress
from kshot.models.embed import load_embedder
from kshot.pipeline.explore.folder import ExploreFolder
from kshot.pipeline.open_pool import dataset_files, read_rows


def attach_files(
    place: Path, files: Sequence[Path], *, floor: float = 0.2, embedder: str = "hashing"
) -> dict[str, Any]:
    """Puts each row under its nearest task; rows below the floor, and repeats, stay out and are counted.

    Attached rows pass the same filters as generated ones and count towards their task's rows.

    Raises:
        InputError: There is no exploration.
        DataError: A file cannot be read, or there are no rows.
    """
    items = [item_of_example(row) for row in read_rows(dataset_files(files))]
    if not items:
        raise DataError(f"{files[0]}: no rows to attach" if files else "no files of rows are given")
    with ExploreFolder(place).open() as folder:
        saved = folder.load()
        sorted_rows = attach(saved.found.tree, items, embedder=load_embedder(embedder), floor=floor)
        kept, refused = commit_attached(saved.found, sorted_rows)
        folder.commit(saved, Progress("attach", 1, kept, refused, saved.found.spent))
        tree = saved.found.tree
        return {
            "read": len(items),
            "attached": len(kept),
            "unassigned": len(sorted_rows.unassigned),
            "refused": dict(Counter(one.rule for one in refused).most_common()),
            "tasks": len(tree),
            "empty": sum(not node.rows.kept for node in tree),
        }
