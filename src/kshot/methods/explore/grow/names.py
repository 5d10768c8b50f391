"""Which proposed names are new: compared with every name of the tree, by letters, words and meaning."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from kshot.measure.overlap import DistinctTexts
from kshot.methods.explore.records import TaskNode
from kshot.methods.explore.rules import name_broken
from kshot.methods.explore.tree import DomainTree
from kshot.models.base import Embedder, Floats

REPEAT = "repeat"
ELSEWHERE = "same name elsewhere"
OVERLAP = "overlap"
COSINE = "cosine"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a name is refused.

    Attributes:
        rule: In the same word for the same reason.
        score: ROUGE-L F or cosine, where it decided.
        near: Id of the task whose name it repeats.
    """

    rule: str
    score: float | None = None
    near: str = ""


def folded(name: str) -> str:
    """A name as names are compared: compatible letters and case made equal, blanks single.

    >>> folded("Fix  Ｇrammar") == folded("fix grammar")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


@final
class NameVectors:
    """Embeddings of names, each made once, many at a time; without an embedder there are none.

    Memory is linear in the number of names.

    >>> len(NameVectors(None).of(["paraphrase"]))
    0
    """

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder
        self._found: dict[str, Floats] = {}

    def of(self, names: Sequence[str]) -> Floats:
        """(N, dim) rows of length 1 in the order of the names; (0, 0) without an embedder."""
        if self._embedder is None:
            return np.zeros((0, 0), np.float32)
        fresh = [name for name in dict.fromkeys(names) if name not in self._found]
        if fresh:
            made = self._embedder.encode(fresh)
            self._found.update(zip(fresh, made, strict=True))
        if not names:
            return np.zeros((0, self._embedder.dim), np.float32)
        return np.stack([self._found[name] for name in names])


@final
class NameFilter:
    """Compares a proposed name with all names of a tree, the root's included.

    The first rule that a name breaks refuses it: the rules for names by themselves, the same name under
    this parent, the same name elsewhere, ROUGE-L F above ``overlap``, cosine above ``cosine`` (both
    strictly). Of several names that it repeats the nearest is given, and of equally near ones the first in
    preorder. Accepted names are added by ``add``, behind those of the tree.

    Source: Explore-Instruct compares by ROUGE-L alone; synonyms share no words, hence the embeddings.

    >>> tree = DomainTree.planted("rewriting")
    >>> names = NameFilter(tree, overlap=0.7, cosine=0.9)
    >>> names.add(tree.add(tree.root.id, "change the style of a text"))
    >>> print(names.refusal(tree.root.id, "paraphrase"))
    None
    >>> [names.refusal(tree.root.id, name).rule for name in ("Rewriting", "change the tone of a text")]
    ['same name elsewhere', 'overlap']
    """

    def __init__(
        self, tree: DomainTree, *, overlap: float, cosine: float, vectors: NameVectors | None = None
    ) -> None:
        self._cosine = cosine
        self._vectors = NameVectors(None) if vectors is None else vectors
        self._under: dict[tuple[str | None, str], str] = {}
        self._anywhere: dict[str, str] = {}
        self._ids: list[str] = []
        self._texts = DistinctTexts(threshold=overlap)
        nodes = list(tree)
        self._rows = self._vectors.of([node.name for node in nodes])
        for node in nodes:
            self._put(node)

    def prepare(self, names: Sequence[str]) -> None:
        """Embeds names that will be asked about, all at once."""
        self._vectors.of(names)

    def add(self, node: TaskNode) -> None:
        """Adds the name of a new task."""
        at = len(self._ids)
        self._put(node)
        row = self._vectors.of([node.name])
        if not len(row):
            return
        if at >= len(self._rows):  # twice the room, so that adding stays linear
            grown: Floats = np.zeros((2 * at + 1, row.shape[1]), np.float32)
            grown[:at] = self._rows[:at]
            self._rows = grown
        self._rows[at] = row[0]

    def refusal(self, parent: str, name: str) -> Verdict | None:
        """Why a name may not become a child of ``parent``; None where it may."""
        if rule := name_broken(name):
            return Verdict(rule)
        key = folded(name)
        if near := self._under.get((parent, key)):
            return Verdict(REPEAT, near=near)
        if near := self._anywhere.get(key):
            return Verdict(ELSEWHERE, near=near)
        if found := self._texts.near(name):
            return Verdict(OVERLAP, found.score, self._ids[found.index])
        return self._meant(name)

    def _meant(self, name: str) -> Verdict | None:
        row = self._vectors.of([name])
        if not len(row):
            return None
        scores = self._rows[: len(self._ids)] @ row[0]  # (N,)
        best = int(np.argmax(scores))
        score = float(scores[best])
        return Verdict(COSINE, round(score, 6), self._ids[best]) if score > self._cosine else None

    def _put(self, node: TaskNode) -> None:
        key = folded(node.name)
        self._under.setdefault((node.parent, key), node.id)
        self._anywhere.setdefault(key, node.id)
        self._ids.append(node.id)
        self._texts.add(node.name)
