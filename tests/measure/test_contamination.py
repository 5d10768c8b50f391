"""The guard keeps copies of shots and test rows out, says why, and drops nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.data.example import Example, Message, normalised
from kshot.errors import DataError
from kshot.measure.contamination import Guarded, Overlap, guard, near_overlaps
from kshot.measure.overlap.rouge import rouge_l, tokens
from kshot.models.base import Floats
from kshot.models.embed.hashing import HashingEncoder

DATA = Path(__file__).parents[2] / "../shared/data"
TEST = (
    Example("Which planet of the solar system has the largest number of known moons?", "Saturn"),
    Example("Name the chemical element whose symbol is W.", "tungsten"),
)
LONG = " ".join(f"word{number}" for number in range(40))


def reasons(found: Guarded) -> list[tuple[int, str, int, str]]:
    return [(hit.row, hit.group, hit.protected, hit.reason) for hit in found.overlaps]


def test_each_rule_drops_its_row_and_says_why() -> None:
    pool = [
        Example("NAME the chemical\nelement whose symbol is Ｗ.", "?"),
        Example("Which planet of our solar system has the largest number of moons?", "?"),
        Example("Who wrote Faust?", "Goethe"),
        Example(f"Summarise: {LONG}", "no"),
    ]
    found = guard(pool, {"test": [*TEST, Example(f"Before that came {' '.join(LONG.split()[20:34])}", "x")]})
    assert reasons(found) == [(0, "test", 1, "equal"), (1, "test", 0, "overlap"), (3, "test", 2, "run")]
    assert found.overlaps[1].score == rouge_l(pool[1].prompt, TEST[0].prompt)
    assert found.overlaps[2].evidence == " ".join(LONG.split()[20:33])
    assert found.selection.kept == (2,)
    assert [drop.index for drop in found.selection.dropped] == [0, 1, 3]
    assert found.counts() == {"test: equal": 1, "test: overlap": 1, "test: run": 1}
    assert found.rows()[0] == {
        "row": 0, "group": "test", "protected": 1, "reason": "equal",
        "score": None, "evidence": "", "dropped": True,
    }  # fmt: skip


def test_copies_of_shots_are_counted_apart_from_copies_of_test_rows() -> None:
    shots = (Example("Who painted the ceiling of the Sistine Chapel?", "Michelangelo"),)
    pool = [*shots, *TEST, TEST[0], Example("Unrelated words here", "x")]
    found = guard(pool, {"shots": shots, "test": TEST})
    assert found.counts() == {"shots: equal": 1, "test: equal": 3}
    assert found.selection.kept == (4,)


def test_a_row_near_both_groups_counts_in_both_and_is_dropped_once_for_the_stronger_reason() -> None:
    changed = Example("Name the chemical element whose symbol was W.", "tungsten")
    found = guard([changed], {"shots": TEST, "test": [changed]})
    assert found.counts() == {"shots: overlap": 1, "test: equal": 1}
    assert [(drop.reason, drop.neighbour) for drop in found.selection.dropped] == [("test: equal", 0)]


def test_shots_near_test_rows_are_reported_and_not_dropped() -> None:
    shots = [Example("Unlike all", "x"), TEST[1]]
    assert near_overlaps(shots, TEST) == (Overlap(1, "test", 1, "equal"),)
    assert near_overlaps(shots[:1], TEST) == ()


def test_the_same_question_in_another_form_is_found() -> None:
    choices = ("the cell wall of the plant", "the membrane around it", "its single nucleus", "some vacuole")
    asked = Example("What holds a plant cell upright?", choices[0], choices=choices)
    lettered = "\n".join(
        ["What holds a plant cell upright?", *(f"{x}. {c}" for x, c in zip("ABCD", choices, strict=True))]
    )
    turns = (Message("user", TEST[1].prompt), Message("assistant", "tungsten"))
    pool = [
        Example(lettered, "A"),
        Example("And its melting point?", "3,422 °C", history=turns),
        Example(TEST[1].prompt, "W", history=(Message("user", "Hello, dear friend!"),)),
        Example("Write a quiz.", f"Q1: {TEST[0].prompt} Saturn."),
        Example("Explain.", "x", reasoning=f"They asked: {TEST[0].prompt}"),
    ]
    found = guard(pool, {"test": [*TEST, asked]})
    assert reasons(found) == [
        (0, "test", 2, "overlap"), (1, "test", 1, "equal"), (2, "test", 1, "equal"),
        (3, "test", 0, "run"), (4, "test", 0, "run"),
    ]  # fmt: skip


def test_an_instruction_before_the_copy_does_not_hide_it() -> None:
    test = [Example("krufam skizur skimil", "tin stirs wax")]
    pool = [
        Example("translate the trade words\nkrufam skizur skimil", "tin stirs wax"),
        Example("Now translate the trade words: krufam skizur skimil", "tin stirs wax"),
        Example("translate the trade words\nkrufam nugip gritor", "tin cuts rope"),
        Example("translate the trade words\n", "?"),
    ]
    assert reasons(guard(pool, test)) == [(0, "protected", 0, "equal"), (1, "protected", 0, "run")]
    wording = ["Now translate the trade words: ", ""]
    assert [row for row, *_ in reasons(guard(pool, test, template_texts=wording))] == [0, 1]


def test_of_two_repeated_rows_the_first_is_named() -> None:
    turns = (Message("user", TEST[1].prompt), Message("assistant", "tungsten"))
    assert reasons(guard([Example(TEST[0].prompt, "x", history=turns)], TEST)) == [
        (0, "protected", 0, "equal")
    ]
    near = [Example(TEST[1].prompt.replace("W", letter), "x") for letter in "ABC"]
    assert reasons(guard([TEST[1]], near)) == [(0, "protected", 0, "overlap")]


def test_texts_without_words_and_other_scripts_are_compared_too() -> None:
    chinese = "我们今天下午去公园散步然后回家吃晚饭"
    test = [Example("🙂🙂!", "joy"), Example(chinese, "x"), Example("हिन्दी में लिखा गया वाक्य", "y")]
    pool = [
        Example("🙂🙂!", "?"),
        Example("🙃🙃!", "?"),
        Example(chinese[:-1] + "面", "?"),
        Example("完全不同的一句话与之无关", "?"),
        Example("हिन्दी में लिखा हुआ वाक्य", "?"),
    ]
    found = guard(pool, test)
    assert reasons(found) == [
        (0, "protected", 0, "equal"), (2, "protected", 1, "overlap"), (4, "protected", 2, "overlap"),
    ]  # fmt: skip


def test_the_task_s_own_wording_is_no_evidence() -> None:
    wording = "Decide for the tweet that follows whether its author is in favour of it or against it: "
    tail = "coal was always the cheapest and the dirtiest of all the fuels that we burnt at home"
    other = "why would anybody fly to a conference on ice and snow to hear about polar bears again"
    test, pool = [Example(wording + tail, "against")], [Example(wording + other, "favor")]
    assert guard(pool, test).counts() == {"protected: run": 1}
    assert guard(pool, test, template_texts=[wording]).counts() == {}
    assert guard([Example("RT " + tail, "?")], test, template_texts=[wording]).counts() == {
        "protected: run": 1
    }


class ByFirstLetter:
    """An embedder whose vectors say with which letter a text begins."""

    id, dim = "letters", 26

    def encode(self, texts: Sequence[str]) -> Floats:
        return np.eye(26, dtype=np.float32)[[ord(text[0].lower()) - 97 for text in texts]]


def test_embeddings_flag_and_never_drop() -> None:
    pool = [Example("worlds apart", "x"), Example("zebra", "y"), TEST[1]]
    found = guard(pool, {"test": TEST}, embedder=ByFirstLetter())
    assert found.flagged == (Overlap(0, "test", 0, "cosine", 1.0),)
    assert found.selection.kept == (0, 1)
    assert found.counts() == {"test: equal": 1, "test: cosine": 1}
    assert [row["dropped"] for row in found.rows()] == [False, True]
    assert near_overlaps(pool[:1], TEST, embedder=ByFirstLetter()) == found.flagged


def test_a_stream_gives_what_a_list_gives_and_order_changes_no_verdict() -> None:
    pool = [Example(f"Item {number} of many in a row", "x") for number in range(2500)]
    pool[2000], pool[1023] = TEST[0], TEST[1]
    found = guard(pool, TEST, embedder=HashingEncoder(64))
    assert guard(iter(pool), TEST, embedder=HashingEncoder(64)) == found
    assert reasons(found) == [(1023, "protected", 1, "equal"), (2000, "protected", 0, "equal")]
    backward = guard(pool[::-1], TEST)
    assert sorted(2499 - row for row in backward.selection.kept) == list(found.selection.kept)


def test_nothing_against_nothing() -> None:
    assert guard([], []) == guard([], {"test": []}, embedder=HashingEncoder())
    assert guard(TEST, [], embedder=HashingEncoder()).selection.kept == (0, 1)
    assert guard([], TEST, embedder=HashingEncoder()).selection.kept == ()


def test_bad_rows_and_limits_are_refused() -> None:
    with pytest.raises(DataError, match="row 1 is dict, expected an Example"):
        guard([TEST[0], {"prompt": "x"}], TEST)  # type: ignore[list-item]
    with pytest.raises(DataError, match="test row 0 is str"):
        guard(TEST, {"test": ["x"]})  # type: ignore[list-item]
    with pytest.raises(DataError, match="overlap threshold is 70"):
        guard(TEST, TEST, overlap=70)
    with pytest.raises(DataError, match="run is 0 words"):
        guard(TEST, TEST, run=0)


def slow_reason(row: Example, protected: Sequence[Example], run: int) -> tuple[int, str] | None:
    """The three rules, restated pair by pair, for rows of a prompt alone."""
    for index, other in enumerate(protected):
        if normalised(row.prompt) == normalised(other.prompt):
            return index, "equal"
    for index, other in enumerate(protected):
        if rouge_l(row.prompt, other.prompt) > 0.7:
            return index, "overlap"
    for index, other in enumerate(protected):
        for text in (row.prompt, row.answer):
            words, theirs = tokens(text), tokens(other.prompt)
            runs = {tuple(theirs[at : at + run]) for at in range(len(theirs) - run + 1)}
            runs = {words for words in runs if len(set(words)) >= min(3, run)}
            if any(tuple(words[at : at + run]) in runs for at in range(len(words) - run + 1)):
                return index, "run"
    return None


prompts = st.lists(st.sampled_from(["a", "b", "c", "d", "é", "的", "A", "!"]), min_size=1, max_size=9).map(
    " ".join
)


@settings(max_examples=200, deadline=None)
@given(
    pool=st.lists(st.tuples(prompts, prompts), max_size=8),
    test=st.lists(prompts, max_size=5),
    run=st.integers(2, 5),
)
def test_the_guard_equals_its_rules_restated(pool: list[tuple[str, str]], test: list[str], run: int) -> None:
    rows = [Example(prompt, answer) for prompt, answer in pool]
    protected = [Example(prompt, "x") for prompt in test]
    found = guard(rows, protected, run=run)
    slow = {row: hit for row, example in enumerate(rows) if (hit := slow_reason(example, protected, run))}
    assert {hit.row: (hit.protected, hit.reason) for hit in found.overlaps} == slow
    assert sorted([*found.selection.kept, *slow]) == list(range(len(rows)))


def tweets(split: str) -> list[Example]:
    file = DATA / "tweeteval" / "stance_hillary" / f"{split}.jsonl"
    if not file.exists():
        pytest.skip("shared data is absent")
    lines = file.read_text(encoding="utf-8").split("\n")
    return [Example(row["text"], row["label"]) for row in map(json.loads, filter(None, lines))]


def test_the_known_leak_of_real_data_is_found_and_little_else() -> None:
    """The data's README: one text of stance_hillary stands in train and validation.

    The 19 others are one campaign tweet with its names and hashtags varied, and its like; 600 rows stay.
    """
    found = guard(tweets("train"), {"validation": tweets("validation")})
    assert found.counts() == {"validation: overlap": 19, "validation: equal": 1}


def test_ten_thousand_rows_against_a_thousand_in_seconds() -> None:
    """Measured: 100,000 rows of 22 words against 1,000 in 8 s of one core; all pairs would take minutes."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(3000)])
    odds = 1 / np.arange(1, 3001)
    drawn = rng.choice(words, size=(11_000, 20), p=odds / odds.sum())
    rows = [Example(" ".join(line), "x") for line in drawn]
    rows[77] = rows[10_500]
    start = time.process_time()
    found = guard(rows[:10_000], rows[10_000:])
    assert time.process_time() - start < 8
    assert (77, "protected", 500, "equal") in reasons(found)


class Turned:
    """An embedder of 1024 dimensions whose rows are all within 1e-6 of each other."""

    id, dim = "turned", 1024

    def encode(self, texts: Sequence[str]) -> Floats:
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        rows[:, 0] = 1
        rows[:, 1] = [int(text.split()[0][1:]) * 1e-7 for text in texts]
        return rows


def test_thousands_of_rows_that_are_alike_by_embedding_take_seconds() -> None:
    """Unlike in their words, so that nothing but the embedding is left."""
    shots = [Example(f"a{place} b{place}", "x") for place in range(3000)]
    test = [Example(f"c{place} d{place}", "x") for place in range(3000)]
    start = time.process_time()
    found = near_overlaps(shots, test, embedder=Turned())
    assert time.process_time() - start < 9
    assert [hit.row for hit in found] == list(range(3000))
    assert {hit.reason for hit in found} == {"cosine"}


def test_thousands_of_rows_that_are_alike_in_their_words_take_seconds() -> None:
    wording = "Please help me, the order with number {} never came and nobody answers my letters"
    shots = [Example(wording.format(place), "x") for place in range(3000)]
    test = [Example(wording.format(place + 10_000), "x") for place in range(3000)]
    start = time.process_time()
    found = near_overlaps(shots, test, embedder=HashingEncoder())
    assert time.process_time() - start < 9
    assert {(hit.reason, hit.protected) for hit in found} == {("overlap", 0)}


def test_of_equally_near_rows_the_first_is_named() -> None:
    test = [Example("c5 c", "x"), *(Example(f"c0 d{place}", "x") for place in range(2100))]
    (hit,) = near_overlaps([Example("a0 b", "x")], test, embedder=Turned())
    assert (hit.reason, hit.protected, hit.score) == ("cosine", 0, 1.0)
