"""A classifier's probabilities in the order of the task's labels."""

from __future__ import annotations

import numpy as np
import pytest

from kshot.errors import ModelError
from kshot.measure.expert_answers import classifier_probabilities
from kshot.models.classifier import MajorityClassifier

EXPERT = MajorityClassifier(("Joy", "anger", "calm"), (5, 3, 2))


class Says:
    """A classifier that says what it is told to say."""

    id, labels = "says@1", ("a", "b")

    def __init__(self, rows):
        self.rows = np.asarray(rows, dtype=np.float32)

    def predict_proba(self, texts):
        return self.rows


def test_columns_follow_the_tasks_labels():
    found = classifier_probabilities(EXPERT, ["x", "y"], label_names=("calm", "joy", "anger"))
    np.testing.assert_allclose(found, [[0.2, 0.5, 0.3]] * 2)
    assert found.dtype == np.float32
    assert classifier_probabilities(EXPERT, [], label_names=("calm", "joy", "anger")).shape == (0, 3)


def test_names_are_mapped():
    mapping = {"Joy": "good", "anger": "bad"}
    found = classifier_probabilities(EXPERT, ["x"], label_names=("bad", "calm", "good"), mapping=mapping)
    np.testing.assert_allclose(found, [[0.3, 0.2, 0.5]])


@pytest.mark.parametrize(
    ("names", "mapping"),
    [
        (("joy", "anger"), None),
        (("joy", "anger", "fear"), None),
        (("joy", "anger", "calm", "fear"), None),
        (("joy", "anger", "calm"), {"calm": "joy"}),
        (("joy", "joy", "calm"), None),
    ],
)
def test_other_classes_are_refused(names, mapping):
    with pytest.raises(ModelError, match=r"its classes are .*, the task's labels are"):
        classifier_probabilities(EXPERT, ["x"], label_names=names, mapping=mapping)


@pytest.mark.parametrize(
    "rows", [[[0.5, 0.6]], [[1.5, -0.5]], [[np.nan, 1]], [[0.5, 0.5]] * 2, [[1.0]], [0.5, 0.5]]
)
def test_what_is_no_probability_is_refused(rows):
    with pytest.raises(ModelError, match="says@1"):
        classifier_probabilities(Says(rows), ["x"], label_names=("a", "b"))
