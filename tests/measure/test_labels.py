"""Odd labels are named with the shot that speaks against them; sound ones are left alone."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.data.example import Example, normalised
from kshot.errors import DataError
from kshot.measure.labels import KINDS, LabelFlag, label_flags
from kshot.models.base import Floats

DATA = Path(__file__).parents[2] / "../shared/data/tweeteval"
SOUND = [
    Example("The train to Bern was two hours late.", "bad"),
    Example("What a kind waiter, and such food!", "good"),
    Example("Never again: the roof leaks onto the bed.", "bad"),
    Example("My daughter laughed all evening.", "good"),
]


def kinds(flags: Sequence[LabelFlag]) -> list[tuple[int, str, int | None]]:
    return [(flag.index, flag.kind, flag.other) for flag in flags]


class Angles:
    """An embedder that reads a direction in degrees off the end of each text."""

    id, dim = "angles", 2

    def encode(self, texts: Sequence[str]) -> Floats:
        radians = np.radians([float(text.split()[-1]) for text in texts])
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def at(*rows: tuple[float, str]) -> list[Example]:
    """Rows of unlike words at the given angles."""
    return [Example(f"{chr(97 + place) * 9} {angle}", label) for place, (angle, label) in enumerate(rows)]


def test_sound_labels_raise_no_flag() -> None:
    assert label_flags(SOUND, kind="classification", labels=("good", "bad")) == ()
    assert label_flags([]) == label_flags([], kind="classification") == ()


def test_the_same_question_with_two_answers_names_the_earlier_row() -> None:
    shots = [*SOUND, Example(" the TRAIN to Bern was two hours late.", "good", source="shots.jsonl:9")]
    flags = label_flags(shots, kind="classification")
    assert kinds(flags) == [(4, "contradictory", 0)]
    assert flags[0].sentence == (
        "shots.jsonl:9: answer 'good', but shot 1 asks the same and has 'bad'; correct one of them"
    )
    assert kinds(label_flags(shots)) == kinds(flags)  # whatever the kind


def test_the_same_answer_again_or_other_choices_are_no_contradiction() -> None:
    again = [Example("2 + 2?", "Four"), Example("2 + 2?", "four ")]
    assert label_flags(again) == ()
    choices = [
        Example("Which is a fruit?", "pear", choices=("pear", "oak")),
        Example("Which is a fruit?", "fig", choices=("fig", "oak")),
    ]
    assert label_flags(choices, kind="choice") == ()


def test_each_of_several_contradicting_rows_names_the_first_that_differs() -> None:
    shots = [Example("q", "x"), Example("q", "x"), Example("q", "y"), Example("q", "x"), Example("q", "")]
    assert kinds(label_flags(shots)) == [(2, "contradictory", 0), (3, "contradictory", 2), (4, "empty", None)]


def test_almost_the_same_prompt_with_another_label_is_flagged_for_classification_only() -> None:
    shots = [*SOUND, Example("My son laughed all evening.", "bad")]
    assert kinds(label_flags(shots, kind="classification")) == [(4, "near_contradictory", 3)]
    assert label_flags(shots, kind="generation") == ()


def test_a_cosine_of_95_hundredths_counts_as_almost_the_same() -> None:
    cut = float(np.degrees(np.arccos(0.95)))
    inside, outside = at((0, "x"), (cut - 0.01, "y")), at((0, "x"), (cut + 0.01, "y"))
    assert kinds(label_flags(inside, kind="classification", embedder=Angles())) == [
        (1, "near_contradictory", 0)
    ]
    assert label_flags(outside, kind="classification", embedder=Angles()) == ()


def test_three_witnesses_that_agree_make_a_label_suspicious() -> None:
    shots = at((0, "x"), (30, "y"), (-35, "y"), (50, "y"), (180, "x"))
    flags = label_flags(shots, kind="classification", embedder=Angles())
    assert kinds(flags) == [(0, "suspicious", 1)]
    assert flags[0].sentence == (
        "shot 1: label 'x', but all 3 shots like it have 'y', shot 2 the nearest; look at it again"
    )


@pytest.mark.parametrize(
    "rows",
    [
        ((0, "x"), (30, "y"), (-35, "y"), (50, "y")),  # the only shot of its label
        ((0, "x"), (30, "y"), (-35, "y"), (180, "x")),  # two witnesses are too few
        (
            (0, "x"),
            (30, "y"),
            (-35, "y"),
            (50, "y"),
            (-50, "x"),
            (180, "x"),
        ),  # one of them agrees with the shot
        ((0, "x"), (30, "y"), (-35, "y"), (61, "y"), (180, "x")),  # the third is too far: cosine below 0.5
        ((0, "x"), (30, "X"), (-35, "X"), (50, "X"), (180, "x")),  # the same label in another spelling
    ],
)
def test_weaker_evidence_makes_no_label_suspicious(rows: tuple[tuple[float, str], ...]) -> None:
    flags = label_flags(at(*rows), kind="classification", embedder=Angles())
    assert [flag for flag in flags if flag.kind == "suspicious"] == []


def test_spelling_follows_the_stated_labels_or_the_majority() -> None:
    shots = [
        Example(f"text number {n} {n * n}", label) for n, label in enumerate(["Joy", "joy", "joy", "fear"])
    ]
    flags = label_flags(shots, kind="classification")
    assert kinds(flags) == [(0, "spelling", 1)]
    assert flags[0].sentence == "shot 1: label 'Joy' is spelled 'joy' elsewhere; use one spelling"
    stated = label_flags(shots, kind="classification", labels=["Joy", "fear"])
    assert kinds(stated) == [(1, "spelling", 0), (2, "spelling", 0)]
    tie = label_flags(shots[:2], kind="classification")
    assert kinds(tie) == [(1, "spelling", 0)]
    assert label_flags(shots, kind="classification", labels=["Joy", "joy", "fear"]) == ()


def test_white_space_and_empty_answers() -> None:
    shots = [Example("a b c", " yes"), Example("d e f", "no"), Example("g h i", " \n")]
    found = [(0, "white_space", None), (2, "empty", None)]
    assert kinds(label_flags(shots, kind="classification")) == found
    assert kinds(label_flags(shots, kind="extraction")) == found
    assert kinds(label_flags(shots, kind="generation")) == found[1:]  # code may begin with blanks


def test_long_answers_are_cut_in_sentences() -> None:
    shots = [Example("Write.", "a" * 5000), Example("Write.", "b" * 5000)]
    assert len(label_flags(shots)[0].sentence) < 250


def test_a_row_that_is_no_example_is_refused() -> None:
    with pytest.raises(DataError, match="shot 2 is dict"):
        label_flags([SOUND[0], {"prompt": "x"}])  # type: ignore[list-item]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a b c", "A b C", "a b d", "!", "的"]), st.sampled_from(["x", "X ", "y", ""])
        ),
        max_size=8,
    )
)
def test_flags_come_in_order_and_point_at_shots_that_differ(rows: list[tuple[str, str]]) -> None:
    shots = [Example(prompt, answer) for prompt, answer in rows]
    flags = label_flags(shots, kind="classification")
    assert [(f.index, KINDS.index(f.kind)) for f in flags] == sorted(
        {(f.index, KINDS.index(f.kind)) for f in flags}
    )
    for flag in flags:
        assert 0 <= flag.index < len(shots)
        if flag.kind in ("contradictory", "near_contradictory", "suspicious"):
            assert flag.other is not None
            assert normalised(shots[flag.index].answer) != normalised(shots[flag.other].answer)
    slow = {
        late
        for late in range(len(shots))
        for early in range(late)
        if shots[late].question == shots[early].question
        and shots[late].answer.strip()
        and shots[early].answer.strip()
        and normalised(shots[late].answer) != normalised(shots[early].answer)
    }
    assert {flag.index for flag in flags if flag.kind == "contradictory"} == slow


def draws(size: int) -> list[list[Example]]:
    """Ten draws from the training rows of each of the eight tasks."""
    if not DATA.is_dir():
        pytest.skip("shared data is absent")
    drawn = []
    for file in sorted(DATA.glob("*/train.jsonl")):
        lines = list(filter(None, file.read_text(encoding="utf-8").split("\n")))
        for seed in range(10):
            rows = map(json.loads, random.Random(seed).sample(lines, size))
            drawn.append([Example(row["text"], row["label"]) for row in rows])
    return drawn


@pytest.mark.parametrize("size", [16, 50])
def test_real_tweets_raise_few_false_flags(size: int) -> None:
    """Measured: no flag on 1,280 and on 4,000 shots."""
    flags = [flag for shots in draws(size) for flag in label_flags(shots, kind="classification")]
    assert len(flags) <= 0.002 * 80 * size


def test_one_wording_with_a_slot_is_no_contradiction() -> None:
    verbs, things = ["book", "cancel", "change"], ["my", "the", "one", "that", "a"]
    shots = [Example(f"please {verb} {x} train ticket to Bern", verb) for verb in verbs for x in things]
    assert label_flags(shots, kind="classification") == ()
    slip = Example("please book our train ticket to Bern", "cancel")
    pair = [shots[0], slip]
    assert kinds(label_flags(pair, kind="classification")) == [(1, "near_contradictory", 0)]
    mostly = [*shots[:5], slip]  # 10 pairs of 15 agree: a third differs, and no more
    assert kinds(label_flags(mostly, kind="classification")) == [(5, "near_contradictory", 0)]


def test_a_wrong_label_in_a_clear_task_is_found() -> None:
    topics = {
        "weather": "will it rain or snow tomorrow in",
        "alarm": "wake me with an alarm at seven in",
    }
    clear = [
        Example(f"{words} {place} please", label)
        for label, words in topics.items()
        for place in ("Rome", "Bern", "Paris", "Lima")
    ]
    assert label_flags(clear, kind="classification") == ()
    wrong = [*clear, Example("is there rain or snow tomorrow in Oslo", "alarm")]
    assert [(f.index, f.kind) for f in label_flags(wrong, kind="classification")] == [(8, "suspicious")]


def alike(count: int) -> list[Example]:
    """Rows of one wording with a number of their own: every pair is near by ROUGE-L and by cosine."""
    wording = "Please help me, the order with number {} never came and nobody answers my letters about it"
    return [Example(wording.format(1000 + place), "A") for place in range(count)]


@pytest.mark.parametrize(("count", "seconds"), [(1_000, 4), (10_000, 15)])
def test_thousands_of_similar_shots_take_seconds(count: int, seconds: float) -> None:
    shots = [*alike(count - 1), Example(alike(3)[2].prompt, "B")]
    start = time.process_time()
    found = kinds(label_flags(shots, kind="classification"))
    assert time.process_time() - start < seconds
    assert found == [(count - 1, "contradictory", 2)]


def test_ten_thousand_times_the_same_question() -> None:
    shots = [Example("Is it so?", "yes")] * 10_000 + [Example("Is it so?", "no"), Example("is it so?", "Yes")]
    start = time.process_time()
    found = kinds(label_flags(shots))
    assert time.process_time() - start < 3
    assert found == [(10_000, "contradictory", 0), (10_001, "contradictory", 10_000)]


def test_pairs_are_sought_among_the_first_shots_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kshot.measure.labels.NEAR_SHOTS", 4)
    shots = at((0, "good"), (90, "bad"), (180, "good"), (1, "bad"), (91, "good"))
    found = kinds(label_flags(shots, kind="classification", embedder=Angles()))
    assert found == [(3, "near_contradictory", 0)]  # and not the fifth, which contradicts the second


def test_vectors_must_have_length_one() -> None:
    class Long(Angles):
        def encode(self, texts: Sequence[str]) -> Floats:
            return 2 * super().encode(texts)

    with pytest.raises(DataError, match="length 2, expected 1"):
        label_flags(at((0, "a"), (9, "b")), kind="classification", embedder=Long())
