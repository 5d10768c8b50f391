"""A domain as a tree of tasks: plain data, changed by whoever grows and fills it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from kshot.errors import DataError
from kshot.methods.explore.records import TaskNode, node_id

DEEPEST = 12  # levels below the root; a file that is deeper is taken for a mistake


@final
class DomainTree:
    """Tasks by id, the root first.

    Nodes are frozen; the tree is not: ``add`` and ``put`` change it in place. Order of children is the
    order of adding. ``released_names`` holds, of tasks that came in the released layout, the short name and
    the file name by id, so that they go out as they came.

    >>> tree = DomainTree.planted("rewriting", "Texts are changed, their meaning stays.")
    >>> child = tree.add(tree.root.id, "paraphrase", reason="Says the same in other words.")
    >>> [node.name for node in tree], tree.path(child.id)
    (['rewriting', 'paraphrase'], ('rewriting', 'paraphrase'))
    """

    def __init__(self, root: TaskNode) -> None:
        if root.parent is not None or root.depth != 0:
            raise DataError(f"task {root.name!r} is no root: it has a parent, or is at depth {root.depth}")
        self._nodes: dict[str, TaskNode] = {root.id: root}
        self._root = root.id
        self.released_names: dict[str, tuple[str, str]] = {}

    @classmethod
    def of(cls, nodes: Iterable[TaskNode]) -> DomainTree:
        """A tree of tasks as they are, the root first, in one pass over them.

        Raises:
            DataError: Two have one id, or parents, children and depths do not fit together.

        >>> tree = DomainTree.planted("rewriting")
        >>> [node.name for node in DomainTree.of(tree)]
        ['rewriting']
        """
        given = list(nodes)
        if not given:
            raise DataError("a tree needs a root; no task was given")
        made = cls(given[0])
        made._nodes = {node.id: node for node in given}
        below = [(node, child) for node in given for child in node.children]
        fits = len(made) == len(given) == len(below) + 1 and all(
            (one := made._nodes.get(child)) and (one.parent, one.depth) == (node.id, node.depth + 1)
            for node, child in below
        )
        if not fits or sum(1 for _ in made) != len(given):
            raise DataError(
                f"{len(given)} tasks make no tree: each but the first must be the child of one other"
            )
        return made

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DomainTree:
        """The tree of a file or folder.

        ``.json`` is kshot's own nested form (a hand-written file needs ``name``, and may have ``reason`` and
        ``children``) or the release's ``tree_meta_info.json``; ``.md`` is the outline that ``save`` writes; a
        folder with a ``tree_meta_info.json`` is the released layout, whose rows ``load_released`` reads.

        Raises:
            DataError: It cannot be read; the message has the line, or the place in the JSON.
        """
        from kshot.methods.explore.formats.files import load_tree

        return load_tree(Path(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the tree as ``.json`` (everything) or ``.md`` (an outline of names and reasons).

        The file appears whole or not at all.

        Raises:
            DataError: The name has another ending, or the file cannot be written.
        """
        from kshot.methods.explore.formats.files import save_tree

        save_tree(Path(path), self)

    def to_json(self) -> dict[str, Any]:
        """Plain values, nested; what is at its default is left out.

        >>> DomainTree.planted("rewriting").to_json()
        {'name': 'rewriting', 'reason': '', 'children': []}
        """
        from kshot.methods.explore.formats.nested import plain

        return plain(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DomainTree:
        """What ``to_json`` wrote, or the release's form of it.

        Raises:
            DataError: A field is missing, unknown or of the wrong type; the message has its place.
        """
        from kshot.methods.explore.formats.nested import tree_of

        return tree_of(value)

    @classmethod
    def planted(cls, name: str, description: str = "") -> DomainTree:
        """A tree of its root alone.

        Raises:
            DataError: The name is empty.
        """
        if not name.strip():
            raise DataError("the domain's name is empty; expected a few words")
        return cls(TaskNode(node_id(None, name), name, reason=description, origin="root"))

    @property
    def root(self) -> TaskNode:
        """The domain itself."""
        return self._nodes[self._root]

    def __len__(self) -> int:
        """How many tasks there are, the root included."""
        return len(self._nodes)

    def __contains__(self, node: str) -> bool:
        """Whether a task of this id is in the tree."""
        return node in self._nodes

    def __getitem__(self, node: str) -> TaskNode:
        """The task of an id.

        Raises:
            DataError: There is none.
        """
        if node not in self._nodes:
            raise DataError(f"no task has the id {node!r}; the tree of {self.root.name!r} has {len(self)}")
        return self._nodes[node]

    def __iter__(self) -> Iterator[TaskNode]:
        """All tasks in preorder: a parent, then each child with all that is below it."""
        waiting = [self._root]
        while waiting:
            node = self._nodes[waiting.pop()]
            yield node
            waiting.extend(reversed(node.children))

    def add(self, parent: str, name: str, **fields: Any) -> TaskNode:
        """Puts a new task last among a parent's children; ``fields`` as of ``TaskNode``.

        Raises:
            DataError: The parent is not there, the name is empty, or the parent has a child of that name.
        """
        above = self[parent]
        if not name.strip():
            raise DataError(f"a child of {above.name!r} has an empty name")
        if above.depth >= DEEPEST:
            raise DataError(f"task {name!r} is {above.depth + 1} levels deep, expected at most {DEEPEST}")
        node = TaskNode(node_id(parent, name), name, depth=above.depth + 1, parent=parent, **fields)
        if node.id in self._nodes:
            raise DataError(f"{above.name!r} has two children named {name!r}; rename or remove one")
        self._nodes[node.id] = node
        self._nodes[parent] = replace(above, children=(*above.children, node.id))
        return node

    def put(self, node: TaskNode) -> None:
        """Puts a changed task in its old one's place; id, parent and children must be the same.

        Raises:
            DataError: They are not.
        """
        old = self[node.id]
        if (node.parent, node.children, node.depth) != (old.parent, old.children, old.depth):
            raise DataError(f"task {old.name!r}: its place in the tree cannot be changed by `put`")
        self._nodes[node.id] = node

    def path(self, node: str) -> tuple[str, ...]:
        """Names from the root to a task, both included."""
        names: list[str] = []
        at: str | None = node
        while at is not None:
            names.append(self[at].name)
            at = self[at].parent
        return tuple(reversed(names))

    def children(self, node: str) -> tuple[TaskNode, ...]:
        """The children of a task, in order."""
        return tuple(self._nodes[child] for child in self[node].children)

    def siblings(self, node: str) -> tuple[TaskNode, ...]:
        """The other children of its parent, in order."""
        parent = self[node].parent
        return () if parent is None else tuple(one for one in self.children(parent) if one.id != node)

    def without_progress(self) -> DomainTree:
        """The same tasks as nobody has worked on them, for a new exploration that begins with them.

        Names, reasons, order, origins and examples stay; counts, states and requests go, as they belong to
        rows and replies that are elsewhere.

        >>> tree = DomainTree.planted("rewriting")
        >>> _ = tree.add(tree.root.id, "paraphrase", closed="low yield", low_yields=2)
        >>> [node.closed for node in tree.without_progress()]
        ['', '']
        """
        made = self.copy()
        for node in self:
            made._nodes[node.id] = TaskNode(
                node.id,
                node.name,
                node.reason,
                node.depth,
                node.parent,
                node.children,
                node.origin,
                examples=node.examples,
            )
        return made

    def copy(self) -> DomainTree:
        """A tree of its own with the same tasks."""
        made = DomainTree(self.root)
        made._nodes = dict(self._nodes)
        made.released_names = dict(self.released_names)
        return made
