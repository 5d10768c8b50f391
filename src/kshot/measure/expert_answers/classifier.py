"""Class probabilities of a classifier, in the order of the task's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kshot.data.example import normalised
from kshot.errors import ModelError
from kshot.models.base import Classifier, Floats


def classifier_probabilities(
    classifier: Classifier,
    texts: Sequence[str],
    *,
    label_names: Sequence[str],
    mapping: Mapping[str, str] | None = None,
) -> Floats:
    """(N, C) probabilities of texts, columns in the order of ``label_names``.

    The classifier's names are the task's, but for case and blanks; ``mapping`` leads from its names to the
    task's where they are others (``LABEL_0``). Nothing is left out or scaled: both sides have the same C
    classes. A classifier that was trained on these very texts is surer of them than it may be: measure it
    with ``out_of_fold_probabilities``.

    Args:
        classifier: Who is asked. The release cuts texts at 128 tokens: ``max_tokens`` of
            ``TransformersClassifier.load``.
        texts: N texts.
        label_names: The task's C labels.
        mapping: The classifier's names to the task's.

    Raises:
        ModelError: The classes are not the same, or the probabilities are none.

    >>> from kshot.models.classifier import MajorityClassifier
    >>> known = MajorityClassifier(("LABEL_0", "LABEL_1"), (3, 1))
    >>> names = {"LABEL_0": "no", "LABEL_1": "yes"}
    >>> classifier_probabilities(known, ["a text"], label_names=("yes", "no"), mapping=names).tolist()
    [[0.25, 0.75]]
    """
    own = [(mapping or {}).get(label, label) for label in classifier.labels]
    columns = {normalised(label): place for place, label in enumerate(own)}
    wanted = [normalised(label) for label in label_names]
    if len(columns) < len(own) or sorted(columns) != sorted(wanted):
        raise ModelError(
            f"{classifier.id}: its classes are {', '.join(own)}, the task's labels are "
            f"{', '.join(label_names)}; give a mapping from each of its names to one label"
        )
    found = np.asarray(classifier.predict_proba(texts), dtype=np.float32)
    if found.shape != (len(texts), len(own)):
        raise ModelError(
            f"{classifier.id}: gave an array of shape {found.shape} for {len(texts)} texts and "
            f"{len(own)} classes"
        )
    if not np.isfinite(found).all() or (found < 0).any() or (np.abs(found.sum(axis=1) - 1) > 1e-3).any():
        raise ModelError(f"{classifier.id}: gave rows that are no probabilities; audit its weights")
    return found[:, [columns[label] for label in wanted]]
