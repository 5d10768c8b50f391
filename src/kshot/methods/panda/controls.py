"""Controls of PANDA: pools that look like the real one and should not help if the insights do the work.

Source: the spec's own; arXiv 2402.12835 has no such controls that could be read.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from kshot.data.example import Example, normalised
from kshot.errors import DataError
from kshot.methods.panda.pairs import reversed_preference
from kshot.methods.panda.records import Heuristic, Insight, Preference
from kshot.methods.panda.seams import Chosen, Retrieved
from kshot.models.base import Embedder

_FILLER = (
    "This paragraph stands here only to take up room on the page.",
    "It was written once and is the same wherever it is shown.",
    "Nothing in it comes from the row above or from any other row.",
    "A reader may pass over it and will have missed nothing of use.",
    "Its length is chosen so that the page is as full as it would be otherwise.",
    "The sentences follow each other in a fixed order and then begin again.",
)


@dataclass(frozen=True, slots=True)
class Reversed:
    """Both sides of a reversal.

    Attributes:
        preferences: With the preferred answer and its rival in each other's place, flagged ``corrupted``.
        kept: For each of these its position among those given.
        dropped: Position and reason of those without a rival.
    """

    preferences: tuple[Preference, ...]
    kept: tuple[int, ...]
    dropped: tuple[tuple[int, str], ...] = ()


def shuffled(insights: Sequence[Insight], *, seed: int = 0) -> tuple[Insight, ...]:
    """Each record keeps its key and its preference and gets the explanation of another.

    A derangement drawn by ``seed``. Nobody gets a text equal to its own, unless more than half of the
    explanations are equal: then as few as possible do. Records are flagged ``shuffled``.

    Raises:
        DataError: There is one record, or all explanations are equal: no shuffle would change anything.

    >>> [one.insight for one in shuffled([Insight(0, "a", "x"), Insight(1, "b", "y"), Insight(2, "c", "x")])]
    ['y', 'x', 'x']
    """
    if not insights:
        return ()
    texts = [one.explanation for one in insights]
    if len(set(texts)) < 2:
        found = "one insight" if len(texts) == 1 else f"{len(texts)} insights with one and the same text"
        raise DataError(f"shuffled control: found {found}; expected at least two different explanations")
    givers = _derangement(texts, random.Random(seed))
    return tuple(
        replace(one, opening=insights[giver].opening, insight=insights[giver].insight,
                flags=(*one.flags, "shuffled"))
        for one, giver in zip(insights, givers, strict=True)
    )  # fmt: skip


def reversed_preferences(preferences: Sequence[Preference], *, heuristic: Heuristic = "top2") -> Reversed:
    """Preferences whose explanation is asked for the wrong way round: the rival over the preferred answer.

    The rival is the one that ``heuristic`` names (``top1`` names none: the second answer). Answers change
    places, probabilities stay: what is shown of a reversed preference looks as sure as the real one did.

    >>> from kshot.methods.panda.records import Candidate, ExpertFacts
    >>> ranked = (Candidate("yes", "", 0.9), Candidate("no", "", 0.1))
    >>> one = Preference("t", ranked, ExpertFacts("classifier"))
    >>> reversed_preferences([one]).preferences[0].top
    Candidate(answer='no', name='', probability=0.9)
    """
    asked: Heuristic = "top2" if heuristic == "top1" else heuristic
    made, kept, dropped = [], [], []
    for position, preference in enumerate(preferences):
        if len(preference.candidates) < 2:
            dropped.append((position, "one answer alone has no rival to be reversed with"))
            continue
        made.append(reversed_preference(preference, asked))
        kept.append(position)
    return Reversed(tuple(made), tuple(kept), tuple(dropped))


def neutral(insights: Sequence[Insight]) -> tuple[Insight, ...]:
    """Each explanation replaced by filler of the same number of words that says nothing of any row.

    The text is fixed. Sentences in which a candidate's name occurs are left out. Flagged ``neutral``.

    >>> neutral([Insight(0, "a", "It rains a lot.")])[0].insight
    'This paragraph stands here'
    """
    names = {
        normalised(name)
        for one in insights
        for candidate in (one.preference.candidates if one.preference else ())
        for name in (candidate.answer, candidate.shown)
    }
    wanted = [text for text in _FILLER if not _names_any(text, names)] or list(_FILLER)
    words = " ".join(wanted).split()
    made = []
    for one in insights:
        length = len(one.explanation.split())
        text = " ".join((words * (length // len(words) + 1))[:length])
        made.append(replace(one, opening="", insight=text, flags=(*one.flags, "neutral")))
    return tuple(made)


@final
class IrrelevantRetriever:
    """The ``k`` least similar records instead of the nearest; least similar first, ties in pool order.

    Takes and gives what a ``Retriever`` does. Keys are embedded once. To use another task's pool as the
    irrelevant one, give that pool to an ordinary ``Retriever`` instead.

    Example::

        retrieve = IrrelevantRetriever(pool.insights, embedder, k=6)
        retrieve(row).chosen[0].score
    """

    def __init__(
        self,
        insights: Iterable[Insight],
        embedder: Embedder,
        *,
        k: int = 6,
        key: Callable[[Example], str] = lambda row: row.prompt,
    ) -> None:
        if k < 0:
            raise DataError(f"irrelevant control: k is {k}, expected 0 or more")
        self._insights = tuple(insights)
        self._embedder = embedder
        self._k = k
        self._key = key
        self._vectors = embedder.encode([one.key for one in self._insights])  # (N, dim)

    def __call__(self, row: Example) -> Retrieved:
        """The least similar records to a row's key."""
        if not self._insights or not self._k:
            return Retrieved()
        scores = self._vectors @ self._embedder.encode([self._key(row)])[0]  # (N,)
        order = np.argsort(scores, kind="stable")[: self._k]
        return Retrieved(tuple(Chosen(self._insights[at], float(scores[at])) for at in order))


def _names_any(text: str, names: set[str]) -> bool:
    padded = f" {normalised(text).rstrip('.')} "
    return any(f" {name} " in padded for name in names if name)


def _derangement(texts: Sequence[str], rng: random.Random) -> list[int]:
    """For each position another one whose text differs from its own, wherever that can be."""
    count = len(texts)
    givers = list(range(count))
    rng.shuffle(givers)
    # One text in more than half of the places: some must get it; a shift by its number gives the fewest.
    text, most = Counter(texts).most_common(1)[0]
    if 2 * most >= count:
        order = [at for at in givers if texts[at] == text] + [at for at in givers if texts[at] != text]
        return [giver for _, giver in sorted((at, order[(place + most) % count])
                                             for place, at in enumerate(order))]  # fmt: skip
    for at in range(count):
        if texts[givers[at]] != texts[at]:
            continue
        start = rng.randrange(count)
        for step in range(count):
            other = (start + step) % count
            if texts[givers[other]] != texts[at] and texts[givers[at]] != texts[other]:
                givers[at], givers[other] = givers[other], givers[at]
                break
    return givers
