"""The floor that knows only how often each label occurs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import DataError
from kshot.models.base import Classifier
from kshot.models.classifier.transformers_classifier import MajorityClassifier

NAMES = ("joy", "anger", "calm")


@given(answers=st.lists(st.sampled_from(NAMES), min_size=1, max_size=30))
def test_probabilities_are_shares_and_ties_go_to_the_first_name(answers):
    made = MajorityClassifier.fit(answers, label_names=NAMES)
    found = made.predict_proba(["x", "y"])
    counts = [answers.count(name) for name in NAMES]
    np.testing.assert_allclose(found, [[count / len(answers) for count in counts]] * 2, rtol=1e-6)
    assert NAMES[int(found[0].argmax())] == NAMES[counts.index(max(counts))]


def test_it_is_a_classifier_with_an_id_of_its_content():
    one, other = MajorityClassifier(NAMES, (1, 2, 3)), MajorityClassifier(NAMES, (3, 2, 1))
    assert isinstance(one, Classifier)
    assert one.labels == NAMES
    assert one.id != other.id
    assert one.predict_proba([]).shape == (0, 3)


@pytest.mark.parametrize(
    ("names", "counts", "message"),
    [
        (("a", "b"), (1,), "2 labels but 1 counts"),
        ((), (), "0 labels"),
        (("a",), (-1,), "none below 0"),
        (("a", "b"), (0, 0), "at least one above"),
    ],
)
def test_counts_that_mean_nothing(names, counts, message):
    with pytest.raises(DataError, match=message):
        MajorityClassifier(names, counts)


def test_answers_that_mean_nothing():
    with pytest.raises(DataError, match="no labelled rows"):
        MajorityClassifier.fit([], label_names=NAMES)
    with pytest.raises(DataError, match="'rage' is none of joy, anger, calm"):
        MajorityClassifier.fit(["rage"], label_names=NAMES)
