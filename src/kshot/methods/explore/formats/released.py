"""The layout of the paper's release: ``tree_meta_info.json``, and one file of examples a task.

Source: repository fanqiwan/Explore-Instruct, its released demo. There a task is known by a short name made of
its letters and digits; a name without Latin letters has an empty one, and equal ones overwrite each other's
file. Here every task gets a file of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kshot.errors import DataError
from kshot.methods.explore.formats.nested import plain_item, read_item, tree_of
from kshot.methods.explore.formats.text import json_text, read_json, write_file
from kshot.methods.explore.records import Counts, Row, TaskNode, row_id
from kshot.methods.explore.tree import DomainTree

META = "tree_meta_info.json"
LONGEST = 80  # characters of a short name
SHOWN = 2  # examples of a task that later requests may show, as in the release
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$")  # no file of Windows may be named so


def load_released(folder: Path) -> tuple[DomainTree, list[Row]]:
    """The tree of a released folder, and its examples as rows: tasks in preorder, examples in file order.

    A row's ``request`` says where it stood; its origin is ``attached``, as nothing was asked for it.
    The first ``SHOWN`` examples of a task are its ``examples`` too.

    Raises:
        DataError: A file is missing or damaged, belongs to another task, or stands for two tasks.
    """
    path = Path(folder) / META
    try:
        tree = tree_of(read_json(path))
    except DataError as error:
        message = str(error)
        raise DataError(message if message.startswith(str(path)) else f"{path}: {message}") from None
    rows: list[Row] = []
    owners: dict[str, str] = {}
    for node in list(tree):
        if node.id not in tree.released_names:
            raise DataError(f"{path}: task {node.name!r} has no config_filename; it names the task's file")
        name = tree.released_names[node.id][1]
        if name in owners:
            raise DataError(
                f"{path}: tasks {owners[name]!r} and {node.name!r} share the file {name}, so one has "
                "overwritten the other; give each a file of its own"
            )
        owners[name] = node.name
        found = _rows(Path(folder), name, node)
        rows += found
        kept = replace(node, examples=tuple(row.item for row in found[:SHOWN]), rows=Counts(kept=len(found)))
        tree.put(kept)
    return tree, rows


def _rows(folder: Path, name: str, node: TaskNode) -> list[Row]:
    if re.search(r"[/\\:\0]", name) or name in ("", ".", "..", META):
        raise DataError(
            f"{folder / META}: {name!r} cannot be the file of task {node.name!r}; name a plain file"
        )
    path = folder / name
    value = read_json(path)
    if not isinstance(value, Mapping) or value.get("raw_task_name") != node.name:
        raise DataError(f"{path}: this is not the file of task {node.name!r}; its raw_task_name differs")
    examples = value.get("examples", [])
    if not isinstance(examples, list):
        raise DataError(f"{path}: examples is no list; expected objects with instruction, input and output")
    rows = []
    for place, example in enumerate(examples):
        try:
            item = read_item(example, f"examples[{place}]")
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        rows.append(Row(row_id(node.id, item), node.id, item, request=f"{name}[{place}]", origin="attached"))
    return rows


def save_released(folder: Path, tree: DomainTree, rows: Sequence[Row]) -> list[Path]:
    """Writes a tree and its rows in the released layout; what was read by ``load_released`` comes out equal.

    The folder is made where it is missing. Files of the same names are written over, others stay.

    Returns:
        What was written: the files of the tasks in preorder, then ``tree_meta_info.json``.

    Raises:
        DataError: A row belongs to no task of the tree, or a file cannot be written.
    """
    folder = Path(folder)
    by_node: dict[str, list[Row]] = {node.id: [] for node in tree}
    lost = sum(row.node not in by_node for row in rows)
    if lost:
        raise DataError(f"{lost} of {len(rows)} rows belong to no task of the tree; leave them out first")
    for row in rows:
        by_node[row.node].append(row)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({error.strerror or error})") from None
    names = file_names(tree)
    written = []
    meta: dict[str, dict[str, Any]] = {}
    for node in tree:
        short, file = names[node.id]
        told = {
            "raw_task_name": node.name,
            "task_name": short,
            "config_filename": file,
            "reason": node.reason,
        }
        examples = [plain_item(row.item) for row in by_node[node.id]]
        write_file(folder / file, json_text(told | {"examples": examples}, indent=2) + "\n")
        written.append(folder / file)
        meta[node.id] = told | {"children": []}
        if node.parent is not None:
            meta[node.parent]["children"].append(meta[node.id])
    write_file(folder / META, json_text(meta[tree.root.id], indent=2) + "\n")
    return [*written, folder / META]


def file_names(tree: DomainTree) -> dict[str, tuple[str, str]]:
    """The short name and the file name of every task, by id; those that were read come first and stay.

    >>> tree = DomainTree.planted("Text editing!")
    >>> _ = [tree.add(tree.root.id, name) for name in ("改写", "Text, editing")]
    >>> [short for short, _ in file_names(tree).values()][::2]
    ['text_editing', 'text_editing_2']
    """
    found = dict(tree.released_names)
    taken = {file.casefold() for _, file in found.values()} | {META}
    for node in tree:
        if node.id in found:
            continue
        slug = re.sub(r"[^a-z0-9]+", "_", node.name.lower()).strip("_")[:LONGEST].strip("_")
        slug = slug if re.search("[a-z]", slug) else f"task_{node.id}"
        slug = f"task_{slug}" if _DEVICES.match(slug) else slug
        name, count = slug, 1
        while f"{name}.json" in taken:
            count += 1
            name = f"{slug}_{count}"
        taken.add(f"{name}.json")
        found[node.id] = (name, f"{name}.json")
    return {node.id: found[node.id] for node in tree}
