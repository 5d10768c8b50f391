"""The floor that knows only how often each label occurs, and what every learner of labels checks first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import final

import numpy as np

from kshot.errors import DataError
from kshot.models.base import Floats


@final
class MajorityClassifier:
    """A ``Classifier`` that reads nothing: every text gets the frequencies of the labelled rows.

    The largest class is first among equals in the order of ``labels``, as ``argmax`` picks it.

    >>> MajorityClassifier(("a", "b"), (1, 3)).predict_proba(["any text"]).tolist()
    [[0.25, 0.75]]

    Raises:
        DataError: Labels and counts differ in number, a count is negative, or all are 0.
    """

    def __init__(self, labels: Sequence[str], counts: Sequence[int]) -> None:
        if len(labels) != len(counts) or not labels:
            raise DataError(
                f"{len(labels)} labels but {len(counts)} counts; expected one count for each label"
            )
        if min(counts) < 0 or sum(counts) == 0:
            raise DataError(f"label counts {list(counts)}: expected none below 0 and at least one above it")
        self._labels = tuple(labels)
        self._share = np.asarray(counts, dtype=np.float64) / sum(counts)
        self._id = "majority@" + content_hash(self._labels, list(counts))

    @classmethod
    def fit(cls, answers: Sequence[str], *, label_names: Sequence[str]) -> MajorityClassifier:
        """Frequencies of the answers of labelled rows.

        Raises:
            DataError: There are no answers, or one is none of the labels.
        """
        check_labels(answers, label_names)
        return cls(label_names, [list(answers).count(label) for label in label_names])

    @property
    def id(self) -> str:
        """The word majority, and a hash of labels and counts."""
        return self._id

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, in the order given."""
        return self._labels

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """(N, C) the same row for every text."""
        return np.tile(self._share.astype(np.float32), (len(texts), 1))


def check_labels(answers: Sequence[str], label_names: Sequence[str]) -> None:
    """Refuse labels that no classifier could learn.

    Raises:
        DataError: There are no answers, a label is named twice, or an answer is none of the labels.
    """
    if not answers:
        raise DataError("no labelled rows to learn from; expected at least one")
    if len(set(label_names)) < len(label_names):
        raise DataError(f"labels {list(label_names)[:6]} name one twice")
    foreign = sorted(set(answers) - set(label_names))
    if foreign:
        raise DataError(f"label {foreign[0]!r} is none of {', '.join(label_names)}")


def content_hash(*parts: object) -> str:
    """16 hexadecimal digits of plain values."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:16]
