"""Which answer a reply states: section 7's order and table, and a few more."""

import math

import pytest

from kshot.data.template import Template
from kshot.methods.panda.prompts import likeliest, open_prompts
from kshot.methods.panda.seams import Setting
from kshot.models.base import Reply

LABELS = ("negative", "neutral", "positive")
MOOD = open_prompts(Template(instruction="Mood?", kind="classification", labels=LABELS))
HATE = open_prompts(Template(instruction="Hate?", kind="classification", labels=("not-hate", "hate")))
PICK = open_prompts(Template(kind="choice"))
FREE = open_prompts(Template(instruction="Translate."))
LONG = open_prompts(Template(instruction="Write."), multiline=True)
DIRECT, REASONED = Setting(), Setting(reasoning=True)
REASONS = "The words are warm, not negative.\nSo it leans to one side.\n"


@pytest.mark.parametrize(
    ("reply", "setting", "expected"),
    [
        # the table of the specification
        ("2", DIRECT, "positive"),
        ("Positive", DIRECT, "positive"),
        ("not negative, so 2", DIRECT, "positive"),
        ("10", DIRECT, None),
        ("", DIRECT, None),
        ("", REASONED, None),
        (f"{REASONS}Answer: 1", REASONED, "neutral"),
        (f"{REASONS}Answer: 1\n", REASONED, "neutral"),
        (Reply(REASONS, finish_reason="length"), REASONED, None),
        (Reply("It sounds positive", finish_reason="length"), REASONED, None),
        # the required form first
        ("**Positive.**", DIRECT, "positive"),
        ("`1`", DIRECT, "neutral"),
        ("Answer: negative", DIRECT, "negative"),
        ('{"label": "neutral"}', DIRECT, "neutral"),
        (f"Answer: 0\n{REASONS}Answer: **Neutral**.\n\n", REASONED, "neutral"),
        (f"{REASONS}Answer: positive or neutral", REASONED, None),
        (f"{REASONS}Answer: 3", REASONED, None),
        # then the last line
        ("I would say it is positive", DIRECT, "positive"),
        ("positive and negative", DIRECT, None),
        ("it is not positive", DIRECT, None),
        ("unpositive", DIRECT, None),
        (f"{REASONS}All in all it is neutral.", REASONED, "neutral"),
        (f"{REASONS}All in all it is hard.", REASONED, None),
        # cut replies
        (Reply("positive", finish_reason="length"), DIRECT, "positive"),
        (Reply("it may well be positive but", finish_reason="length"), DIRECT, None),
        (Reply(f"{REASONS}Answer: positive", finish_reason="length"), REASONED, None),
        (Reply("", finish_reason="error", error="refused"), DIRECT, None),
    ],
)
def test_labels(reply, setting, expected):
    assert MOOD.read(reply if isinstance(reply, Reply) else Reply(reply), setting) == expected


def test_the_longest_label_first():
    assert HATE.read(Reply("not-hate"), DIRECT) == "not-hate"
    assert HATE.read(Reply("hate"), DIRECT) == "hate"
    assert HATE.read(Reply("Not hate."), DIRECT) == "not-hate"


def test_log_probabilities_stand_between_the_form_and_the_last_line():
    doubt = ((" pos", math.log(0.3)), (" Neg", math.log(0.25)), ("negative", math.log(0.2)), ("The", -0.1))
    assert MOOD.read(Reply("The answer is neutral", logprobs=doubt), DIRECT) == "neutral"  # an answer form
    assert MOOD.read(Reply("positive", logprobs=doubt), DIRECT) == "positive"
    assert MOOD.read(Reply("2", logprobs=doubt), DIRECT) == "positive"
    assert MOOD.read(Reply("Rather positive", logprobs=doubt), DIRECT) == "negative"
    assert MOOD.read(Reply("", logprobs=doubt), DIRECT) == "negative"
    assert MOOD.read(Reply(f"{REASONS}It is positive", logprobs=doubt), REASONED) == "positive"
    assert MOOD.read(Reply("Rather positive", logprobs=(("The", -0.1),)), DIRECT) == "positive"


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([("ne", -0.1)], None),  # begins two labels, and is short
        ([("neu", -0.1)], 1),
        ([("neutrality", -0.1)], None),
        ([("2", -0.1)], 2),
        ([("3", -0.1)], None),
        ([("an", -0.1), ("pos", -3.0)], 2),
        ([("NEGATIVE", -1.0), (" negative", -1.0), ("positive", -0.8)], 0),  # shares add up
        ([("negative", -1.0), ("positive", -1.0)], 0),  # ties: the earlier label
        ([], None),
        ([("", -0.1)], None),
    ],
)
def test_likeliest(tokens, expected):
    assert likeliest(tokens, LABELS) == expected


def test_a_piece_counts_only_where_it_is_long_enough_and_begins_one_name():
    assert likeliest([("An", -0.1), ("joy", -2.0)], ("anger", "joy")) == 1
    assert likeliest([("ang", -0.1), ("joy", -2.0)], ("anger", "joy")) == 0
    assert likeliest([("not", -0.1), ("yes", -2.0)], ("not sure", "not so", "yes")) == 2
    assert likeliest([("not", -0.1)], ("not sure", "not so")) is None
    assert likeliest([("not", -0.1)], ("not", "not so")) == 0  # the whole of a name


def test_labels_that_are_numbers_are_never_indices():
    stars = ("1", "2", "3")
    assert likeliest([("1", -0.1)], stars) == 0
    assert likeliest([("0", -0.1)], stars) is None
    read = open_prompts(Template(kind="classification", labels=stars)).read
    assert read(Reply("2"), DIRECT) == "2"
    assert read(Reply("0"), DIRECT) is None


def test_names_are_read_as_labels():
    named = open_prompts(
        Template(kind="classification", labels=("a", "b")), names={"a": "Sunny", "b": "Rainy"}
    )
    assert named.read(Reply("rainy"), DIRECT) == "b"
    assert named.read(Reply("0"), DIRECT) == "a"
    assert named.read(Reply("Reasons.\nAnswer: Sunny"), REASONED) == "a"


@pytest.mark.parametrize(
    ("reply", "setting", "expected"),
    [
        ("B", DIRECT, "B"),
        ("(b)", DIRECT, "B"),
        ("B. Paris", DIRECT, "B"),
        ("The answer is C.", DIRECT, "C"),
        ("A dog ran.", DIRECT, None),
        ("7", DIRECT, None),
        ("I think A or B.\nAnswer: B", REASONED, "B"),
        ("Both.\nAnswer: A or B", REASONED, None),
        ("I weigh (A).\nB.", REASONED, "B"),
        (Reply("I weigh (A).", finish_reason="length"), REASONED, None),
        (Reply("hm", logprobs=((" C", -0.5), ("D", -2.0), ("0", -0.01), ("An", -0.01))), DIRECT, "C"),
        (Reply("", finish_reason="error"), DIRECT, None),
    ],
)
def test_choices(reply, setting, expected):
    assert PICK.read(reply if isinstance(reply, Reply) else Reply(reply), setting) == expected


@pytest.mark.parametrize(
    ("reply", "setting", "expected"),
    [
        ("le chat", DIRECT, "le chat"),
        ("Answer: le chat", DIRECT, "le chat"),
        ("\n le chat \nmore", DIRECT, "le chat"),
        ("", DIRECT, None),
        ("It is a cat.\nAnswer: le chat\n", REASONED, "le chat"),
        ("It is a cat.", REASONED, None),
        (Reply("Answer: le ch", finish_reason="length"), REASONED, None),
    ],
)
def test_free_answers(reply, setting, expected):
    assert FREE.read(reply if isinstance(reply, Reply) else Reply(reply), setting) == expected


def test_free_answers_of_several_lines():
    assert LONG.read(Reply("one\ntwo\n"), DIRECT) == "one\ntwo"
    assert LONG.read(Reply("Answer:\none\ntwo"), DIRECT) == "one\ntwo"
    assert LONG.read(Reply("I think.\nAnswer: no\nAnswer: one\ntwo\n"), REASONED) == "one\ntwo"
    assert LONG.read(Reply("I think."), REASONED) is None
