"""From a model's words to an action that the environment accepts, without jumping to an unrelated one.

The model's action is sent as it is. Only a refused one is compared with the valid actions, and replaced only
where verb and number of objects agree, each object is the same thing named more or less fully, and exactly
one valid action is nearest. A focus, which may end an episode, needs the exact object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FLOOR = 0.5
EXACT = frozenset({"focus"})
_ARTICLES = frozenset({"the", "a", "an"})
_LINKS = frozenset({"to", "of", "in", "into", "on", "with"})
_PARTICLES = frozenset({"up", "down", "at", "in", "around"})
_SEPARATORS: Mapping[str, tuple[str, ...]] = {
    "move": ("to", "into", "in"),
    "put": ("to", "into", "in"),
    "pour": ("into", "in", "to"),
    "dunk": ("into", "in"),
    "connect": ("to",),
    "use": ("on", "with"),
}
_WORDS = re.compile(r"[\w'-]+")


@dataclass(frozen=True, slots=True)
class Parsed:
    """One action: its verb, with the particle that changes its meaning, and the words of each object."""

    verb: str
    objects: tuple[tuple[str, ...], ...] = field(default=())


def trimmed(action: str) -> str:
    """An action as it is sent: one line, single blanks, no prompt mark, and ``greenhouse`` in one word.

    >>> trimmed("> Go to the  green house.")
    'Go to the greenhouse'
    """
    line = " ".join(action.strip().split("\n")[0].split())
    line = line.lstrip("> ").rstrip(". ")
    return re.sub(r"\bgreen house\b", "greenhouse", line, flags=re.IGNORECASE)


def parse(action: str) -> Parsed:
    """Verb and objects of an action, casefolded, without articles.

    >>> parse("Move the red apple to a jar")
    Parsed(verb='move', objects=(('red', 'apple'), ('jar',)))
    >>> parse("look at door to kitchen").verb, parse("wait").objects
    ('look at', ())
    """
    words = [word for word in _WORDS.findall(action.casefold()) if word not in _ARTICLES]
    if not words:
        return Parsed("")
    verb, rest = words[0], words[1:]
    separators = _SEPARATORS.get(verb, ())
    if rest and rest[0] in _PARTICLES:
        verb, rest = f"{verb} {rest[0]}", rest[1:]
    elif rest and rest[0] in _LINKS:
        rest = rest[1:]
    cut = _last_separator(rest, separators)
    parts = [rest] if cut is None else [rest[:cut], rest[cut + 1 :]]
    return Parsed(verb, tuple(tuple(part) for part in parts if part))


def similarity(wanted: tuple[str, ...], found: tuple[str, ...]) -> float:
    """How much two names of an object say the same: 0 unless all words of one stand in the other.

    Else 2 |both| / (|wanted| + |found|) over the words without those like ``to`` and ``in``, repeats counted
    once. Names with different numbers are different things.

    >>> similarity(("kitchen", "door"), ("door", "to", "kitchen"))
    1.0
    >>> similarity(("pot",), ("metal", "pot")), similarity(("red", "paint"), ("blue", "paint"))
    (0.6666666666666666, 0.0)
    """
    one, other = set(wanted) - _LINKS, set(found) - _LINKS
    if not one or not other or not (one <= other or other <= one):
        return 0.0
    if {word for word in one if word.isdigit()} != {word for word in other if word.isdigit()}:
        return 0.0
    return 2 * len(one & other) / (len(one) + len(other))


def nearest_valid(action: str, valid: Sequence[str], *, floor: float = FLOOR) -> str | None:
    """The one valid action that a refused action meant, or None where that is not certain.

    Candidates have the verb and the number of objects. The value of a candidate is its least similar
    object; it must reach ``floor``, and no other candidate may reach the same value. Spelled otherwise with
    the same words is 1. ``valid`` may come in any order.

    Source: spec of PANDA, section 9. The release took word overlap over all valid actions: a focus on a
    crocodile became one on an orange.

    >>> valid = ["open door to hall", "open cupboard", "focus on orange", "focus on door to hall"]
    >>> nearest_valid("open the hall door", valid)
    'open door to hall'
    >>> nearest_valid("focus on crocodile", valid) is None, nearest_valid("focus on hall", valid) is None
    (True, True)
    """
    wanted = parse(action)
    if not wanted.verb:
        return None
    values = {candidate: _value(wanted, parse(candidate)) for candidate in valid}
    best = max(values.values(), default=0.0)
    if best < max(floor, 1e-9):
        return None
    winners = [candidate for candidate, value in values.items() if value == best]
    return winners[0] if len(winners) == 1 else None


def same_action(one: str, other: str) -> bool:
    """Whether two actions are the same spelled more or less fully: then neither is the other's rival.

    >>> same_action("move egg in inventory to red box", "move egg to red box")
    True
    """
    left, right = parse(one), parse(other)
    if left.verb.split(" ")[0] != right.verb.split(" ")[0]:
        return False
    words = [{word for part in parsed.objects for word in part} - _LINKS for parsed in (left, right)]
    return words[0] <= words[1] or words[1] <= words[0]


def _value(wanted: Parsed, candidate: Parsed) -> float:
    if wanted.verb != candidate.verb or len(wanted.objects) != len(candidate.objects):
        return 0.0
    if not wanted.objects:
        return 1.0
    if wanted.verb.split(" ")[0] in EXACT:
        pairs = zip(wanted.objects, candidate.objects, strict=True)
        return float(all(sorted(one) == sorted(other) for one, other in pairs))
    return min(similarity(one, other) for one, other in zip(wanted.objects, candidate.objects, strict=True))


def _last_separator(words: Sequence[str], separators: tuple[str, ...]) -> int | None:
    """Where the second object begins: the last of the likeliest separator, as names hold such words too."""
    for separator in separators:
        places = [
            place for place, word in enumerate(words) if word == separator and 0 < place < len(words) - 1
        ]
        if places:
            return places[-1]
    return None
