"""The hidden ontology: a tree of tasks with several names each, of which the client sees nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.errors import InputError
from kshot.models.fake.ontology.vocabulary import ADJECTIVES, NOUNS, fresh_stems

Shape: TypeAlias = tuple[int, ...] | Literal["irregular"]
STEMS = 8  # of a leaf, in its instructions alone
NAME_STEMS = 2  # of a node, in its names alone
MOST_NODES = 200_000


@dataclass(frozen=True, slots=True)
class Ontology:
    """Tasks by number, 0 the root; a parent's number is below its children's.

    Attributes:
        names: (N,) surface names of each task, 3 to 5; the first is the usual one.
        parents: (N,) number of each task's parent; -1 for the root.
        children: (N,) numbers of each task's children.
        ranks: (N,) from 1: how readily a task comes to mind among its siblings; shuffled by the seed.
        stems: Words of each leaf's instructions, by leaf; no other leaf has them.
        seed: Of everything.
        shape: As it was asked for.

    >>> ontology = Ontology.made((2, 3), seed=0)
    >>> len(ontology), len(ontology.leaves), ontology.known(ontology.names[1][2])
    (9, 6, 1)
    """

    names: tuple[tuple[str, ...], ...]
    parents: tuple[int, ...]
    children: tuple[tuple[int, ...], ...]
    ranks: tuple[int, ...]
    stems: dict[int, tuple[str, ...]]
    seed: int
    shape: Shape
    _by_name: dict[str, int]
    _by_stem: dict[str, int]

    @classmethod
    def made(cls, shape: Shape = (8, 6, 8), *, seed: int = 0) -> Ontology:
        """A world of this shape: children a task, level by level, or ``irregular``.

        Raises:
            InputError: The shape makes no sense, or holds too many tasks.
        """
        draw = random.Random(f"ontology:{seed}:{shape}")
        children = _children(shape, draw)
        parents = [-1] * len(children)
        ranks = [1] * len(children)
        for node, below in enumerate(children):
            order = list(range(1, len(below) + 1))
            draw.shuffle(order)
            for child, rank in zip(below, order, strict=True):
                parents[child], ranks[child] = node, rank
        leaves = [node for node, below in enumerate(children) if not below]
        words = fresh_stems(draw, NAME_STEMS * len(children) + STEMS * len(leaves))
        names = tuple(
            _names(words[NAME_STEMS * n : NAME_STEMS * (n + 1)], draw) for n in range(len(children))
        )
        at = NAME_STEMS * len(children)
        stems = {leaf: tuple(words[at + STEMS * i : at + STEMS * (i + 1)]) for i, leaf in enumerate(leaves)}
        by_name = {name_key(name): node for node, given in enumerate(names) for name in given}
        by_stem = {word: leaf for leaf, given in stems.items() for word in given}
        return cls(
            names,
            tuple(parents),
            tuple(map(tuple, children)),
            tuple(ranks),
            stems,
            seed,
            shape,
            by_name,
            by_stem,
        )

    def __len__(self) -> int:
        """How many tasks there are, the root included."""
        return len(self.names)

    @property
    def leaves(self) -> tuple[int, ...]:
        """Tasks without children: what is to be covered."""
        return tuple(self.stems)

    def known(self, name: str) -> int | None:
        """The task that a name stands for, by any of its names; None off the ontology."""
        return self._by_name.get(name_key(name))

    def leaf_of(self, instruction: str) -> int | None:
        """The leaf whose words an instruction has; None off the ontology."""
        for word in instruction.split():
            leaf = self._by_stem.get(word.strip(".,;:?!'\"").lower())
            if leaf is not None:
                return leaf
        return None

    def above(self, node: int) -> tuple[int, ...]:
        """A task and its ancestors, itself first, the root last."""
        found = [node]
        while self.parents[found[-1]] >= 0:
            found.append(self.parents[found[-1]])
        return tuple(found)


def name_key(name: str) -> str:
    """A name as it is looked up: case and white space do not matter.

    >>> name_key("  Bold   lists ")
    'bold lists'
    """
    return " ".join(name.lower().split())


def _names(words: Sequence[str], draw: random.Random) -> tuple[str, ...]:
    """3 to 5 names: the second is near the first by ROUGE-L, the third shares no word with it."""
    near, far = words
    adjective, other = draw.sample(ADJECTIVES, 2)
    first, second, third = draw.sample(NOUNS, 3)
    found = [f"{adjective} {near} {first}", f"{near} {first}", f"{far} {second}"]
    more = [f"{other} {near} {third}", f"{other} {far} {first}"]
    return tuple(found + more[: draw.randrange(3)])


def _children(shape: Shape, draw: random.Random) -> list[list[int]]:
    """Numbers of each task's children, level by level."""
    children: list[list[int]] = [[]]
    level = [0]
    for depth, breadths in enumerate(_breadths(shape)):
        below: list[int] = []
        for node in level:
            count = draw.choice(breadths)
            if len(children) + count > MOST_NODES:
                raise InputError(f"an ontology of shape {shape} has more than {MOST_NODES:,} tasks")
            children[node] = list(range(len(children), len(children) + count))
            children.extend([] for _ in range(count))
            below += children[node]
        level = below
        if not level:
            raise InputError(f"an ontology of shape {shape} ends at depth {depth}")
    return children


def _breadths(shape: Shape) -> list[tuple[int, ...]]:
    """For each level, the numbers of children that are drawn from."""
    if shape == "irregular":  # some tasks have no sub-tasks, some many; a few leaves lie one level deeper
        return [(12,), (1, 2, 3, 5, 8, 12, 16), (0, 2, 4, 8, 12, 16), (0,) * 9 + (4,)]
    if not shape or not all(1 <= breadth <= 64 for breadth in shape):
        raise InputError(
            f"the shape of an ontology is {shape}; expected 1 to 64 for each level, or irregular"
        )
    return [(breadth,) for breadth in shape]
