"""Instructions of the made-up world: 60 templates a leaf, each with a few near repeats."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from kshot.models.fake.ontology.vocabulary import ADJECTIVES, JUNK_START, NOUNS, PEOPLE, VERBS, stem
from kshot.models.fake.ontology.world import Ontology

T = TypeVar("T")
TEMPLATES = 60
JUNK = -1
VERBATIM = 0.5  # how often a template is said as it stands, else with one word changed
WITH_INPUT = 0.3
# V verb, A adjective, N noun, W people, S one of the leaf's words; other words stand as they are
PATTERNS = tuple(
    pattern.split()
    for pattern in (
        "V S A N",
        "V the A S N",
        "V S and S N",
        "V A N about S",
        "V each S N for W",
        "V S N before A N",
        "V two A S N plainly",
        "V what W say about S N",
        "V this S N into A N",
        "how do W V A S N ?",
        "which A N suits S W ?",
        "why would W V S N ?",
        "V and V the S N",
        "V S N without any A N",
        "please V my A S N",
        "V a A S N for a W",
        "V S N so that W V it",
        "given A S N , V its A N",
        "V three S N that a W like",
        "V where S meets A N and N",
        "V the N behind S , then V it",
        "for a W , V S N by N",
        "V from memory the A S N and its N",
        "V one S N per N and V the A rest",
        "can a W V S N after the N ?",
        "V whether A S N needs S or A N",
        "in a A N , V S and N for W",
        "V both S N and A N as W expect",
        "V A S N ; then V A N and V the N for a W",
        "suppose W lost their S N : V a A N and V every N",
        "V how S differs from A N , using N and A N from daily life",
        "write to W about S N , V the A N , and V one N",
    )
)
POOLS = {"V": VERBS, "A": ADJECTIVES, "N": NOUNS, "W": PEOPLE}


@dataclass(frozen=True, slots=True)
class Said:
    """One row as the simulated model writes it.

    Attributes:
        instruction: 4 to 20 words.
        input: Empty in most.
        output: A line.
        id: What only the server knows: leaf and template as one number, ``JUNK`` off the ontology.
    """

    instruction: str
    input: str
    output: str
    id: int

    def to_json(self) -> dict[str, str]:
        """As replies give it."""
        return {"instruction": self.instruction, "input": self.input, "output": self.output}


def said(ontology: Ontology, leaf: int, draw: random.Random) -> Said:
    """A row of a leaf: one of its templates, or a near repeat of it.

    >>> ontology = Ontology.made((2, 2), seed=0)
    >>> row = said(ontology, ontology.leaves[1], random.Random(0))
    >>> ontology.leaf_of(row.instruction) == ontology.leaves[1] == row.id // TEMPLATES
    True
    """
    number = int(draw.random() * TEMPLATES)
    words, kinds = _template(ontology.seed, leaf, number, ontology.stems[leaf])
    if draw.random() >= VERBATIM:
        free = [place for place, kind in enumerate(kinds) if kind in POOLS]
        place = free[int(draw.random() * len(free))]
        words = (*words[:place], _one(POOLS[kinds[place]], draw), *words[place + 1 :])
    about = ontology.stems[leaf][int(draw.random() * len(ontology.stems[leaf]))]
    return _row(words, about, leaf * TEMPLATES + number, draw)


def junk(draw: random.Random) -> Said:
    """A row that belongs to nothing.

    >>> Ontology.made((2, 2), seed=0).leaf_of(junk(random.Random(0)).instruction) is None
    True
    """
    about = (stem(draw, start=JUNK_START), stem(draw, start=JUNK_START))
    words, _ = _written(_one(PATTERNS, draw), about, draw)
    return _row(words, about[0], JUNK, draw)


@lru_cache(maxsize=100_000)
def _template(
    seed: int, leaf: int, number: int, stems: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words of a template and their kinds."""
    draw = random.Random(f"template:{seed}:{leaf}:{number}")
    return _written(PATTERNS[(number + leaf) % len(PATTERNS)], stems, draw)


def _written(
    pattern: list[str], stems: tuple[str, ...], draw: random.Random
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    pools = POOLS | {"S": stems}
    words = [_one(pools[kind], draw) if kind in pools else kind for kind in pattern]
    return tuple(words), tuple(pattern)


def _row(words: tuple[str, ...], about: str, number: int, draw: random.Random) -> Said:
    text = " ".join(words)
    for mark in (",", ";", ":", "?"):
        text = text.replace(f" {mark}", mark)
    text = text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")
    given = f"A {_one(ADJECTIVES, draw)} {about} {_one(NOUNS, draw)}." if draw.random() < WITH_INPUT else ""
    first, second, third = (_one(NOUNS, draw) for _ in range(3))
    output = (
        f"The {_one(ADJECTIVES, draw)} {about} comes with a {first}; {_one(PEOPLE, draw)} "
        f"{_one(VERBS, draw)} the {second} first and leave the {third} as it is."
    )
    return Said(text, given, output, number)


def _one(pool: tuple[T, ...], draw: random.Random) -> T:
    return pool[int(draw.random() * len(pool))]
