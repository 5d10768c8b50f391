"""Made-up instructions: frames with slots, words with the skew of natural ones, near repeats between them."""

from __future__ import annotations

import random
from itertools import accumulate

FRAMES = (
    "{v} the following {n} so that it sounds more {a} to a {n}",
    "Please {v} this {n} about the {a} {n}",
    "{v} a {a} {n} for a {n} who has never seen a {n}",
    "Given the {n} below, {v} its {n} and {v} the {a} {n}",
    "{v} the {n} in the style of a {a} {n} from the {n}",
    "Can you {v} the {n} without changing the {a} {n} of the {n}",
    "Write a short {n} that explains why the {n} is {a}, with one {n} and two {n}",
    "{v} each {n} of the {a} {n} and say which {n} is the most {a}",
    "How would a {a} {n} {v} the {n} to a {n}",
    "{v} three {a} {n} that a {n} could use to {v} a {n} at home",
    "Read the {a} {n} and {v} every {n} that does not {v} its {n}",
    "Turn this {a} {n} into a {n} of at most fifty words for the {n}",
)
FILLERS = ("very", "really", "clearly", "in your own words", "step by step", "if you can")
REPEATS = 0.45  # of instructions that take up an earlier one; about what a model gives that is not told


def words(count: int, draw: random.Random) -> list[str]:
    """Made-up words of 2 to 9 letters, all different."""
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(draw.choices("etaoinshrdlucmfwypvbgkqjxz", range(26, 0, -1), k=draw.randint(2, 9)))] = (
            None
        )
    return list(found)


def instructions(count: int, *, seed: int = 0) -> list[str]:
    """So many texts of 5 to 25 words; equal counts and seeds give equal texts."""
    draw = random.Random(seed)
    kinds = {kind: words(size, draw) for kind, size in (("v", 150), ("n", 2500), ("a", 600))}
    weights = {
        kind: list(accumulate(1 / (rank + 5) ** 0.8 for rank in range(len(named))))
        for kind, named in kinds.items()
    }

    def word(kind: str) -> str:
        return draw.choices(kinds[kind], cum_weights=weights[kind])[0]

    made: list[list[str]] = []
    for _ in range(count):
        if made and draw.random() < REPEATS:
            text = list(draw.choice(made))
            for _ in range(draw.randint(0, 3)):
                at = draw.randrange(len(text))
                text[at : at + draw.randint(0, 1)] = [draw.choice([word("n"), word("a"), *FILLERS])]
        else:
            frame = draw.choice(FRAMES)
            text = [word(part[1]) if part[0] == "{" else part for part in _parts(frame)]
        made.append(text)
    return [" ".join(text).capitalize() + "." for text in made]


def _parts(frame: str) -> list[str]:
    return [part.strip(",") for part in frame.split()]
