"""Names in other parts of the tree that a request shows, so that they are not proposed once more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import final

import numpy as np

from kshot.measure.overlap import f_measure, tokens
from kshot.methods.explore.grow.names import NameVectors
from kshot.methods.explore.records import TaskNode
from kshot.methods.explore.tree import DomainTree


@final
class Elsewhere:
    """Finds the names nearest to a task's among those outside its path, children and siblings.

    By cosine with an embedder, else by ROUGE-L F; names without any likeness (0 or less) are left out.
    Ties are in preorder. An index of words keeps the work below all pairs.

    >>> tree = DomainTree.planted("rewriting")
    >>> style, tone = (tree.add(tree.root.id, name) for name in ("change style", "tone"))
    >>> far = tree.add(tone.id, "style of letters")
    >>> Elsewhere(tree, NameVectors(None)).names(style.id, most=10)
    ('style of letters',)
    """

    def __init__(self, tree: DomainTree, vectors: NameVectors) -> None:
        self._tree = tree
        self._nodes = list(tree)
        self._place = {node.id: place for place, node in enumerate(self._nodes)}
        self._rows = vectors.of([node.name for node in self._nodes])
        self._words: list[list[str]] = []
        self._with: defaultdict[str, list[int]] = defaultdict(list)
        if len(self._rows):
            return
        for place, node in enumerate(self._nodes):
            self._words.append(tokens(node.name))
            for word in dict.fromkeys(self._words[-1]):
                self._with[word].append(place)

    def names(self, task: str, *, most: int) -> tuple[str, ...]:
        """Up to ``most`` names, the nearest first."""
        if not most:
            return ()
        hidden = {self._place[node.id] for node in _around(self._tree, task)}
        scores = self._scores(self._place[task])
        ranked = sorted(scores, key=lambda place: (-scores[place], place))
        found = [place for place in ranked if place not in hidden]
        return tuple(dict.fromkeys(self._nodes[place].name for place in found[: 2 * most]))[:most]

    def _scores(self, task: int) -> dict[int, float]:
        if len(self._rows):
            cosines = self._rows @ self._rows[task]  # (N,)
            return {int(place): float(cosines[place]) for place in np.flatnonzero(cosines > 0)}
        words = self._words[task]
        shared = {place for word in words for place in self._with[word]}
        return {place: f_measure(words, self._words[place]) for place in shared}


def _around(tree: DomainTree, task: str) -> Iterable[TaskNode]:
    yield from tree.children(task)
    yield from tree.siblings(task)
    at: str | None = task
    while at is not None:
        yield tree[at]
        at = tree[at].parent


def refused_names(refused: Sequence[tuple[str, str]], *, most: int) -> tuple[str, ...]:
    """The newest names of (name, rule) pairs, each once, oldest first; repeats of children are left out.

    >>> refused_names([("a", "overlap"), ("b", "repeat"), ("c", "cosine"), ("a", "overlap")], most=9)
    ('c', 'a')
    """
    kept = dict.fromkeys(name for name, rule in reversed(refused) if rule not in UNTOLD)
    return tuple(reversed(list(kept)[:most]))


UNTOLD = ("repeat", "surplus")  # a child's name is shown anyway; a surplus name may come again
