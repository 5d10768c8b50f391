"""Texts of which no two overlap: the near-repeat filter, exact, one text at a time."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.measure.overlap.bounds import Bounds
from kshot.measure.overlap.lcs import common_length
from kshot.measure.overlap.rouge import tokens

_Coded: TypeAlias = str | list[int]

_SHARED: Final = 6  # words to find in common before two texts are looked at; speed alone depends on it


@dataclass(frozen=True, slots=True)
class Near:
    """The text that comes nearest.

    Attributes:
        index: As ``add`` returned it.
        score: ROUGE-L F, above the threshold.
    """

    index: int
    score: float


def drop_overlapping(texts: Iterable[str], *, threshold: float = 0.7) -> list[int]:
    """Indices of the texts that stay, in order: greedy, the first of two that overlap stays.

    Two texts overlap where their ROUGE-L F exceeds the threshold (strictly, in double precision, as
    ``rouge_l`` computes it). A text without any token overlaps with none.

    Raises:
        DataError: The threshold is not in [0, 1).

    Source: Self-Instruct, arXiv 2212.10560, section 2.2; decisions as rouge_score 0.1.2.

    >>> drop_overlapping(["Name a red fruit.", "Sing!", "Name a round red fruit."])
    [0, 1]
    """
    kept = DistinctTexts(threshold=threshold)
    return [index for index, text in enumerate(texts) if kept.offer(text) is None]


@final
class DistinctTexts:
    """Kept texts that say at once which of them comes nearest to a new one, if any comes too near.

    Exact: it decides as a comparison with every kept text would. The k-th repeat of a word in a text counts
    as a word of its own, so that two texts share as many words as they have in common with their repeats.
    Of two texts that must share o words, any m - o + c words of the new one hold c of these. So its rarest
    ones are looked up, and texts that hold c of them are counted; a count that stays below the bound even
    with all words not looked up rules a text out. For the few that are left, the longest common
    subsequence is computed, and the float comparison decides. Memory is linear in the kept tokens.

    Raises:
        DataError: The threshold is not in [0, 1).

    Source: prefix filter, Chaudhuri et al. 2006; with c > 1 and the kept texts held whole.

    >>> kept = DistinctTexts()
    >>> kept.offer("Name a red fruit."), kept.offer("Name a round red fruit.")
    (None, Near(index=0, score=0.888888888888889))
    >>> len(kept)
    1
    """

    def __init__(self, *, threshold: float = 0.7) -> None:
        self._bounds = Bounds(threshold)
        self._ids: dict[str, int] = {}  # of first appearances in a text; from 1
        self._repeats: dict[tuple[int, int], int] = {}  # (word, how many came before it in the text)
        self._holders: list[array[int]] = [array("i")]  # by id: the texts that hold it, in order
        self._texts: list[_Coded] = []
        self._lengths = array("i")
        self._longest = 0
        self._leasts = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        """How many texts are kept."""
        return len(self._texts)

    def near(self, text: str) -> Near | None:
        """The kept text with the highest F above the threshold, of equals the first; None where none is."""
        return self.near_tokens(tokens(text))

    def add(self, text: str) -> int:
        """Keeps the text, whatever it repeats; returns its index, counted from 0."""
        return self.add_tokens(tokens(text))

    def offer(self, text: str) -> Near | None:
        """Keeps the text where none comes too near, and returns None; else that one."""
        words = tokens(text)
        found = self.near_tokens(words)
        if found is None:
            self.add_tokens(words)
        return found

    def near_tokens(self, words: Sequence[str]) -> Near | None:
        """As ``near``, of a text that is cut into tokens already."""
        if not words:
            return None
        ids = [self._ids.get(word, 0) for word in words]
        candidates = self._candidates(self._known(ids), len(ids))
        if not len(candidates):
            return None
        coded = self._coded(ids)
        best: Near | None = None
        bar = self._bounds.threshold
        for index in candidates.tolist():
            other = self._texts[index]
            least = int(self._leasts[len(ids) + len(other)])
            if common := common_length(coded, other, least=least):
                precision, recall = common / len(other), common / len(ids)
                score = 2 * precision * recall / (precision + recall)
                if score > bar:
                    best, bar = Near(index, score), score
        return best

    def add_tokens(self, words: Sequence[str]) -> int:
        """As ``add``, of a text that is cut into tokens already."""
        index = len(self._texts)
        ids, seen = [], dict[int, int]()
        for word in words:
            first = self._ids.get(word) or self._ids.setdefault(word, self._new_id())
            ids.append(first)
            before = seen[first] = seen.get(first, -1) + 1
            key = (first, before)
            held = (
                first
                if not before
                else self._repeats.get(key) or self._repeats.setdefault(key, self._new_id())
            )
            self._holders[held].append(index)
        self._texts.append(self._coded(ids))
        self._lengths.append(len(ids))
        self._longest = max(self._longest, len(ids))
        return index

    def _new_id(self) -> int:
        self._holders.append(array("i"))
        if len(self._holders) == sys.maxunicode + 2:  # the next id is no character any more
            self._texts = [list(map(ord, text)) for text in self._texts if isinstance(text, str)]
        return len(self._holders) - 1

    def _coded(self, ids: list[int]) -> _Coded:
        """Numbers as characters, which rapidfuzz compares three times as fast; as they are where too many."""
        return ids if len(self._holders) > sys.maxunicode + 1 else "".join(map(chr, ids))

    def _known(self, ids: list[int]) -> list[int]:
        """Ids of the words and repeats that some kept text has, those of the fewest texts first."""
        known, seen = [], dict[int, int]()
        for first in ids:
            if first:
                before = seen[first] = seen.get(first, -1) + 1
                held = self._repeats.get((first, before), 0) if before else first
                if held:
                    known.append(held)
        known.sort(key=lambda held: len(self._holders[held]))
        return known

    def _candidates(self, known: list[int], length: int) -> NDArray[np.int64]:
        """Kept texts that can come above the threshold, by index; ``known`` of ``length`` words are held."""
        fewest = self._bounds.fewest(length)
        shared = min(_SHARED, fewest)
        prefix = length - fewest + shared
        unknown = length - len(known)  # they come first, and no text holds them
        probes = known[: max(0, prefix - unknown)]
        if len(probes) < shared:
            return np.zeros(0, dtype=np.int64)
        found = np.concatenate([np.frombuffer(self._holders[held], dtype=np.int32) for held in probes])
        counts = np.bincount(found)
        candidates = np.flatnonzero(counts >= shared)
        lengths = np.frombuffer(self._lengths, dtype=np.int32)[candidates]
        most = np.minimum(counts[candidates] + (length - prefix), np.minimum(lengths, length))
        return candidates[most >= self._least_of(length)[lengths]]

    def _least_of(self, length: int) -> NDArray[np.int64]:
        """By the other text's length: the least that it has in common with one of this length."""
        needed = length + self._longest + 1
        if len(self._leasts) < needed:
            self._leasts = np.array([self._bounds.least(total) for total in range(2 * needed)], np.int64)
        return self._leasts[length:]
