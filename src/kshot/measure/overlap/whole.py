"""Short texts found whole inside longer ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias, final

Tokens: TypeAlias = Sequence[str]

SHORTEST = 3  # tokens; below, a text stands in others by chance
FEWEST_LETTERS = 12


@final
class WholeIndex:
    """Texts of fewer tokens than a run has, to be found as a whole inside other texts.

    Left out are texts of fewer than three different tokens or twelve letters, and those that stand in a
    template: they say nothing about where a longer text comes from.

    Args:
        texts: As tokens; an empty token is never found.
        below: Texts of so many tokens and more are left out: a shared run finds them.
        templates: Wordings whose repetition is no evidence.
    """

    def __init__(self, texts: Iterable[Tokens], *, below: int, templates: Sequence[Tokens] = ()) -> None:
        self._by_start: dict[tuple[str, ...], list[tuple[int, tuple[str, ...]]]] = {}
        known = [tuple(template) for template in templates]
        for number, text in enumerate(texts):
            whole = tuple(text)
            telling = len(set(whole)) >= SHORTEST and len("".join(whole)) >= FEWEST_LETTERS
            if telling and len(whole) < below and not any(_holds(template, whole) for template in known):
                self._by_start.setdefault(whole[:SHORTEST], []).append((number, whole))

    def first(self, text: Tokens) -> tuple[int, str] | None:
        """The indexed text that stands first in a text, and its words; None where none does.

        >>> index = WholeIndex([["who", "wrote", "faust"]], below=13)
        >>> index.first(["tell", "me", "who", "wrote", "faust"])
        (0, 'who wrote faust')
        """
        if not self._by_start:
            return None
        for at in range(len(text) - SHORTEST + 1):
            for number, whole in self._by_start.get(tuple(text[at : at + SHORTEST]), ()):
                if tuple(text[at : at + len(whole)]) == whole:
                    return number, " ".join(whole)
        return None


def _holds(text: tuple[str, ...], part: tuple[str, ...]) -> bool:
    return any(text[at : at + len(part)] == part for at in range(len(text) - len(part) + 1))
