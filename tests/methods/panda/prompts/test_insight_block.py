"""The insight block shows what its setting says, and nothing where there is nothing."""

from dataclasses import replace

import pytest

from kshot.methods.panda.prompts import INSIGHTS_LINE, fields, insight_block
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference

RANKED = Preference(
    "sunny",
    (Candidate("pos", "Positive", 0.876), Candidate("neu", "", 0.1), Candidate("neg", "", 0.024)),
    ExpertFacts("classifier"),
)  # fmt: skip
FULL = Insight(0, "sunny", "it shines.", opening="Here the answer is right because", preference=RANKED)
CASE, NOTE = ("Case", "sunny"), ("Note", "Here the answer is right because it shines.")
FIRST = ("Expert's answer", "Positive")


@pytest.mark.parametrize(
    ("render", "answers", "expected"),
    [
        ("insight", 1, [CASE, NOTE]),
        ("insight", 3, [CASE, NOTE]),
        ("preference", 1, [CASE, FIRST]),
        ("preference", 2, [CASE, FIRST, ("Expert's second answer", "neu")]),
        (
            "preference",
            3,
            [CASE, FIRST, ("Expert's second answer", "neu"), ("Expert's third answer", "neg")],
        ),
        ("both", 1, [CASE, FIRST, ("Expert's probability", "0.88"), NOTE]),
        ("both", 3, [CASE, FIRST, ("Expert's probability", "0.88"), NOTE]),
    ],
)
def test_each_render_shows_its_parts(render, answers, expected):
    assert fields(insight_block([FULL], render=render, answers=answers)) == expected


def test_entries_stand_in_the_given_order_with_blank_lines_between():
    block = insight_block([FULL, replace(FULL, key="rainy")], render="insight")
    parts = block.split("\n\n")
    assert parts[0] == INSIGHTS_LINE
    assert [fields(part)[0] for part in parts[1:]] == [("Case", "sunny"), ("Case", "rainy")]


def test_what_is_unknown_is_not_shown():
    imported = Insight(0, "k", "because")
    learned_without_a_call = replace(FULL, insight="")
    assert fields(insight_block([imported])) == [("Case", "k"), ("Note", "because")]
    assert fields(insight_block([learned_without_a_call])) == [CASE, FIRST, ("Expert's probability", "0.88")]
    assert insight_block([imported], render="preference") == ""
    assert insight_block([learned_without_a_call], render="insight") == ""
    assert insight_block([]) == ""
    assert len(fields(insight_block([imported, FULL], render="preference"))) == 2


def test_no_probability_no_line():
    ranked = replace(RANKED, candidates=(Candidate("go north"), Candidate("wait")))
    assert fields(insight_block([replace(FULL, preference=ranked)])) == [
        CASE,
        ("Expert's answer", "go north"),
        NOTE,
    ]
