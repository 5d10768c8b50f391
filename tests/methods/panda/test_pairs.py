"""Pair heuristics and their fall-backs; reversed and swapped answers."""

from __future__ import annotations

import itertools

import pytest

from kshot.errors import DataError, InputError
from kshot.methods.panda.label_noise import swapped
from kshot.methods.panda.pairs import pair_of, reversed_pair, reversed_preference
from kshot.methods.panda.preferences import from_probabilities
from kshot.methods.panda.records import Candidate, ExpertFacts, Preference

EXPERT = ExpertFacts("agent")
HEURISTICS = ("top1", "top2", "top3", "far", "last")


def ranked(count: int) -> Preference:
    return Preference("t", tuple(Candidate(f"r{i + 1}") for i in range(count)), EXPERT)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, {"top1": (), "top2": (), "top3": (), "far": (), "last": ()}),
        (2, {"top1": (), "top2": ("r2",), "top3": ("r2",), "far": ("r2",), "last": ("r2",)}),
        (3, {"top1": (), "top2": ("r2",), "top3": ("r2", "r3"), "far": ("r3",), "last": ("r3",)}),
        (20, {"top1": (), "top2": ("r2",), "top3": ("r2", "r3"), "far": ("r3",), "last": ("r20",)}),
    ],
)
def test_rivals_of_every_heuristic(count, expected):
    for heuristic, rivals in expected.items():
        pair = pair_of(ranked(count), heuristic)
        assert pair.preferred.answer == "r1"
        assert tuple(rival.answer for rival in pair.rivals) == rivals


@pytest.mark.parametrize(("count", "used"), [(1, "top1"), (2, "top2"), (3, None), (20, None)])
def test_fall_backs_are_told(count, used):
    for heuristic in HEURISTICS:
        pair = pair_of(ranked(count), heuristic)
        expected = heuristic if used is None or heuristic == "top1" else used
        assert (pair.heuristic, pair.fell_back) == (expected, expected != heuristic)


def test_a_wrong_heuristic_and_an_empty_ranking_are_refused():
    with pytest.raises(InputError, match="'top4' is none of top1, top2"):
        pair_of(ranked(3), "top4")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="ranks no answer"):
        pair_of(ranked(0))


def test_a_reversed_preference_explains_the_reversed_pair():
    for heuristic in HEURISTICS[1:]:
        pair = pair_of(ranked(5), heuristic)
        again = pair_of(reversed_preference(ranked(5), heuristic), heuristic)
        assert (again.preferred, again.rivals[0]) == (pair.rivals[0], pair.preferred)
        assert again == reversed_pair(pair)
    with pytest.raises(DataError, match="no rival"):
        reversed_preference(ranked(1))
    with pytest.raises(DataError, match="no rival"):
        reversed_preference(ranked(3), "top1")


def test_probabilities_stay_with_the_places_and_gold_is_looked_at_anew():
    right = from_probabilities("t", ("a", "b", "c"), (0.7, 0.2, 0.1), expert=EXPERT, gold="a")
    wrong = reversed_preference(right)
    assert [(c.answer, c.probability) for c in wrong.candidates] == [("b", 0.7), ("a", 0.2), ("c", 0.1)]
    assert wrong.flags == ("corrupted", "against_gold")
    assert reversed_preference(wrong).flags == ("corrupted",)
    assert wrong.id != right.id


SHARES = (0.0, 0.1, 0.2, 0.4, 1.0)


def test_noise_swaps_the_share_asked_for_and_is_nested():
    given = [Preference(f"t{i}", ranked(3).candidates, EXPERT) for i in range(95)]
    places = []
    for share in SHARES:
        found = swapped(given, share, seed=3)
        places.append({i for i, p in enumerate(found) if p.top.answer == "r2"})
        for before, after in zip(given, found, strict=True):
            assert after is before or (
                [c.answer for c in after.candidates] == ["r2", "r1", "r3"] and after.flags == ("swapped",)
            )
    assert [len(some) for some in places] == [0, 10, 19, 38, 95]
    assert all(a < b for a, b in itertools.pairwise(places))
    assert swapped(given, 0.4, seed=3) == swapped(given, 0.4, seed=3) != swapped(given, 0.4, seed=4)


def test_rows_with_one_answer_are_passed_over():
    given = [ranked(1), ranked(2), ranked(1), ranked(2)]
    found = swapped(given, 1.0)
    assert [p.top.answer for p in found] == ["r1", "r2", "r1", "r2"]
    assert swapped([], 0.5) == ()
    with pytest.raises(InputError, match=r"is 1\.1"):
        swapped(given, 1.1)
