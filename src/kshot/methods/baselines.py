"""The obvious systems that anything cleverer has to beat. They see the shots and no test row.

Each function returns a ``System``. Names and order on the leaderboard are the pipeline's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kshot.data.example import Conversation, Example
from kshot.data.template import Template
from kshot.errors import DataError
from kshot.models.base import Classifier, Embedder, Floats, LanguageModel, System
from kshot.models.classifier.majority import MajorityClassifier


@dataclass(frozen=True, slots=True)
class NearestAnswer:
    """A classifier that repeats the answer most frequent among the ``k`` nearest shots.

    Attributes:
        embedder: Texts to unit vectors.
        labels: The answers that occur, each once, in order of first occurrence or as given.
        vectors: (K, dim) unit rows of the shots.
        columns: (K,) index into ``labels`` of each shot's answer.
        k: How many shots vote; weight = cosine, so that ties are rare; exact ties: the earlier label.
    """

    embedder: Embedder
    labels: tuple[str, ...]
    vectors: Floats
    columns: np.ndarray[tuple[int], np.dtype[np.int64]]
    k: int = 1

    @property
    def id(self) -> str:
        """The encoder's id and the number of voters."""
        return f"nearest-{self.k}:{self.embedder.id}"

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """(N, C) vote shares; rows sum to 1."""
        cosines = self.embedder.encode(texts) @ self.vectors.T  # (N, K)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, : self.k]  # ties: the earlier shot
        votes = np.zeros((len(texts), len(self.labels)), np.float32)
        weight = np.take_along_axis(cosines, order, axis=1) + 2.0  # in [1, 3]: a vote always counts
        for column in range(order.shape[1]):
            votes[np.arange(len(texts)), self.columns[order[:, column]]] += weight[:, column]
        return np.asarray(votes / votes.sum(axis=1, keepdims=True), np.float32)


def majority(shots: Sequence[Example], template: Template) -> System:
    """Always the most frequent answer of the shots."""
    golds = [template.gold(shot) for shot in shots]
    model = MajorityClassifier.fit(golds, label_names=_answers(golds, template))
    best = model.labels[int(model.predict_proba([""])[0].argmax())]
    return System("majority", "baseline", model, template.conversation, note=f"always {best!r}")


def nearest_answer(shots: Sequence[Example], template: Template, *, embedder: Embedder, k: int = 1) -> System:
    """The answer of the nearest shot(s) by embedding: retrieval without any model."""
    golds = [template.gold(shot) for shot in shots]
    labels = _answers(golds, template)
    columns = np.asarray([labels.index(gold) for gold in golds], np.int64)
    vectors = embedder.encode([shot.prompt for shot in shots])
    model = NearestAnswer(embedder, labels, vectors, columns, min(k, len(shots)))
    return System("nearest shot", "baseline", model, template.conversation, note=f"by {embedder.id}")


def zero_shot(model: LanguageModel, template: Template) -> System:
    """The base model with the instruction alone."""
    return System(
        "zero-shot", "baseline", model, template.conversation, note="the base model, instruction only"
    )


def shots_in_prompt(
    model: LanguageModel,
    shots: Sequence[Example],
    template: Template,
    *,
    fits: Callable[[Conversation], bool],
) -> System:
    """All shots as earlier turns, in draw order; before a long row, as many of the first as ``fits`` allows.

    Raises:
        DataError: Not even one shot fits before the longest shot.
    """
    longest = max(shots, key=lambda shot: len(template.query(shot)))

    def fitting(row: Example, count: int) -> int:
        while count and not fits(template.conversation(row, shots[:count])):
            count = count * 3 // 4
        return count

    most = fitting(longest, len(shots))
    if not most:
        raise DataError("not even one shot fits into the model's context; shorten the shots")
    note = f"{most} of {len(shots)} shots as earlier turns"

    def prompt(row: Example) -> Conversation:
        return template.conversation(row, shots[: fitting(row, most)])

    return System("shots in the prompt", "baseline", model, prompt, note=note)


def nearest_in_prompt(
    model: LanguageModel, shots: Sequence[Example], template: Template, *, embedder: Embedder, k: int = 5
) -> System:
    """The ``k`` shots nearest to each row as earlier turns, the nearest last (ties: draw order)."""
    vectors = embedder.encode([shot.prompt for shot in shots])
    k = min(k, len(shots))

    def prompt(row: Example) -> Conversation:
        cosines = vectors @ embedder.encode([row.prompt])[0]
        order = np.argsort(-cosines, kind="stable")[:k]
        return template.conversation(row, [shots[i] for i in order[::-1]])

    note = f"the {k} nearest of {len(shots)} shots, by {embedder.id}"
    return System("nearest shots in the prompt", "baseline", model, prompt, note=note)


def embedding_head(head: Classifier, template: Template, *, size_bytes: int = 0) -> System:
    """An embedding with a logistic head fitted on the shots: the floor for classification."""
    note = f"logistic head on {head.id}"
    return System(
        "embedding + head", "baseline", head, template.conversation, size_bytes=size_bytes, note=note
    )


def best_on_shots(names: Sequence[str], right: np.ndarray, losses: np.ndarray) -> int:
    """Index of the expert with most shots right; ties: the lower mean answer loss, then the name.

    Args:
        names: (E,) names of the experts.
        right: (E, K) whether each expert answered each shot rightly.
        losses: (E, K) answer loss in nats per token.

    Raises:
        DataError: There is no expert.
    """
    if not len(names):
        raise DataError("there is no usable adapter to choose from")
    share, loss = right.mean(axis=1), losses.mean(axis=1)
    return min(range(len(names)), key=lambda i: (-share[i], loss[i], names[i]))


def _answers(golds: Sequence[str], template: Template) -> tuple[str, ...]:
    if not golds:
        raise DataError("there are no shots to learn from")
    return template.labels or tuple(dict.fromkeys(golds))
