"""Confidence first, then gold: kept and dropped together are the input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import DataError, InputError
from kshot.methods.panda.filters import filter_preferences, margin
from kshot.methods.panda.preferences import from_probabilities
from kshot.methods.panda.records import Candidate, ExpertFacts, Preference

EXPERT = ExpertFacts("classifier")


def two(share: float, gold: str | None = None, text: str = "t") -> Preference:
    return from_probabilities(text, ("a", "b"), (share, 1 - share), expert=EXPERT, gold=gold)


GIVEN = [two(0.9, "a"), two(0.6, "b"), two(0.55), two(0.2, "a"), two(0.5, "a")]


def test_defaults_cut_nothing_and_flag():
    found = filter_preferences(GIVEN)
    assert found.kept == (0, 1, 2, 3, 4)
    assert found.dropped == ()
    assert [p.flags for p in found.preferences] == [(), ("against_gold",), (), ("against_gold",), ()]


def test_limits_drop_with_their_reasons():
    found = filter_preferences(GIVEN, min_probability=0.6)
    assert found.dropped == ((2, "probability below 0.6"), (4, "probability below 0.6"))
    found = filter_preferences(GIVEN, min_margin=0.2)
    assert found.kept == (0, 1, 3)
    assert {reason for _, reason in found.dropped} == {"margin below 0.2"}


def test_a_limit_is_reached_in_spite_of_rounding():
    assert filter_preferences([two(0.65)], min_margin=0.3).kept == (0,)
    assert filter_preferences([two(0.64)], min_margin=0.3).kept == ()


@pytest.mark.parametrize(
    ("rule", "kept", "tops", "flags"),
    [
        ("keep", (0, 1, 2, 3, 4), "aaaba", [(), (), (), (), ()]),
        ("flag", (0, 1, 2, 3, 4), "aaaba", [(), ("against_gold",), (), ("against_gold",), ()]),
        ("drop", (0, 2, 4), "aaa", [(), (), ()]),
        ("gold_first", (0, 1, 2, 3, 4), "abaaa", [(), ("gold_first",), (), ("gold_first",), ()]),
    ],
)
def test_rules_for_gold(rule, kept, tops, flags):
    found = filter_preferences(GIVEN, gold=rule)
    assert found.kept == kept
    assert "".join(p.top.answer for p in found.preferences) == tops
    assert [p.flags for p in found.preferences] == flags


def test_gold_first_has_the_experts_answer_as_rival():
    wrong = from_probabilities("t", ("a", "b", "c"), (0.2, 0.7, 0.1), expert=EXPERT, gold="c")
    found = filter_preferences([wrong], gold="gold_first").preferences[0]
    assert [(c.answer, c.probability) for c in found.candidates] == [("c", None), ("b", 0.7), ("a", 0.2)]


def test_confidence_is_the_experts_own_whatever_gold_says():
    found = filter_preferences(GIVEN, min_probability=0.7, gold="gold_first")
    assert found.kept == (0, 3)
    assert found.preferences[1].top.answer == "a"


@given(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([None, "a", "b"])), max_size=12),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["keep", "flag", "drop", "gold_first"]),
)
def test_kept_and_dropped_are_the_input(facts, probability, gap, rule):
    rows = [two(share, gold) for share, gold in facts]
    found = filter_preferences(rows, min_probability=probability, min_margin=gap, gold=rule)
    assert sorted([*found.kept, *(place for place, _ in found.dropped)]) == list(range(len(rows)))
    assert [p.text for p in found.preferences] == [rows[i].text for i in found.kept]
    told = found.rows()
    assert [row["kept"] for row in told] == [i in found.kept for i in range(len(rows))]
    assert all(bool(row["reason"]) != row["kept"] for row in told)


def test_rows_tell_what_decided():
    row = filter_preferences(GIVEN, min_margin=0.3).rows()[1]
    assert row == {
        "index": 1, "source": "", "answer": "a", "gold": "b", "probability": 0.6,
        "margin": pytest.approx(0.2), "kept": False, "reason": "margin below 0.3", "flags": ["against_gold"],
    }  # fmt: skip


def test_margin_of_one_answer_and_of_none_probable():
    assert margin(Preference("t", (Candidate("a", "", 1.0),), EXPERT)) == 1.0
    assert margin(Preference("t", (Candidate("a"), Candidate("b")), EXPERT)) is None


def test_a_limit_needs_probabilities_and_limits_need_sense():
    agent = Preference("t", (Candidate("go"), Candidate("wait")), ExpertFacts("agent"), source="task 1")
    assert filter_preferences([agent]).kept == (0,)
    with pytest.raises(DataError, match=r"task 1: its expert \(agent\) gives no probabilities"):
        filter_preferences([agent], min_margin=0.1)
    for options in ({"min_probability": 1.2}, {"min_margin": -0.1}, {"gold": "ask"}):
        with pytest.raises(InputError):
            filter_preferences([], **options)
