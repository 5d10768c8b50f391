"""What the cascade was worth, against hand counts; and the threshold, against all others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import InputError
from kshot.methods.panda.cascade import (
    ALWAYS,
    CascadeResult,
    Drawn,
    cascade_report,
    threshold_from_shots,
)
from kshot.methods.panda.seams import Retrieved
from kshot.models.base import Reply


def result(own, asked, expert):
    answers = tuple(e if ask else o for o, ask, e in zip(own, asked, expert, strict=True))
    drawn = Drawn(
        tuple(own),
        tuple(0.5 if ask else 1.0 for ask in asked),
        (Retrieved(),) * len(own),
        ((Reply("x", 2, 1, calls=1, usd=0.25),) * 3,) * len(own),
    )
    shown = tuple(e if ask else None for ask, e in zip(asked, expert, strict=True))
    return CascadeResult(answers, tuple(asked), shown, drawn, 1.0)


GOLD = ["a", "b", "a", "b", "a"]
OWN = ["a", "b", "b", None, "b"]  # right: 0, 1
EXPERT = ["b", "b", "a", "a", "a"]  # right: 1, 2, 4
ASKED = [False, False, True, True, False]  # cascade right: 0, 1, 2


def test_figures_by_hand():
    report = cascade_report(result(OWN, ASKED, EXPERT), GOLD, expert_answers=EXPERT)
    rows = {row["name"]: row for row in report.rows()}
    assert rows["cascade"] == {
        "name": "cascade", "score": 0.6, "share_asked": 0.4, "kept_score": pytest.approx(2 / 3),
        "asked_score": 0.5, "calls": 15, "usd": 3.75,
    }  # fmt: skip
    assert (rows["never ask"]["score"], rows["never ask"]["share_asked"]) == (0.4, 0.0)
    assert rows["never ask"]["asked_score"] is None
    assert (rows["always ask"]["score"], rows["always ask"]["calls"]) == (0.6, 0)
    assert (rows["oracle split"]["score"], rows["oracle split"]["share_asked"]) == (0.8, 0.4)
    assert report.sentence == (
        "The cascade asks the expert about 40% of the rows and scores 0.600 (never asking 0.400, "
        "always asking 0.600). The expert alone does as well, without a call to the model."
    )


def test_where_always_asking_wins_it_says_so():
    n = 40
    gold = ["a"] * n
    report = cascade_report(result(["b"] * n, [False] * 30 + [True] * 10, gold), gold, expert_answers=gold)
    assert report.sentence.endswith("The expert alone is better: use it without the model.")
    assert report.against_expert.verdict == "worse"
    few = cascade_report(result(OWN, [False] * 5, EXPERT), GOLD, expert_answers=EXPERT)
    assert few.sentence.endswith(
        "The expert alone is better here, by less than these rows can prove; it costs no call."
    )


def test_where_the_cascade_wins_it_says_how_surely():
    n = 40
    gold = ["a"] * n
    found = cascade_report(result(gold, [False] * n, ["b"] * n), gold, expert_answers=["b"] * n)
    assert found.sentence.endswith("It is better than the expert alone.")
    few = cascade_report(
        result(["a", "a"], [False, False], ["a", "b"]), ["a", "a"], expert_answers=["a", "b"]
    )
    assert few.sentence.endswith("is not shown on these rows.")


def test_without_the_experts_answers_always_asking_is_unknown():
    report = cascade_report(result(OWN, ASKED, EXPERT), GOLD)
    rows = {row["name"]: row for row in report.rows()}
    assert rows["always ask"]["score"] is None
    assert rows["oracle split"]["score"] is None
    assert report.against_expert is None
    assert "always asking is unknown" in report.sentence
    all_asked = cascade_report(result(OWN, [True] * 5, EXPERT), GOLD)
    assert all_asked.table[2].score == 0.6
    assert all_asked.table[0].kept_score is None


@pytest.mark.parametrize(
    ("gold", "metric", "says"),
    [(["a"], "exact_match", "5 answers of the cascade, 1 right"), (GOLD, "macro_f1", "is no mean of rows")],
)
def test_what_does_not_fit_is_refused(gold, metric, says):
    with pytest.raises(InputError, match=says):
        cascade_report(result(OWN, ASKED, EXPERT), gold, metric=metric)
    with pytest.raises(InputError, match="at least one"):
        cascade_report(result([], [], []), [])


SHOTS = st.lists(
    st.tuples(st.sampled_from([0.0, 1 / 3, 2 / 3, 1.0, 0.9]), st.booleans(), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(SHOTS)
def test_no_threshold_at_all_is_better_on_the_shots(shots):
    agreement, own, expert = zip(*shots, strict=True)
    chosen = threshold_from_shots(agreement, own, expert)

    def right(threshold):
        return sum(e if a < threshold else o for a, o, e in shots) / len(shots)

    assert chosen.right == right(chosen.value)
    assert chosen.share_asked == sum(a < chosen.value for a in agreement) / len(shots)
    for threshold in (0, 0.1, 1 / 3, 0.5, 2 / 3, 0.8, 0.95, 1.0, 1.5):
        assert right(threshold) <= chosen.right
        if right(threshold) == chosen.right:
            assert sum(a < threshold for a in agreement) >= sum(a < chosen.value for a in agreement)


def test_threshold_ties_ask_least():
    assert threshold_from_shots([0.4, 0.8], [True, True], [True, True]).value == 0.0
    assert threshold_from_shots([0.4, 1.0], [False, False], [True, True]).value == ALWAYS
    tried = threshold_from_shots([0.4, 1.0], [False, True], [True, False]).tried
    assert tried == ((0.0, 0.5, 0.0), (0.7, 1.0, 0.5), (2.0, 0.5, 1.0))


@pytest.mark.parametrize("shots", [([], [], []), ([1.0], [True], []), ([1.2], [True], [True])])
def test_impossible_shots_are_refused(shots):
    with pytest.raises(InputError):
        threshold_from_shots(*shots)
