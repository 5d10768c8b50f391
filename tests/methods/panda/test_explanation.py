"""Which replies are explanations: not empty, not for a rival, cut back to whole sentences."""

from __future__ import annotations

import pytest

from kshot.methods.panda.explanation import last_sentence, unusable, whole_sentences, without_opening
from kshot.methods.panda.pairs import Pair
from kshot.methods.panda.records import Candidate


def pair(preferred: str, *rivals: str) -> Pair:
    return Pair(Candidate(preferred), tuple(map(Candidate, rivals)), "top2")


JOY = pair("joy", "anger")


@pytest.mark.parametrize(
    "text",
    [
        "It is warm.",
        "It is joy.",
        "So it is joy and not anger.",
        "So it is joy rather than anger.",
        "There is no anger.",
        "It isn't anger.",
        "Anger would shout. This text smiles.",
        "Of joy and anger, the first is nearer.",
        "That is why it is more fitting than anger.",
        "The smile speaks for this label over the label anger.",
        "An angered reader may smile, too.",
        "He got 1 of 2 tickets.",
        "It is anger.\nIt is joy.",
        "Answer: joy",
    ],
)
def test_usable(text):
    assert unusable(text, JOY) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "So it is anger.",
        "It seems joyful. So the label is **Anger**",
        "Joy is near! In the end: anger",
        "It is joy.\nAnswer: anger",
        '{"label": "anger"}',
        "It is joy. It is anger.\n\n",
    ],
)
def test_unusable(text):
    wrong = unusable(text, JOY)
    assert wrong.endswith("Explain why joy is preferred.")
    assert ("empty" if not text.strip() else "naming anger") in wrong


def test_reasons_that_are_only_announced_are_no_explanation():
    """2 % of the released explanations end so: they were cut at the first line end, before a list."""
    assert "announces reasons" in unusable("The choice of joy could be due to several reasons:\n", JOY)
    assert unusable("There is one reason: it smiles.", JOY) == ""


def test_the_second_of_two_rivals_counts_and_display_names_do():
    assert "naming calm" in unusable("It is calm.", pair("joy", "anger", "calm"))
    named = Pair(Candidate("1", "irony"), (Candidate("0", "no irony"),), "top2")
    assert unusable("It means irony.", named) == ""
    assert "naming no irony" in unusable("It has no irony.", named)  # the longest label first


def test_what_the_parser_cannot_tell_apart_is_not_looked_for():
    assert unusable("It is Joy.", pair("joy", "Joy")) == ""
    assert unusable("A cat sat. It is b.", pair("a", "b")) == ""


def test_free_texts_are_looked_for_as_texts():
    texts = pair("lamp river iron", "iron star lamp")
    assert unusable("brolt is iron ; zank is lamp", texts) == ""
    assert "naming iron star lamp" in unusable("It reads iron star lamp", texts)


def test_a_reply_as_long_as_the_limit_is_judged_by_its_last_full_sentence():
    text = "It is joy. " + "very " * 100 + "much anger"
    assert unusable(text, JOY) != ""
    assert unusable(text, JOY, limit=150) == ""
    assert unusable("It is joy. So anger", JOY, limit=150) != ""
    assert unusable("very " * 120 + "much anger", JOY, limit=150) != ""


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("One. Two", "One."),
        ("One. Two.", "One. Two."),
        ("One", ""),
        ("", ""),
        ("It costs 3.5 and", ""),
        ("Warm, e.g. in", ""),
        ('He said "no." And', 'He said "no."'),
        ("Ist das so? Ja", "Ist das so?"),
        ("好的。因为", "好的。"),
        ("Dr. Who came. He", "Dr. Who came."),
    ],
)
def test_whole_sentences(text, whole):
    assert whole_sentences(text) == whole


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("One. Two", "Two"),
        ("One. Two.", "Two."),
        ("One", "One"),
        ("", ""),
        ("One.\n\n- two\n", "- two"),
        ("Warm, e.g. in May", "Warm, e.g. in May"),
        ("A。B。", "B。"),
    ],
)
def test_last_sentence(text, last):
    assert last_sentence(text) == last


def test_the_opening_is_taken_off_once_and_only_in_front():
    opening = "The label (joy) is right because"
    assert without_opening(" the label (joy)\nis right because it smiles.", opening) == ("it smiles.", True)
    assert without_opening("It smiles.", opening) == ("It smiles.", False)
    assert without_opening(f"Look: it smiles. {opening}", opening)[1] is False
    assert without_opening(opening, opening) == (opening, False)
    assert without_opening(" x ", "") == ("x", False)
