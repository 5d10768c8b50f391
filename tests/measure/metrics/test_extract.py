"""Labels read from replies: the table of the specification, negation, indices, and what is refused."""

from __future__ import annotations

import doctest
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import MetricError
from kshot.measure.metrics import extract
from kshot.measure.metrics.extract import extract_label

SENTIMENT = ("negative", "neutral", "positive")


def test_examples() -> None:
    assert doctest.testmod(extract).failed == 0


@pytest.mark.parametrize(
    ("reply", "expected"),
    [  # the specification's table
        ("2", "positive"), ("Positive", "positive"), ("not negative, so 2", "positive"), ("10", None),
        ("", None),
        ("It praises the film.\nAnswer: 1", "neutral"), ("It praises the film.\nAnswer: 1\n", "neutral"),
        # the required form
        ('{"label": 2}', "positive"), ('```json\n{"answer": "Neutral"}\n```', "neutral"),
        ('{"label": "negative", "answer": "positive"}', None), ('{"label": true}', None),
        ("**Answer:** positive", "positive"), ("So the answer is: **neutral**", "neutral"),
        ("Answer: 1\nAnswer: 2", "positive"), ("Label: positive\nI never say negative here", "positive"),
        ("Answer: positive or negative\nneutral", "neutral"), ("Final answer = 0", "negative"),
        # the last line
        ("I first thought negative.\nIt is positive.", "positive"), ("_positive_", "positive"),
        ("negative or positive", None), ("negative (0)", "negative"), ("negative (2)", None),
        ("positively", None), ("nonnegative", None), ("答案是positive", "positive"),
        ("ＰＯＳＩＴＩＶＥ", "positive"),
        ("positive positive", "positive"), ("   \n\t\n", None),
        # negation
        ("not negative", None), ("isn’t negative", None), ("not a very negative one, positive", "positive"),
        ("neither positive nor negative", None), ("neither positive nor negative: neutral", "neutral"),
        ("not really negative but positive", "positive"), ("positive rather than negative", "positive"),
        # indices
        ("-1", None), ("2/10", None), ("2.5", None), ("I say 2.", "positive"), ("02", None), ("2%", None),
        ("99999999999999999999", None), ("1,000", None),
    ],
)  # fmt: skip
def test_reply(reply: str, expected: str | None) -> None:
    assert extract_label(reply, SENTIMENT) == expected


@pytest.mark.parametrize(
    ("reply", "labels", "expected"),
    [
        ("this is not hate", ("hate", "not-hate"), "not-hate"), ("hate", ("hate", "not-hate"), "hate"),
        ("NOT_HATE", ("hate", "not-hate"), "not-hate"), ("this is not hate", ("hate", "normal"), None),
        ("non irony", ("non_irony", "irony"), "non_irony"), ("hateful", ("hate", "not-hate"), None),
        ("No.", ("yes", "no"), "no"), ("no, yes", ("yes", "no"), None), ("no yes", ("yes", "no"), None),
        ("none", ("none", "against"), "none"),
        ("😂 lol", ("😂", "❤"), "😂"), ("_red_heart_", ("_red_heart_", "_fire_"), "_red_heart_"),
        ("-1", ("-1", "0", "1"), "-1"), ("-1", ("0", "1"), None), ("1", ("0", "1", "2"), "1"),
        ("1.5", ("0", "1"), None), ("C++", ("C", "C++"), "C++"),
        ("new york city", ("new york", "york"), "new york"),
        ("正面", ("正面", "负面"), "正面"), ("不正面", ("正面", "负面"), None),
        ("type 2", ("type 1", "type 2"), "type 2"),
    ],
)  # fmt: skip
def test_other_labels(reply: str, labels: tuple[str, ...], expected: str | None) -> None:
    assert extract_label(reply, labels) == expected


def test_a_reply_that_was_cut_counts_in_the_required_form_only() -> None:
    cut = "The tweet praises a positive thing, and then"
    assert extract_label(cut, SENTIMENT) == "positive"
    assert extract_label(cut, SENTIMENT, cut=True) is None
    assert extract_label("Answer: positive\nbecause it", SENTIMENT, cut=True) == "positive"


@given(
    st.sampled_from(SENTIMENT), st.sampled_from(["{}", "{}.", " {}\n", "**{}**", "Label: {}", '"{}"', "{}!"])
)
def test_every_label_in_every_plain_form(label: str, form: str) -> None:
    for spelled in (label, label.upper(), label.title(), str(SENTIMENT.index(label))):
        assert extract_label(form.format(spelled), SENTIMENT) == label


@given(st.text(max_size=200))
def test_any_text_gives_a_label_or_none(reply: str) -> None:
    assert extract_label(reply, SENTIMENT) in (*SENTIMENT, None)


def test_long_and_deep_replies_end_quickly() -> None:
    for piece in ("\n", "* ", "-\n", "Answer:\n", "answer is ", "so ", "not ", "label*", " ", "2 ", "'"):
        began = time.monotonic()
        extract_label(piece * 60_000, SENTIMENT)
        assert time.monotonic() - began < 5, piece
    assert extract_label("not " * 50_000 + "sure", SENTIMENT) is None
    assert extract_label("{" * 100_000, SENTIMENT) is None
    assert extract_label(json.dumps({"label": "positive"}) * 2, SENTIMENT) == "positive"


@pytest.mark.parametrize("labels", [(), ("a", ""), ("a b", "a-b"), ("Yes", "yes"), ("_", "a")])
def test_labels_that_no_reply_can_tell_apart(labels: tuple[str, ...]) -> None:
    with pytest.raises(MetricError, match="label"):
        extract_label("a", labels)
