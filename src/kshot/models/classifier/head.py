"""An embedding with a logistic head: the floor that every fine-tuned classifier has to beat."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.errors import DataError, ModelError
from kshot.models.base import Embedder, Floats
from kshot.models.classifier.majority import check_labels, content_hash
from kshot.models.folders import new_folder

Weights: TypeAlias = NDArray[np.float64]
GRID = (0.1, 1.0, 10.0, 100.0)  # strengths C that are tried; larger is less regularised
_FOLDS = 5
_FEWEST = 3  # rows of each class that cross-validation needs


@final
class EmbeddingHead:
    """A ``Classifier``: logistic regression on an embedder's vectors, classes weighted alike.

    Labels without a labelled row get probability 0. Learned once by ``fit``; kept as safetensors and JSON.
    """

    def __init__(
        self, embedder: Embedder, weights: Weights, bias: Weights, *, labels: Sequence[str], c: float
    ) -> None:
        self._embedder = embedder
        self._weights = weights  # (C, D)
        self._bias = bias  # (C,), minus infinity for labels never seen
        self._labels = tuple(labels)
        self.c = c

    @classmethod
    def fit(
        cls,
        embedder: Embedder,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        label_names: Sequence[str],
        seed: int = 0,
        c: float = 1.0,
    ) -> EmbeddingHead:
        """A head learned on labelled texts.

        With three rows or more of each class that occurs, the strength is the one of ``GRID`` with the least
        class-balanced log loss in stratified cross-validation (up to five folds drawn by ``seed``; ties: the
        smaller C); with fewer it is ``c``.

        Raises:
            DataError: Texts and labels differ in number, there are none, or a label is not named.

        Example::

            head = EmbeddingHead.fit(embedder, texts, answers, label_names=("joy", "anger"))
            head.predict_proba(["what a day"])
        """
        if len(texts) != len(labels):
            raise DataError(f"{len(texts)} texts but {len(labels)} labels; expected one each")
        check_labels(labels, label_names)
        seen = [name for name in label_names if name in set(labels)]
        vectors = np.asarray(embedder.encode(list(texts)), dtype=np.float64)  # (N, D)
        classes = np.array([seen.index(label) for label in labels])
        if np.bincount(classes).min() >= _FEWEST and len(seen) > 1:
            c = _chosen(vectors, classes, seed)
        learned, offsets = _regression(vectors, classes, c)
        weights = np.zeros((len(label_names), vectors.shape[1]))
        bias = np.full(len(label_names), -np.inf)
        rows = [list(label_names).index(name) for name in seen]
        weights[rows], bias[rows] = learned, offsets
        return cls(embedder, weights, bias, labels=label_names, c=c)

    @property
    def id(self) -> str:
        """The embedder's id, and a hash of weights and labels."""
        digest = content_hash(self._labels, self._weights.tolist(), np.nan_to_num(self._bias).tolist())
        return f"{self._embedder.id}+head@{digest}"

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, in the order given."""
        return self._labels

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """(N, C) probabilities."""
        if not texts:
            return np.zeros((0, len(self._labels)), dtype=np.float32)
        vectors = np.asarray(self._embedder.encode(list(texts)), dtype=np.float64)
        return _softmax(vectors @ self._weights.T + self._bias).astype(np.float32)

    def save(self, folder: str | Path) -> None:
        """Write ``head.safetensors`` and ``head.json``; the folder appears when it is complete.

        Raises:
            ModelError: The folder is not empty.
            OSError: As the disk gives it, ``ENOSPC`` where it is full.
        """
        from safetensors.numpy import save

        facts = {"embedder": self._embedder.id, "labels": list(self._labels), "c": self.c}
        text = json.dumps(facts, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        with new_folder(Path(folder)) as part:
            # not save_file, whose SafetensorError has no errno when the disk is full
            tensors = save({"bias": self._bias, "weights": self._weights})
            (part / "head.safetensors").write_bytes(tensors)
            (part / "head.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, embedder: Embedder) -> EmbeddingHead:
        """A saved head over the same embedder.

        Raises:
            ModelError: A file is missing or damaged, or the head was learned on another embedder.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        folder = Path(folder)
        try:
            facts: dict[str, Any] = json.loads((folder / "head.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "head.safetensors")
            weights, bias, labels = tensors["weights"], tensors["bias"], facts["labels"]
            made_on, c = facts["embedder"], float(facts["c"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{folder}: no head that kshot saved ({error})") from error
        if made_on != embedder.id:
            raise ModelError(
                f"{folder}: was learned on embedder {made_on}, given {embedder.id}; use the same one"
            )
        if weights.shape != (len(labels), embedder.dim) or bias.shape != (len(labels),):
            raise ModelError(f"{folder}: weights are {weights.shape}, expected {(len(labels), embedder.dim)}")
        return cls(embedder, weights, bias, labels=labels, c=c)


def _chosen(vectors: Weights, classes: NDArray[Any], seed: int) -> float:
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(min(_FOLDS, np.bincount(classes).min()), shuffle=True, random_state=seed)
    splits = list(folds.split(vectors, classes))
    losses = []
    for c in GRID:
        nats = np.zeros(len(classes))
        for train, held in splits:
            learned, offsets = _regression(vectors[train], classes[train], c)
            shares = _softmax(vectors[held] @ learned.T + offsets)
            nats[held] = -np.log(np.maximum(shares[np.arange(len(held)), classes[held]], 1e-300))
        losses.append(np.mean([nats[classes == k].mean() for k in np.unique(classes)]))
    return GRID[int(np.argmin(losses))]


def _regression(vectors: Weights, classes: NDArray[Any], c: float) -> tuple[Weights, Weights]:
    """(S, D) weights and (S,) offsets of the S classes that occur; one class alone needs neither."""
    from sklearn.linear_model import LogisticRegression

    count = len(np.unique(classes))
    if count == 1:
        return np.zeros((1, vectors.shape[1])), np.zeros(1)
    model = LogisticRegression(C=c, class_weight="balanced", max_iter=2000, tol=1e-6)
    model.fit(vectors, classes)
    if count > 2:
        return model.coef_, model.intercept_
    # two classes have one row of weights: the log odds of the second against the first
    zero = np.zeros_like(model.coef_)
    return np.vstack([zero, model.coef_]), np.concatenate([[0.0], model.intercept_])


def _softmax(scores: Weights) -> Weights:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Weights = shifted / shifted.sum(axis=1, keepdims=True)
    return found
