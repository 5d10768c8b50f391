"""How far texts overlap with one another and with seeds: ROUGE-L over pairs, without a table of all pairs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.errors import InputError
from kshot.measure.overlap.bounds import Bounds
from kshot.measure.overlap.lcs import lcs_length
from kshot.measure.overlap.rouge import tokens

Scores: TypeAlias = NDArray[np.float64]
Lengths: TypeAlias = NDArray[np.int64]

QUANTILES: Final = (0.1, 0.25, 0.5, 0.75, 0.9)
_CELLS: Final = 1 << 20  # pairs that are in memory at once
# 0.1, 0.2, 0.30000000000000004, ... 0.7000000000000001: as histograms have it, and so that the tenths from
# the eighth on hold exactly the pairs that the filter refuses at 0.7.
_EDGES: Final = np.arange(1, 10) * 0.1


@dataclass(frozen=True, slots=True)
class Distribution:
    """ROUGE-L F between texts, each with every other one.

    Attributes:
        texts: How many there are.
        compared: How many of them were compared with all others: all, or a sample drawn by seed.
        pairs: Compared pairs; in a sample a pair of two drawn texts counts from both ends.
        mean: Of F over the pairs; 0 without any.
        tenths: Share of the pairs with F in [0, .1), [.1, .2), ... [.9, 1]; sum 1, or all 0 without any.
        threshold: What ``above`` and ``ties`` are about.
        above: Pairs with F > threshold, as the filter decides.
        ties: Pairs where 2L / (m + n) is exactly the threshold as it is written in decimals.
        ties_above: How many of these the rounding of F puts above.
        means: Quantiles (``QUANTILES``) over the compared texts of their mean F with all others.
        nearest: Likewise, of their highest F with another.
        nearest_tenths: Share of the compared texts by highest F, in tenths as above.
    """

    texts: int
    compared: int
    pairs: int
    mean: float
    tenths: tuple[float, ...]
    threshold: float
    above: int
    ties: int
    ties_above: int
    means: tuple[float, ...]
    nearest: tuple[float, ...]
    nearest_tenths: tuple[float, ...]

    @property
    def is_sample(self) -> bool:
        """Whether only a part of the pairs was compared."""
        return self.compared < self.texts


def pair_distribution(
    texts: Sequence[str], *, most: int = 5_000, threshold: float = 0.7, seed: int = 0
) -> Distribution:
    """Overlap within a set of texts: over pairs, and of each text with the one nearest to it.

    Exact for up to ``most`` texts. Of more, a sample drawn by seed is compared with all others, so many that
    the number of comparisons stays; mean and nearest are then unbiased estimates. Memory is linear.

    Raises:
        InputError: ``most`` is below 2.
        DataError: The threshold is not in [0, 1).

    Source: the three distributions of Explore-Instruct (arXiv 2310.09168) and Self-Instruct (2212.10560).

    >>> found = pair_distribution(["a red car", "a red car", "the sun"])
    >>> round(found.mean, 3), found.above, found.nearest[2]
    (0.333, 1, 1.0)
    """
    if most < 2:
        raise InputError(f"most is {most}; expected at least 2 texts to compare")
    Bounds(threshold)
    lists = [tokens(text) for text in texts]
    count = len(lists)
    if count <= most:
        rows, is_whole = list(range(count)), True
    else:
        drawn = max(1, most * (most - 1) // (2 * (count - 1)))
        rows, is_whole = sorted(random.Random(seed).sample(range(count), drawn)), False
    return _summed(lists, rows, is_whole=is_whole, threshold=threshold)


def nearest_to(texts: Sequence[str], seeds: Sequence[str]) -> Scores:
    """The highest ROUGE-L F of each text with any seed, shape (texts,); 0 where there is no seed.

    >>> nearest_to(["a red car", "the sun"], ["my red car", "a car"]).round(3).tolist()
    [0.8, 0.0]
    """
    rows, columns = _coded([tokens(text) for text in texts], [tokens(seed) for seed in seeds])
    best = np.zeros(len(rows))
    lengths = np.array([len(column) for column in columns], dtype=np.int64)
    for begin, end in _blocks(len(rows), len(columns)):
        common = _common(rows[begin:end], columns)
        own = np.array([len(row) for row in rows[begin:end]], dtype=np.int64)
        best[begin:end] = _f_measures(common, own, lengths).max(axis=1, initial=0.0)
    return best


def _summed(
    lists: Sequence[Sequence[str]], rows: Sequence[int], *, is_whole: bool, threshold: float
) -> Distribution:
    """``is_whole``: rows are all texts, and each pair is looked at from its first text alone."""
    (texts,) = _coded(lists)
    count = len(texts)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    sums, nearest = np.zeros(count), np.zeros(count)
    tenths = np.zeros(10, dtype=np.int64)
    above = ties = ties_above = 0
    exact, places = Fraction(str(threshold)), np.array(rows, dtype=np.int64)
    for begin, end in _blocks(len(rows), count):
        part = places[begin:end]
        start = int(part[0]) + 1 if is_whole else 0
        common = _common([texts[row] for row in part], texts[start:])
        counts = _counted(part, np.arange(start, count), is_whole)
        scores = np.where(counts, _f_measures(common, lengths[part], lengths[start:]), 0.0)
        over = counts & (scores > threshold)
        total = lengths[part][:, None] + lengths[start:]
        tie = counts & (common > 0) & (2 * exact.denominator * common == exact.numerator * total)
        above, ties, ties_above = above + over.sum(), ties + tie.sum(), ties_above + (tie & over).sum()
        tenths += np.bincount(_tenth(scores[counts]), minlength=10)
        nearest[part] = np.maximum(nearest[part], scores.max(axis=1, initial=0.0))
        sums[part] += scores.sum(axis=1)
        if is_whole:
            nearest[start:] = np.maximum(nearest[start:], scores.max(axis=0, initial=0.0))
            sums[start:] += scores.sum(axis=0)
    return Distribution(
        texts=count,
        compared=len(rows),
        pairs=int(tenths.sum()),
        mean=float(sums[places].sum() / max(1, (2 if is_whole else 1) * tenths.sum())),
        tenths=_shares(tenths),
        threshold=threshold,
        above=int(above),
        ties=int(ties),
        ties_above=int(ties_above),
        means=_quantiles(sums[places] / max(1, count - 1)),
        nearest=_quantiles(nearest[places]),
        nearest_tenths=_shares(np.bincount(_tenth(nearest[places]), minlength=10)),
    )


def _counted(rows: Lengths, columns: Lengths, is_whole: bool) -> NDArray[np.bool_]:
    """Which pairs of a block count: no text with itself, and of a whole set each pair once."""
    counted: NDArray[np.bool_] = columns > rows[:, None] if is_whole else columns != rows[:, None]
    return counted


def _coded(*groups: Sequence[Sequence[str]]) -> list[list[list[int]]]:
    """Words as numbers, the same in all groups: they are compared millions of times."""
    ids: dict[str, int] = {}
    return [[[ids.setdefault(word, len(ids)) for word in text] for text in group] for group in groups]


def _blocks(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    step = max(1, _CELLS // max(1, columns))
    for begin in range(0, rows, step):
        yield begin, min(rows, begin + step)


def _common(rows: Sequence[list[int]], columns: Sequence[list[int]]) -> Lengths:
    """Longest common subsequences, shape (rows, columns)."""
    try:
        from rapidfuzz.distance import LCSseq
        from rapidfuzz.process import cdist
    except ImportError:
        plain = [[lcs_length(row, column) for column in columns] for row in rows]
        return np.array(plain, dtype=np.int64).reshape(len(rows), len(columns))
    found = cdist(rows, columns, scorer=LCSseq.similarity, dtype=np.int32)
    return np.asarray(found, dtype=np.int64).reshape(len(rows), len(columns))


def _f_measures(common: Lengths, rows: Lengths, columns: Lengths) -> Scores:
    """As ``overlap.f_measure`` to the last bit, shape (rows, columns)."""
    safe = np.maximum(common, 1)
    precision, recall = safe / np.maximum(columns, 1), safe / np.maximum(rows, 1)[:, None]
    return np.where(common > 0, 2 * precision * recall / (precision + recall), 0.0)


def _tenth(scores: Scores) -> Lengths:
    """0 for [0, .1) to 9 for [.9, 1]; what the bounds are, ``_EDGES`` says."""
    return np.searchsorted(_EDGES, scores, side="right")


def _shares(counts: Lengths) -> tuple[float, ...]:
    return tuple((counts / max(1, counts.sum())).tolist())


def _quantiles(scores: Scores) -> tuple[float, ...]:
    return tuple(np.quantile(scores, QUANTILES).tolist()) if len(scores) else (0.0,) * len(QUANTILES)
