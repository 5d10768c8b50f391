"""Which of many texts share much with a new one, by ROUGE-L or a run of words: exact, without all pairs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from kshot.errors import DataError
from kshot.measure.overlap.bounds import Bounds
from kshot.measure.overlap.lcs import common_length

Tokens = Sequence[str]

_TEMPLATE_RUN: Final = 8  # words of a template in a row that are taken for the template
_TEMPLATE_LEAST: Final = 4  # a template text with fewer words hides nothing
_DIFFERENT_LEAST: Final = 3  # different words in a run
_MULTIPLIER: Final = 0x9E3779B97F4A7C15


@final
class OverlapIndex:
    """Finds the indexed texts whose ROUGE-L F with a new text exceeds the threshold.

    With F above t two texts of m and n tokens share at least t(m + n)/2 of them, counting repeats. Sorted
    rare words first, they then share one among the first m - o + 1, where o is the least such number
    for any n: only these are looked up. What is found is scored by its longest common subsequence.

    Raises:
        DataError: The threshold is not in [0, 1).

    Source: prefix filter, Chaudhuri et al. 2006; ROUGE-L as ``overlap.rouge_l``, compared with ``>``.

    >>> index = OverlapIndex([["a", "red", "car"], ["the", "sun"]], threshold=0.7)
    >>> [(found, round(score, 3)) for found, score in index.above(["a", "red", "car", "stops"])]
    [(0, 0.857)]
    """

    def __init__(self, texts: Iterable[Tokens], *, threshold: float = 0.7) -> None:
        self._bounds = Bounds(threshold)
        self._ids: dict[str, int] = {}
        stored = [[self._ids.setdefault(token, len(self._ids) + 1) for token in text] for text in texts]
        self._texts = [self._coded(ids) for ids in stored]
        frequency = Counter(token for ids in stored for token in ids)
        order = sorted(frequency, key=frequency.__getitem__)  # stable: ties by first appearance
        self._rank = {token: rank for rank, token in enumerate(order)}
        self._postings: list[list[int]] = [[] for _ in order]
        for index, ids in enumerate(stored):
            for rank in set(sorted(self._rank[token] for token in ids)[: self._prefix(len(ids))]):
                self._postings[rank].append(index)

    def above(self, text: Tokens) -> Iterator[tuple[int, float]]:
        """(index, F) of each indexed text above the threshold, by index."""
        ids = [self._ids.get(token, 0) for token in text]
        known = sorted(rank for token in ids if (rank := self._rank.get(token)) is not None)
        unknown = len(ids) - len(known)  # the rarest of all: they come first and match nothing
        probes = known[: max(0, self._prefix(len(ids)) - unknown)]
        candidates = {index for rank in probes for index in self._postings[rank]}
        coded = self._coded(ids) if candidates else ""
        for index in sorted(candidates):
            other = self._texts[index]
            least = self._bounds.least(len(ids) + len(other))
            if least > len(ids) or least > len(other):
                continue
            if common := common_length(coded, other, least=least):
                precision, recall = common / len(other), common / len(ids)
                score = 2 * precision * recall / (precision + recall)
                if score > self._bounds.threshold:
                    yield index, score

    def _coded(self, ids: list[int]) -> str | list[int]:
        """Numbers as characters, which rapidfuzz compares three times as fast; as they are where too many."""
        return ids if len(self._ids) > sys.maxunicode else "".join(map(chr, ids))

    def _prefix(self, length: int) -> int:
        return length - self._bounds.fewest(length) + 1


@final
class RunIndex:
    """Finds the indexed texts that share a run of words with a new text, outside given templates.

    Words of an indexed text that stand in 8 words running of a template (the whole of one with 4 to 7)
    belong to no run; a template of fewer words hides nothing. A run of less than three different words is
    none: masked names alone (``@user`` 13 times) would make copies of 288 rows of TweetEval's ``offensive``.

    Raises:
        DataError: ``length`` is below 1.

    >>> index = RunIndex([["we", "sat", "on", "the", "wall"]], length=3)
    >>> index.shared([["he", "sat", "on", "the", "floor"], ["on", "the", "road"]])
    [(0, 0, 'sat on the')]
    """

    def __init__(
        self, texts: Iterable[Tokens], *, length: int = 13, templates: Iterable[Tokens] = ()
    ) -> None:
        if length < 1:
            raise DataError(f"the run is {length} words long, expected at least 1")
        self._length = length
        self._ids: dict[str, int] = {}
        pieces = _template_pieces(templates)
        stored = []
        for text in texts:
            ids = np.array([self._ids.setdefault(token, len(self._ids) + 1) for token in text], np.int64)
            ids[_covered(text, pieces)] = 0
            stored.append(ids)
        self._flat, self._starts = _joined(stored)
        windows = np.flatnonzero(_whole(self._flat, length))
        hashes = _hashed(self._flat, length)[windows]
        self._keys, first = np.unique(hashes, return_index=True)  # of equal runs, the first text's
        self._places = windows[first]

    def shared(self, texts: Sequence[Tokens]) -> list[tuple[int, int, str]]:
        """(new text, indexed text, the run) for each new text that shares a run, by new text.

        Of several indexed texts the first is named, of several runs with it the first.
        """
        stored = [np.array([self._ids.get(token, 0) for token in text], np.int64) for text in texts]
        flat, starts = _joined(stored)
        places = np.flatnonzero(_whole(flat, self._length))
        if not len(places) or not len(self._keys):
            return []
        hashes = _hashed(flat, self._length)[places]
        at = np.minimum(np.searchsorted(self._keys, hashes), len(self._keys) - 1)
        hit = self._keys[at] == hashes
        places, origins = places[hit], self._places[at[hit]]
        run = np.arange(self._length)
        words = flat[places[:, None] + run]  # (hits, length)
        different = (np.diff(np.sort(words, axis=1), axis=1) != 0).sum(axis=1) + 1
        same = (words == self._flat[origins[:, None] + run]).all(axis=1)
        same &= different >= min(_DIFFERENT_LEAST, self._length)
        places, origins = places[same], origins[same]
        rows = np.searchsorted(starts, places, side="right") - 1
        owners = np.searchsorted(self._starts, origins, side="right") - 1
        order = np.lexsort((places, owners, rows))
        _, firsts = np.unique(rows[order], return_index=True)
        found = []
        for pick in order[firsts]:
            row, begin = int(rows[pick]), int(places[pick] - starts[rows[pick]])
            found.append((row, int(owners[pick]), " ".join(texts[row][begin : begin + self._length])))
        return found


def _template_pieces(templates: Iterable[Tokens]) -> dict[int, set[tuple[str, ...]]]:
    pieces: dict[int, set[tuple[str, ...]]] = {}
    for template in templates:
        size = min(_TEMPLATE_RUN, len(template))
        if size >= _TEMPLATE_LEAST:
            found = {tuple(template[at : at + size]) for at in range(len(template) - size + 1)}
            pieces.setdefault(size, set()).update(found)
    return pieces


def _covered(text: Tokens, pieces: dict[int, set[tuple[str, ...]]]) -> NDArray[np.bool_]:
    covered = np.zeros(len(text), dtype=np.bool_)
    for size, known in pieces.items():
        for at in range(len(text) - size + 1):
            if tuple(text[at : at + size]) in known:
                covered[at : at + size] = True
    return covered


def _joined(texts: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All texts in one array, a 0 after each, and where each begins."""
    gap = np.zeros(1, dtype=np.int64)
    flat = np.concatenate([part for text in texts for part in (text, gap)] or [gap])
    lengths = np.array([len(text) + 1 for text in texts], dtype=np.int64)
    return flat, np.concatenate([gap, np.cumsum(lengths)[:-1]]) if len(texts) else gap


def _whole(flat: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Whether the window that begins at each place has no 0 in it."""
    zeros = np.concatenate([[0], np.cumsum(flat == 0)])
    whole: NDArray[np.bool_] = zeros[length:] == zeros[:-length] if length < len(zeros) else zeros[:0] == 0
    return whole


def _hashed(flat: NDArray[np.int64], length: int) -> NDArray[np.uint64]:
    count = max(0, len(flat) - length + 1)
    hashes = np.zeros(count, dtype=np.uint64)
    for at in range(length):
        factor = np.uint64(pow(_MULTIPLIER, at + 1, 1 << 64))
        hashes += flat[at : at + count].astype(np.uint64) * factor
    return hashes
