"""A person's edited file, taken into a tree that has been worked on."""

from __future__ import annotations

from dataclasses import replace

from kshot.errors import DataError
from kshot.methods.explore.records import TaskNode
from kshot.methods.explore.tree import DomainTree


def merged(tree: DomainTree, edited: DomainTree) -> tuple[DomainTree, tuple[str, ...]]:
    """The edited tree with the progress of the one in work, and the ids of the tasks that are gone.

    A task that both know (same names on the path to it) keeps counts, state, origin and examples; the edited
    file gives its reason, its place among its siblings, and its examples if it has any. A task that only the
    edited file knows is new, with origin ``person`` and without progress; a renamed or moved task is a new
    one. A task that only the tree in work knows leaves with all that is below it; its rows are the caller's
    to remove. Neither tree is changed.

    Returns:
        The merged tree, and the ids of the tasks that left, in the preorder of the tree in work.

    Raises:
        DataError: The domain itself has another name, so that every task would be another one.

    >>> tree = DomainTree.planted("rewriting")
    >>> for name in ("paraphrase", "poems"):
    ...     _ = tree.add(tree.root.id, name)
    >>> names = [{"name": "letters"}, {"name": "poems"}]
    >>> edited = DomainTree.from_json({"name": "rewriting", "children": names})
    >>> both, gone = merged(tree, edited)
    >>> [(node.name, node.origin) for node in both], [tree[node].name for node in gone]
    ([('rewriting', 'root'), ('letters', 'person'), ('poems', 'look_ahead')], ['paraphrase'])
    """
    if edited.root.id != tree.root.id:
        raise DataError(
            f"the edited file is about {edited.root.name!r}, the tree in work about {tree.root.name!r}; "
            "leave the domain's name as it is, or start another exploration"
        )
    nodes = []
    for node in edited:
        if node.id in tree:
            known = tree[node.id]
            examples = node.examples or known.examples
            nodes.append(replace(known, reason=node.reason, children=node.children, examples=examples))
        else:
            place = (node.depth, node.parent, node.children)
            nodes.append(
                TaskNode(node.id, node.name, node.reason, *place, origin="person", examples=node.examples)
            )
    made = DomainTree.of(nodes)
    made.released_names = {
        node: name for node, name in (edited.released_names | tree.released_names).items() if node in made
    }
    return made, tuple(node.id for node in tree if node.id not in made)
