"""One row with its provenance, and which rows can be exported at all."""

from __future__ import annotations

import re
from typing import Any

from kshot.data.example import Example
from kshot.methods.explore.attach import example_of_item
from kshot.methods.explore.formats.nested import plain_item
from kshot.methods.explore.records import Row
from kshot.methods.explore.tree import DomainTree
from kshot.pipeline.explore.export.card import Card

CONTENT = ("instruction", "input", "output")
PROVENANCE = ("id", "task", "task_path", "request", "origin", "model", "licence", "filter")
_HALF = re.compile("[\ud800-\udfff]")


def row_record(row: Row, tree: DomainTree, card: Card) -> dict[str, Any]:
    """A row as it is exported: its content, then where it came from.

    ``task_path`` has the names from the domain to the task. ``model`` and ``filter`` are empty for a row that
    the user attached; its licence is that of the attached data.

    >>> from kshot.methods.explore.records import Item
    >>> tree = DomainTree.planted("sums")
    >>> row = Row("r", tree.root.id, Item("1 + 1?", "", "2"), request="fill:a:0")
    >>> record = row_record(row, tree, Card(model="m"))
    >>> record["task_path"], record["model"], record["request"]
    (['sums'], 'm', 'fill:a:0')
    """
    is_own = row.origin == "fill"
    names = [_HALF.sub("\ufffd", name) for name in tree.path(row.node)]
    return {
        **plain_item(row.item),
        "id": row.id,
        "task": names[-1],
        "task_path": names,
        "request": _HALF.sub("\ufffd", row.request),
        "origin": row.origin,
        "model": card.model if is_own else "",
        "licence": card.licence if is_own else card.attached_licence,
        "filter": card.filter if is_own else "",
    }


def example_of_row(row: Row) -> Example:
    """A row as it is read from an export: the labelled example, with the row's id as its source.

    Raises:
        DataError: Instruction and input are empty.

    >>> from kshot.methods.explore.records import Item
    >>> example_of_row(Row("r", "n", Item("Add.", "1 1", "2"))).answer
    '2'
    """
    return example_of_item(row.item, source=row.id)


def fault(row: Row, tree: DomainTree) -> str:
    """Why a row cannot be exported; empty where it can.

    >>> from kshot.methods.explore.records import Item
    >>> fault(Row("r", "gone", Item("Add.")), DomainTree.planted("sums"))
    'of no task in the tree'
    """
    texts = (row.item.instruction, row.item.input, row.item.output)
    if row.node not in tree:
        return "of no task in the tree"
    if not row.item.instruction.strip():
        return "without an instruction"
    if not row.item.output.strip():
        return "without an output"
    return "half a character (a lone surrogate)" if any(map(_HALF.search, texts)) else ""
