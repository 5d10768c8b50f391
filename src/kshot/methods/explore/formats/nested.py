"""A tree as nested JSON: what kshot writes, what a person writes by hand, and what the release has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kshot.data.formats.fields import kind
from kshot.data.nearest import proposal
from kshot.errors import DataError
from kshot.methods.explore.records import ORIGINS, Counts, Item, TaskNode, item_of, node_id
from kshot.methods.explore.tree import DEEPEST, DomainTree

_TEXTS = ("reason", "origin", "closed", "full", "recent")
_NUMBERS = ("low_yields", "dry_rounds")
_PLAIN = ("origin", "closed", "full", "recent", *_NUMBERS, "is_complete")
_COUNTS = ("names", "rows")
OWN_KEYS = ("name", *_TEXTS, *_COUNTS, *_NUMBERS, "is_complete", "examples", "requests", "children")
RELEASED_KEYS = ("raw_task_name", "task_name", "config_filename", "reason", "examples", "children")


def plain(tree: DomainTree) -> dict[str, Any]:
    """The tree as plain values. A field is left out where it says nothing: empty, 0, or the usual origin.

    The usual origin is ``root`` of the root and ``person`` of any other task, as a person's file has none.

    >>> tree = DomainTree.planted("rewriting")
    >>> _ = tree.add(tree.root.id, "paraphrase", origin="person")
    >>> plain(tree)["children"]
    [{'name': 'paraphrase', 'reason': '', 'children': []}]
    """
    found: dict[str, dict[str, Any]] = {}
    for node in tree:
        found[node.id] = _node(node, tree.released_names.get(node.id))
        if node.parent is not None:
            found[node.parent]["children"].append(found[node.id])
    return found[tree.root.id]


def _node(node: TaskNode, released: tuple[str, str] | None) -> dict[str, Any]:
    usual = TaskNode(node.id, node.name, origin="person" if node.parent else "root")
    said = {name: getattr(node, name) for name in _PLAIN if getattr(node, name) != getattr(usual, name)}
    said |= {name: getattr(node, name).to_json() for name in _COUNTS if getattr(node, name) != Counts()}
    if node.examples:
        said["examples"] = [plain_item(item) for item in node.examples]
    if node.requests:
        said["requests"] = list(node.requests)
    if released:
        said["task_name"], said["config_filename"] = released
    return {"name": node.name, "reason": node.reason, **said, "children": []}


def plain_item(item: Item) -> dict[str, str]:
    """Instruction, input and output by name.

    >>> plain_item(Item("Add.", "1 1", "2"))
    {'instruction': 'Add.', 'input': '1 1', 'output': '2'}
    """
    return {"instruction": item.instruction, "input": item.input, "output": item.output}


@dataclass(slots=True)
class _Reading:
    nodes: dict[str, TaskNode] = field(default_factory=dict)
    released: dict[str, tuple[str, str]] = field(default_factory=dict)

    def read(self, value: Any, where: str, parent: TaskNode | None) -> str:
        """Reads a task and all below it; returns its id."""
        values, is_released = _object(value, where)
        name = _name(values, where, key="raw_task_name" if is_released else "name")
        own = node_id(parent.id if parent else None, name)
        at = f"{where}." if where else ""
        if own in self.nodes:
            above = parent.name if parent else ""
            raise DataError(f"{where}: {above!r} has two children named {name!r}; rename or remove one")
        depth = parent.depth + 1 if parent else 0
        if depth > DEEPEST:
            raise DataError(f"{where}: task {name!r} is {depth} levels deep, expected at most {DEEPEST}")
        if "config_filename" in values:
            task_name = _text(values, "task_name", at)
            self.released[own] = (task_name, _text(values, "config_filename", at))
        usual = "import" if is_released else "person" if parent else "root"
        fields = _fields({"origin": usual, **values}, at)
        children = _list(values, "children", at)
        node = TaskNode(own, name, depth=depth, parent=parent.id if parent else None, **fields)
        self.nodes[own] = node  # the parent stands before its children
        below = tuple(
            self.read(child, f"{at}children[{place}]", node) for place, child in enumerate(children)
        )
        self.nodes[own] = TaskNode(
            own, name, depth=depth, parent=node.parent, children=below, **fields
        )  # faster than `replace`, which a tree of 10,000 would feel
        return own


def tree_of(value: Any) -> DomainTree:
    """The tree of plain values, as ``plain`` wrote them, as the release does, or written by hand.

    Raises:
        DataError: A field is missing, unknown, of the wrong type; a name is empty or stands twice under one
            parent; or it is more than ``DEEPEST`` levels deep. The message has the place in the JSON.

    >>> tree = tree_of({"name": "rewriting", "children": [{"name": "paraphrase", "reason": "Same meaning."}]})
    >>> [(node.name, node.origin) for node in tree]
    [('rewriting', 'root'), ('paraphrase', 'person')]
    """
    reading = _Reading()
    reading.read(value, "", None)
    tree = DomainTree.of(reading.nodes.values())
    tree.released_names = reading.released
    return tree


def _object(value: Any, where: str) -> tuple[Mapping[str, Any], bool]:
    at = where or "the tree"
    if not isinstance(value, Mapping):
        raise DataError(f"{at} is {kind(value)}, expected an object with name, reason and children")
    is_released = "raw_task_name" in value
    known = RELEASED_KEYS if is_released else (*OWN_KEYS, *RELEASED_KEYS[1:3])
    unknown = [key for key in value if key not in known]
    if unknown:
        fields = ", ".join(known)
        raise DataError(
            f"{at}: {unknown[0]!r} is no field of a task; fields: {fields}{proposal(unknown[0], known)}"
        )
    return value, is_released


def _name(values: Mapping[str, Any], where: str, *, key: str) -> str:
    name = values.get(key)
    at = f"{where}.{key}" if where else key
    if not isinstance(name, str):
        found = kind(name) if key in values else "missing"
        raise DataError(f"{at} is {found}, expected the task's name as text")
    if not name.strip():
        raise DataError(f"{at} is empty; every task needs a name")
    return name


def _fields(values: Mapping[str, Any], at: str) -> dict[str, Any]:
    fields: dict[str, Any] = {key: _text(values, key, at) for key in _TEXTS}
    if fields["origin"] not in ORIGINS:
        raise DataError(f"{at}origin is {fields['origin']!r}, expected one of {', '.join(ORIGINS)}")
    if set(fields["recent"]) - {"0", "1"}:
        raise DataError(f"{at}recent is {fields['recent']!r}, expected 0 and 1 only: the fates of rows")
    for key in _NUMBERS:
        fields[key] = values.get(key, 0)
        if type(fields[key]) is not int or fields[key] < 0:
            raise DataError(f"{at}{key} is {fields[key]!r}, expected a whole number from 0")
    fields["is_complete"] = values.get("is_complete", False)
    if not isinstance(fields["is_complete"], bool):
        raise DataError(f"{at}is_complete is {fields['is_complete']!r}, expected true or false")
    for key in _COUNTS:
        if key in values:
            fields[key] = _counts(values[key], f"{at}{key}")
    items = _list(values, "examples", at)
    fields["examples"] = tuple(read_item(item, f"{at}examples[{place}]") for place, item in enumerate(items))
    fields["requests"] = tuple(_list(values, "requests", at))
    if not all(isinstance(request, str) for request in fields["requests"]):
        raise DataError(f"{at}requests holds something other than text; expected ids of requests")
    return fields


def _counts(value: Any, at: str) -> Counts:
    try:
        if not isinstance(value, Mapping):
            raise DataError(f"counts are {kind(value)}, expected an object")
        return Counts.from_json(value)
    except DataError as error:
        raise DataError(f"{at}: {error}") from None


def read_item(value: Any, at: str) -> Item:
    """The item of an object with ``instruction``, and perhaps ``input`` and ``output``; ``at`` is its place.

    Raises:
        DataError: A field is missing or no text.

    >>> read_item({"instruction": "Add."}, "examples[0]")
    Item(instruction='Add.', input='', output='')
    """
    if not isinstance(value, Mapping):
        raise DataError(f"{at} is {kind(value)}, expected an object with instruction, input and output")
    try:
        return item_of(value)
    except DataError as error:
        raise DataError(f"{at}: {error}") from None


def _text(values: Mapping[str, Any], key: str, at: str) -> str:
    value = values.get(key, "")
    if not isinstance(value, str):
        raise DataError(f"{at}{key} is {kind(value)}, expected text")
    return value


def _list(values: Mapping[str, Any], key: str, at: str) -> list[Any]:
    value = values.get(key, [])
    if not isinstance(value, list):
        raise DataError(f"{at}{key} is {kind(value)}, expected a list")
    return value
