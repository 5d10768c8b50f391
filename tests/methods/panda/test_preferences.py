"""Rankings from probabilities, gold labels and an agent's samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import DataError
from kshot.methods.panda.preferences import (
    from_actions,
    from_gold,
    from_probabilities,
    gold_led,
    preferences_of,
    rivals_from_confusion,
)
from kshot.methods.panda.records import Candidate, ExpertFacts, Preference

EXPERT = ExpertFacts("classifier", "head@1")
AGENT = ExpertFacts("agent", "swift")
LABELS = ("anger", "joy", "calm")


def answers(preference: Preference) -> list[str]:
    return [candidate.answer for candidate in preference.candidates]


def test_all_classes_are_kept_with_their_probabilities():
    found = from_probabilities("so good", LABELS, (0.2, 0.5, 0.3), expert=EXPERT, source="a:1")
    assert found.candidates == (
        Candidate("joy", "", 0.5),
        Candidate("calm", "", 0.3),
        Candidate("anger", "", 0.2),
    )
    assert (found.text, found.expert, found.gold, found.source, found.flags) == (
        "so good",
        EXPERT,
        None,
        "a:1",
        (),
    )


def test_twenty_classes_are_twenty_candidates():
    labels = [f"emoji {i}" for i in range(20)]
    assert answers(from_probabilities("t", labels, [0.05] * 20, expert=EXPERT)) == labels


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8).filter(any))
def test_order_is_by_probability_then_by_class(counts):
    labels = [f"c{i}" for i in range(len(counts))]
    shares = np.array(counts) / sum(counts)
    found = from_probabilities("t", labels, shares, expert=EXPERT)
    slow = sorted(range(len(counts)), key=lambda i: (-counts[i], i))
    assert answers(found) == [labels[i] for i in slow]


def test_tiny_probabilities_still_rank():
    found = from_probabilities("t", LABELS, np.array([1e-9, 1.0, 1e-8], dtype=np.float32), expert=EXPERT)
    assert answers(found) == ["joy", "calm", "anger"]


def test_rounding_of_another_batch_does_not_change_the_record():
    a = from_probabilities("t", LABELS[:2], (0.25000000001, 0.74999999999), expert=EXPERT)
    assert a.id == from_probabilities("t", LABELS[:2], (0.25, 0.75), expert=EXPERT).id


def test_a_wrong_expert_is_flagged():
    assert from_probabilities("t", LABELS, (0.2, 0.5, 0.3), expert=EXPERT, gold="calm").flags == (
        "against_gold",
    )
    assert from_probabilities("t", LABELS, (0.2, 0.5, 0.3), expert=EXPERT, gold="joy").flags == ()


def test_names_are_shown_by_label_or_by_place():
    for names in ({"joy": "Joy!", "anger": "Anger!"}, ("Anger!", "Joy!", "")):
        found = from_probabilities("t", LABELS, (0.2, 0.5, 0.3), expert=EXPERT, names=names)
        assert [candidate.shown for candidate in found.candidates] == ["Joy!", "calm", "Anger!"]


@pytest.mark.parametrize(
    ("labels", "shares", "more"),
    [
        (LABELS, (0.5, 0.5), {}),
        (LABELS, (0.5, 0.5, 0.5), {}),
        (LABELS, (1.5, -0.5, 0.0), {}),
        (LABELS, (float("nan"), 0.5, 0.5), {}),
        (("joy", "joy", "calm"), (0.2, 0.5, 0.3), {}),
        ((), (), {}),
        (LABELS, (0.2, 0.5, 0.3), {"gold": "fear"}),
        (LABELS, (0.2, 0.5, 0.3), {"names": ["one"]}),
    ],
)
def test_what_is_no_ranking_is_refused(labels, shares, more):
    with pytest.raises(DataError, match="a:7"):
        from_probabilities("t", labels, shares, expert=EXPERT, source="a:7", **more)


def test_rows_of_a_task_become_preferences():
    template = Template(kind="classification", labels=LABELS)
    rows = [Example("so good", "joy", source="a:1"), Example("so what", "")]
    found = preferences_of(rows, [(0.9, 0.1, 0.0), (0.0, 0.1, 0.9)], template=template, expert=EXPERT)
    assert [(p.text, p.top.answer, p.gold, p.source, p.flags) for p in found] == [
        ("so good", "anger", "joy", "a:1", ("against_gold",)),
        ("so what", "calm", None, "", ()),
    ]


def test_choices_rank_as_letters_and_are_shown_as_texts():
    row = Example("Capital of Peru?", "Lima", choices=("Rome", "Lima"))
    found = preferences_of([row], [(0.3, 0.7)], template=Template(kind="choice"), expert=EXPERT)[0]
    assert [(c.answer, c.shown) for c in found.candidates] == [("B", "Lima"), ("A", "Rome")]
    assert found.gold == "B"


def test_rows_without_labels_or_with_too_few_numbers_are_refused():
    with pytest.raises(DataError, match="nothing can be ranked"):
        preferences_of([Example("t", "x")], [(1.0,)], template=Template(), expert=EXPERT)
    with pytest.raises(DataError, match="2 rows but 1"):
        preferences_of([Example("t", "x")] * 2, [(1.0,)], template=Template(), expert=EXPERT)


def test_gold_comes_first_and_its_rival_is_the_experts_likeliest_other():
    expert = from_probabilities("t", LABELS, (0.2, 0.5, 0.3), expert=EXPERT, source="a:1")
    found = from_gold("t", "joy", expert_preference=expert)
    assert answers(found) == ["joy", "calm", "anger"]
    wrong = from_gold("t", "anger", expert_preference=expert)
    assert answers(wrong) == ["anger", "joy", "calm"]
    assert [candidate.probability for candidate in wrong.candidates] == [None, 0.5, 0.3]
    assert (wrong.expert, wrong.gold, wrong.source, wrong.flags) == (
        ExpertFacts("gold", "head@1"),
        "anger",
        "a:1",
        (),
    )


def test_gold_without_an_expert_has_the_rival_of_the_shots_or_none():
    assert answers(from_gold("t", "joy", rival="calm")) == ["joy", "calm"]
    assert answers(from_gold("t", "joy", rival="joy")) == ["joy"]
    assert answers(from_gold("t", "joy")) == ["joy"]
    with pytest.raises(DataError, match="is empty"):
        from_gold("t", "")
    with pytest.raises(DataError, match="about 'u'"):
        from_gold("t", "joy", expert_preference=from_gold("u", "joy"))


def test_confusion_counts_what_is_answered_in_a_classs_place():
    gold = ["joy", "joy", "joy", "anger", "anger", "calm"]
    said = ["calm", "calm", "anger", "joy", "calm", "calm"]
    assert rivals_from_confusion(gold, said, LABELS) == {"anger": "joy", "joy": "calm"}  # a tie: class order
    assert rivals_from_confusion(["joy"], [None], LABELS) == {}
    with pytest.raises(DataError, match="one each"):
        rivals_from_confusion(["joy"], [], LABELS)


def test_valid_distinct_actions_of_the_best_five():
    actions = ["open door", "Open  Door", "fly", "go kitchen", "wait", "look around"]
    valid = ["look around", "wait", "go kitchen", "open door"]
    found = from_actions("t", actions, expert=AGENT, valid=valid)
    assert answers(found) == ["open door", "go kitchen", "wait"]
    assert (found.flags, {c.probability for c in found.candidates}) == ((), {None})
    assert answers(from_actions("t", actions, expert=AGENT, valid=valid, most=1)) == ["open door"]
    assert answers(from_actions("t", actions[:2], expert=AGENT)) == ["open door"]
    # the sixth is never looked at, so it only comes in as a valid action that fills up
    late = from_actions("t", ["fly"] * 5 + ["wait"], expert=AGENT, valid=["go out", "wait"], most=1)
    assert (answers(late), late.flags) == (["go out"], ("filled",))


def test_too_few_valid_actions_are_filled_with_the_most_similar():
    valid = ["wait", "open the oven", "open the door", "close the door"]
    found = from_actions("t", ["open the door now", "open the door"], expert=AGENT, valid=valid)
    assert answers(found) == ["open the door", "open the oven", "close the door"]
    assert found.flags == ("filled",)
    few = from_actions("t", ["fly"], expert=AGENT, valid=["wait"])
    assert (answers(few), few.flags) == (["wait"], ("filled",))


def test_nothing_to_rank_is_an_error():
    for actions, valid in (([], None), ([], ["wait"]), (["fly"], []), ([" "], None)):
        with pytest.raises(DataError, match="can be ranked"):
            from_actions("t", actions, expert=AGENT, valid=valid)
    with pytest.raises(DataError, match="at least one"):
        from_actions("t", ["wait"], expert=AGENT, most=0)


def test_putting_gold_first_needs_gold():
    with pytest.raises(DataError, match="no gold"):
        gold_led(Preference("t", (Candidate("a"),), EXPERT))
    foreign = gold_led(Preference("t", (Candidate("a"),), EXPERT, gold="b"))
    assert answers(foreign) == ["b", "a"]
    assert foreign.flags == ("gold_first",)
