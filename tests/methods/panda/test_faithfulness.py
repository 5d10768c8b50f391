"""The verdict says no more than paired intervals carry."""

import random

import pytest

from kshot.errors import DataError
from kshot.measure.statistics import compare_predictions
from kshot.methods.panda.faithfulness import faithfulness

GOLD = ["a", "b", "c"] * 40
LABELS = ("a", "b", "c")


def answers(right_share, seed):
    rng = random.Random(seed)
    return [
        one if rng.random() < right_share else rng.choice([x for x in LABELS if x != one]) for one in GOLD
    ]


def whole(**shares):
    default = {"real": 0.9, "empty": 0.4, "shuffled": 0.35, "irrelevant": 0.35, "corrupted": 0.1,
               "neutral": 0.4, "both": 0.95, "preference": 0.7, "expert": 0.9}  # fmt: skip
    return {name: answers(share, name) for name, share in (default | shares).items()}


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_insights_that_work(metric):
    found = faithfulness(metric, GOLD, whole(), labels=LABELS)
    assert (found.used, found.adds_to_examples, found.follows_blindly) == (True, True, True)
    assert found.missing == ()
    assert found.headline == (
        "The insights are used, and they add to the nearest examples with the expert's labels; "
        "the model follows wrong insights below its own score."
    )
    assert len(found.claims) == 9
    assert len(found.sentences) == 10


def test_examples_alone_do_as_well():
    found = faithfulness("accuracy", GOLD, whole(both=0.7))
    assert (found.used, found.adds_to_examples) == (True, False)
    assert "but it is not shown that they add" in found.headline


def test_no_effect_is_said_with_what_the_rows_could_have_shown():
    same = answers(0.5, 1)
    found = faithfulness("accuracy", GOLD, {"real": same, "shuffled": same, "both": same, "preference": same})
    assert (found.used, found.adds_to_examples, found.follows_blindly) == (False, False, None)
    assert found.headline.startswith("No effect of the insights themselves is shown, nor that they add")
    assert "120 rows could have shown" in found.sentences[1]
    assert found.smallest_detectable == max(c.comparison.smallest_difference for c in found.claims[:2])


def test_added_but_not_used():
    found = faithfulness("accuracy", GOLD, whole(shuffled=0.9))
    assert (found.used, found.adds_to_examples) == (False, True)
    assert found.headline.startswith("No effect of the insights themselves is shown, but they add")


def test_a_model_that_ignores_wrong_insights_does_not_follow_blindly():
    found = faithfulness("accuracy", GOLD, whole(corrupted=0.4))
    assert found.follows_blindly is False
    assert "follows" not in found.headline


def test_lower_is_called_lower():
    found = faithfulness("accuracy", GOLD, whole(real=0.1, shuffled=0.9))
    assert found.used is False
    assert ": lower (" in found.claims[0].sentence


def test_the_comparison_is_the_paired_one():
    given = whole()
    found = faithfulness("macro_f1", GOLD, given, labels=LABELS, seed=4)
    expected = compare_predictions(
        "macro_f1", given["both"], given["preference"], GOLD, labels=LABELS, seed=4
    )
    assert found.claims[1].comparison == expected


def test_what_is_missing_is_not_compared():
    found = faithfulness("accuracy", GOLD, {"real": answers(0.9, 1), "empty": answers(0.3, 2)})
    assert (found.used, found.adds_to_examples, found.follows_blindly) == (None, None, None)
    assert [(one.a, one.b) for one in found.claims] == [("real", "empty")]
    assert found.smallest_detectable is None
    assert "shuffled" in found.missing


def test_invalid_replies_are_wrong():
    found = faithfulness("accuracy", GOLD, {"real": GOLD, "shuffled": [None] * len(GOLD)})
    assert found.claims[0].comparison.difference == 1.0


def test_wrong_input_is_refused():
    with pytest.raises(DataError, match="'reel' is none of"):
        faithfulness("accuracy", GOLD, {"reel": GOLD})
    with pytest.raises(DataError, match="2 answers of 'real' for 120 rows"):
        faithfulness("accuracy", GOLD, {"real": ["a", "b"]})
