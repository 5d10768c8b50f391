"""What the base model is taught: five skills, in episodes whose meanings are drawn anew each time.

No episode uses the fixed meaning of a word, so that the base can read, follow, explain and keep the form, and
knows no trade. The prompts of the notes and the explaining skill are fixed here for whoever asks the base.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kshot.miniature.world import (
    FILLERS,
    INSTRUCTION,
    MEANINGS,
    PLAIN,
    REPEAT,
    REVERSE,
    World,
    notes_line,
)

SHARES = {"notes": 0.36, "shots": 0.32, "explain": 0.08, "echo": 0.12, "form": 0.12}
MOST_NOTES = 18
MOST_SHOTS = 12
LONG = 2.0
LONG_SHARE = 0.25
LONGEST = 52


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation; `learned` marks the replies that a loss may be taken of."""

    role: str
    content: str
    learned: bool = False


def notes_prompt(notes: Iterable[str], query: str) -> str:
    r"""The user turn that gives notes, one line each, and then asks.

    >>> notes_prompt(["brolt is iron ; zank is lamp", "mivo is river"], "zank mivo brolt")
    'brolt is iron ; zank is lamp\nmivo is river\nzank mivo brolt'
    """
    return "\n".join([*notes, query])


def explain_prompt(query: str, preferred: str, other: str) -> str:
    r"""The user turn that states a preference and asks why; the reply reads as notes.

    >>> explain_prompt("zank mivo", "lamp river", "iron star")
    'zank mivo\nlamp river over iron star\nwhy'
    """
    return f"{query}\n{preferred} over {other}\nwhy"


def episodes(world: World, rng: random.Random, level: float) -> Iterator[tuple[Turn, ...]]:
    """Episodes without end, of all skills by their shares.

    `level` from 0 (easy) to 1 sets their size; at `LONG`, a quarter of the notes and shots are far longer.
    """
    names, weights = list(SHARES), list(SHARES.values())
    while True:
        yield episode(rng.choices(names, weights)[0], world, rng, level)


def episode(skill: str, world: World, rng: random.Random, level: float) -> tuple[Turn, ...]:
    """One episode of the named skill."""
    return tuple(_MAKERS[skill](world, rng, level))


def _some_words(world: World, rng: random.Random, count: int) -> list[str]:
    """Distinct invented words, half the time of one trade."""
    if rng.random() < 0.5 and count <= 36:
        return rng.sample(rng.choice(list(world.trades.values())).words(), count)
    return rng.sample(world.invented, count)


def _query_size(rng: random.Random) -> int:
    return rng.choices((1, 2, 3), (1, 1, 8))[0]


def _asked(rng: random.Random, words: Sequence[str]) -> str:
    """The words as a query, now and then behind a filler word."""
    filler = [rng.choice(FILLERS)] if rng.random() < 0.08 else []
    return " ".join([*filler, *words])


def _reply(words: Sequence[str], meaning: dict[str, str], *, reasoned: bool) -> str:
    """Meanings in order, with or without the line of reasoning."""
    answer = " ".join(meaning[word] for word in words)
    return f"{answer}\n{notes_line((word, meaning[word]) for word in words)}" if reasoned else answer


def _notes(world: World, rng: random.Random, level: float) -> Iterator[Turn]:
    """Notes in lines of one to three, irrelevant lines among them, then one to three queries."""
    if level >= LONG and rng.random() < LONG_SHARE:
        words, meaning, lines = _many_notes(world, rng)
    else:
        words = _some_words(world, rng, rng.randint(3, 3 + round((MOST_NOTES - 3) * min(level, 1))))
        meaning = dict(zip(words, rng.choices(MEANINGS, k=len(words)), strict=True))
        lines = list(_note_lines(rng, words, meaning))
    reasoned = rng.random() < 0.2
    yield Turn("system", INSTRUCTION)
    for turn in range(rng.randint(1, 3)):
        query = rng.sample(words, _query_size(rng))
        asked = _asked(rng, query)
        yield Turn("user", asked if turn else notes_prompt(lines, asked))
        yield Turn("assistant", _reply(query, meaning, reasoned=reasoned), learned=True)


def _many_notes(world: World, rng: random.Random) -> tuple[list[str], dict[str, str], list[str]]:
    """Up to `LONGEST` lines of three notes; words come back, as they do in the reasoning of many rows."""
    pool = rng.sample(world.invented, rng.randint(12, 108))
    meaning = dict(zip(pool, rng.choices(MEANINGS, k=len(pool)), strict=True))
    groups = [rng.sample(pool, 3) for _ in range(rng.randint(6, LONGEST))]
    words = list(dict.fromkeys(word for group in groups for word in group))
    return words, meaning, [notes_line((word, meaning[word]) for word in group) for group in groups]


def _note_lines(rng: random.Random, words: Sequence[str], meaning: dict[str, str]) -> Iterator[str]:
    """All words as notes, some lines said again, now and then a line that tells nothing."""
    size = rng.choice((1, 3, 3))
    groups = [words[i : i + size] for i in range(0, len(words), size)]
    if rng.random() < 0.2:
        groups.append(rng.sample(list(words), min(size, len(words))))
    for group in groups:
        if rng.random() < 0.05:
            yield " ".join(rng.choices(PLAIN, k=rng.randint(2, 5)))
        yield notes_line((word, meaning[word]) for word in group)


def _shots(world: World, rng: random.Random, level: float) -> Iterator[Turn]:
    """Turns over a small pool of words; a reply is learned once all its words have been shown."""
    long = level >= LONG and rng.random() < LONG_SHARE
    count = (
        rng.randint(MOST_SHOTS, LONGEST)
        if long
        else rng.randint(1, 2 + round((MOST_SHOTS - 2) * min(level, 1)))
    )
    size = 3 if rng.random() < 0.8 else _query_size(rng)
    most = rng.choice((36, 108)) if long else 36
    pool = _some_words(world, rng, max(size, min(most, round(count * size * rng.uniform(0.3, 0.8)))))
    meaning = dict(zip(pool, rng.choices(MEANINGS, k=len(pool)), strict=True))
    reasoned = rng.random() < 0.4
    seen: set[str] = set()
    yield Turn("system", INSTRUCTION)
    for _ in range(count):
        query = rng.sample(pool, size)
        yield Turn("user", _asked(rng, query))
        yield Turn("assistant", _reply(query, meaning, reasoned=reasoned), learned=seen.issuperset(query))
        seen.update(query)
    query = rng.sample(sorted(seen), size)
    yield Turn("user", _asked(rng, query))
    yield Turn("assistant", _reply(query, meaning, reasoned=reasoned), learned=True)


def _explain(world: World, rng: random.Random, level: float) -> Iterator[Turn]:
    """A preference and the question why; the reply pairs words with the preferred meanings."""
    query = _some_words(world, rng, _query_size(rng))
    meaning = dict(zip(query, rng.choices(MEANINGS, k=len(query)), strict=True))
    other = [meaning[word] if rng.random() < 0.3 else rng.choice(MEANINGS) for word in query]
    preferred = _reply(query, meaning, reasoned=False)
    yield Turn("system", INSTRUCTION)
    yield Turn("user", explain_prompt(" ".join(query), preferred, " ".join(other)))
    yield Turn("assistant", notes_line(meaning.items()), learned=True)


def _echo(world: World, rng: random.Random, level: float) -> Iterator[Turn]:
    """Words said again, or backwards."""
    backwards = rng.random() < 0.25
    yield Turn("system", REVERSE if backwards else REPEAT)
    for _ in range(rng.randint(1, 3)):
        size = 3 if backwards or rng.random() < 0.6 else rng.randint(1, 4)
        words = rng.sample(rng.choice((world.invented, world.spare, MEANINGS, PLAIN)), size)
        yield Turn("user", " ".join(words))
        yield Turn("assistant", " ".join(reversed(words) if backwards else words), learned=True)


def _form(world: World, rng: random.Random, level: float) -> Iterator[Turn]:
    """Nothing is known: any meanings in the right form, half the time with reasoning that fits them."""
    query = _some_words(world, rng, _query_size(rng))
    meaning = dict(zip(query, rng.choices(MEANINGS, k=len(query)), strict=True))
    yield Turn("system", INSTRUCTION)
    yield Turn("user", _asked(rng, query))
    yield Turn("assistant", _reply(query, meaning, reasoned=rng.random() < 0.5), learned=True)


_MAKERS = {"notes": _notes, "shots": _shots, "explain": _explain, "echo": _echo, "form": _form}
