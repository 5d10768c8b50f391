"""What stands beside the index: the same filter by rouge_score, by a loop, and row by row with cdist."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kshot.measure.overlap import drop_overlapping, tokens

THRESHOLD = 0.7


def ours(texts: Sequence[str]) -> list[int]:
    """The index of ``kshot.measure.overlap``; cuts the texts into words itself."""
    return drop_overlapping(texts, threshold=THRESHOLD)


def by_rouge_score(texts: Sequence[str]) -> list[int]:
    """rouge_score, serial, on words that are cut once; stops at the first kept text that is too near."""
    from rouge_score.rouge_scorer import _score_lcs
    from rouge_score.tokenize import tokenize

    lists = [tokenize(text, None) for text in texts]
    kept: list[int] = []
    for place, new in enumerate(lists):
        if not any(_score_lcs(lists[old], new).fmeasure > THRESHOLD for old in kept):
            kept.append(place)
    return kept


def by_loop(texts: Sequence[str]) -> list[int]:
    """LCSseq of rapidfuzz in a loop over the kept texts, words as characters."""
    from rapidfuzz.distance import LCSseq

    coded = characters(texts)
    kept: list[int] = []
    for place, new in enumerate(coded):
        for old in kept:
            common = LCSseq.similarity(coded[old], new)
            if common and above(common, len(coded[old]), len(new)):
                break
        else:
            kept.append(place)
    return kept


def by_cdist(texts: Sequence[str]) -> list[int]:
    """The cdist of rapidfuzz: each text against all kept ones in one call."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cdist

    coded = characters(texts)
    kept: list[int] = []
    others: list[str] = []
    lengths = np.zeros(len(coded))
    for place, new in enumerate(coded):
        if others and new:
            common = cdist([new], others, scorer=LCSseq.similarity, dtype=np.int32)[0].astype(float)
            safe = np.maximum(common, 1)
            precision, recall = safe / len(new), safe / np.maximum(lengths[: len(others)], 1)
            scores = np.where(common > 0, 2 * precision * recall / (precision + recall), 0.0)
            if (scores > THRESHOLD).any():
                continue
        lengths[len(others)] = len(new)
        kept.append(place)
        others.append(new)
    return kept


def above(common: int, m: int, n: int) -> bool:
    """The float decision."""
    precision, recall = common / n, common / m
    return 2 * precision * recall / (precision + recall) > THRESHOLD


def characters(texts: Sequence[str]) -> list[str]:
    """Each word a character."""
    ids: dict[str, int] = {}
    return ["".join(chr(ids.setdefault(word, len(ids))) for word in tokens(text)) for text in texts]
