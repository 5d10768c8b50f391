"""What a task holds already, as its requests show it: verbs, newest and most central instructions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, final

from kshot.measure.overlap import tokens
from kshot.methods.explore.records import Item, Row
from kshot.methods.explore.rules import verb_of
from kshot.methods.explore.seams import Language

SHOWN_VERBS: Final = 12
SHORT: Final = 2000  # characters above which a row that the user had is too long to be shown
REMEMBERED: Final = 400  # newest instructions of a task among which the most central are looked for


@final
class View:
    """One task's rows, kept up to date as rows are kept.

    What is most central depends on the task's newest 400 rows alone, so that a task with many rows costs no
    more than one with few.
    """

    def __init__(self, language: Language) -> None:
        self._language = language
        self._verbs: dict[str, int] = {}
        self._texts: list[str] = []
        self._words: list[frozenset[str]] = []
        self._short: list[Item] = []
        self._central: tuple[str, ...] | None = None

    @property
    def examples(self) -> Sequence[Item]:
        """Rows short enough to be shown whole, in the order of their commits."""
        return self._short

    def add(self, items: Sequence[Item]) -> None:
        """More rows were kept."""
        texts = [item.instruction for item in items if len(item.instruction) <= SHORT]
        self._count(self._verbs, texts)
        self._texts = [*self._texts, *texts][-REMEMBERED:]
        self._words = [*self._words, *(frozenset(tokens(text)) for text in texts)][-REMEMBERED:]
        self._short.extend(
            item for item in items if len(item.instruction) + len(item.input) + len(item.output) <= SHORT
        )
        self._central = None

    def verbs(self, more: Sequence[str] = ()) -> tuple[tuple[str, int], ...]:
        """Verbs of these rows and of more instructions, most frequent first; ties by first appearance."""
        found = dict(self._verbs)
        self._count(found, more)
        return tuple(sorted(found.items(), key=lambda pair: -pair[1])[:SHOWN_VERBS])

    def nearby(self, count: int, more: Sequence[str] = ()) -> tuple[str, ...]:
        """Up to ``count`` instructions, each once: half of them the most central, the others the newest.

        Args:
            count: How many.
            more: Newer than the rows.
        """
        central = self._most_central(count)[: count // 2]
        newest = (*self._texts[-count:], *more)
        found = dict.fromkeys(central)
        for text in reversed(newest):
            if len(found) >= count:
                break
            found.setdefault(text)
        return tuple(found)

    def _count(self, verbs: dict[str, int], instructions: Iterable[str]) -> None:
        for text in instructions:
            if verb := verb_of(text, self._language):
                verbs[verb] = verbs.get(verb, 0) + 1

    def _most_central(self, count: int) -> tuple[str, ...]:
        """The instructions whose sets of words have the largest cosine with the sum of all sets."""
        if self._central is None or len(self._central) < min(count, len(self._words)):
            weight = Counter(word for words in self._words for word in words)
            scores = [
                sum(weight[word] for word in words) / max(1, len(words)) ** 0.5 for words in self._words
            ]
            order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
            self._central = tuple(self._texts[place] for place in order[:count])
        return self._central


def views_of(rows: Iterable[Row], language: Language) -> dict[str, View]:
    """A view of each task that has rows.

    >>> views_of([Row("r", "a1", Item("List three rivers."))], "en")["a1"].nearby(2)
    ('List three rivers.',)
    """
    items: dict[str, list[Item]] = {}
    for row in rows:
        items.setdefault(row.node, []).append(row.item)
    found = {}
    for node, held in items.items():
        found[node] = View(language)
        found[node].add(held)
    return found
