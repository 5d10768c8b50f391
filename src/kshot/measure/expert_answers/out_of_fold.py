"""Class probabilities for the very rows that a head is trained on, each from a head that never saw it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kshot.data.draw import folds as drawn_folds
from kshot.data.example import normalised
from kshot.errors import DataError
from kshot.models.base import Embedder, Floats, Ints
from kshot.models.classifier.head import EmbeddingHead
from kshot.models.classifier.majority import check_labels
from kshot.models.embed.remember import RememberingEmbedder


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What heads say of rows that they were not trained on.

    Attributes:
        probabilities: (N, C).
        fold: (N,) the fold of each row.
        strengths: Strength C of each fold's head.
        id: Of the expert: embedder, folds, seed and a hash of the labelled rows.
    """

    probabilities: Floats
    fold: Ints
    strengths: tuple[float, ...]
    id: str


def out_of_fold_probabilities(
    embedder: Embedder,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    label_names: Sequence[str],
    folds: int = 5,
    seed: int = 0,
) -> OutOfFold:
    """Probabilities of an embedding + head expert for its own training rows.

    Rows are dealt into folds by label, and equal texts (normalised) stay together. Each fold is judged by a
    head trained on all others (``EmbeddingHead.fit``); a class that none of them has gets 0 there. With
    fewer different texts than folds there are as many folds as texts. A text is encoded once.

    Args:
        embedder: Texts to unit vectors.
        texts: N of them.
        labels: (N,) their gold labels.
        label_names: The C classes.
        folds: How many.
        seed: Of the folds, and of the heads' own cross-validation.

    Raises:
        DataError: Numbers differ, there are fewer than two different texts or folds, or a label is not named.

    Example::

        found = out_of_fold_probabilities(embedder, texts, answers, label_names=("joy", "anger"))
        found.probabilities.argmax(axis=1)
    """
    if len(texts) != len(labels):
        raise DataError(f"{len(texts)} texts but {len(labels)} labels; expected one each")
    check_labels(labels, label_names)
    groups = [normalised(text) for text in texts]
    count = min(folds, len(set(groups)))
    if count < 2:
        raise DataError(
            f"{folds} folds of {len(set(groups))} different texts; out-of-fold answers need two of each"
        )
    ids = [f"{group}\n{label}" for group, label in zip(groups, labels, strict=True)]
    known = RememberingEmbedder(embedder, most=len(texts))
    shares = np.zeros((len(texts), len(label_names)), dtype=np.float32)  # (N, C)
    fold = np.zeros(len(texts), dtype=np.int64)
    strengths = []
    dealt = drawn_folds(ids, count=count, seed=seed, strata=list(labels), groups=groups)
    for number, held in enumerate(dealt):
        apart = set(held)
        rest = [place for place in range(len(texts)) if place not in apart]
        head = EmbeddingHead.fit(
            known, [texts[i] for i in rest], [labels[i] for i in rest], label_names=label_names, seed=seed
        )
        shares[held] = head.predict_proba([texts[place] for place in held])
        fold[held] = number
        strengths.append(head.c)
    name = f"{embedder.id}+head:out-of-fold={count}:seed={seed}@{_digest(ids, label_names)}"
    return OutOfFold(shares, fold, tuple(strengths), name)


def _digest(ids: Sequence[str], label_names: Sequence[str]) -> str:
    text = json.dumps([sorted(ids), list(label_names)], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
