"""The indexes find exactly the pairs that comparing all with all finds."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import DataError
from kshot.measure.overlap import index as overlap_index
from kshot.measure.overlap.index import OverlapIndex, RunIndex
from kshot.measure.overlap.rouge import f_measure, tokens

DATA = Path(__file__).parents[3] / "../shared/data"
few_words = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=12)
RUN_OF = 3


def slow_above(texts: list[list[str]], new: list[str], threshold: float) -> list[tuple[int, float]]:
    scored = [(index, f_measure(text, new)) for index, text in enumerate(texts)]
    return [(index, score) for index, score in scored if score > threshold]


def slow_shared(texts: list[list[str]], new: list[str], length: int) -> tuple[int, str] | None:
    for index, text in enumerate(texts):
        runs = {tuple(text[at : at + length]) for at in range(len(text) - length + 1)}
        for at in range(len(new) - length + 1):
            different = len(set(new[at : at + length]))
            if tuple(new[at : at + length]) in runs and different >= min(3, length):
                return index, " ".join(new[at : at + length])
    return None


@settings(max_examples=300, deadline=None)
@given(
    texts=st.lists(few_words, max_size=8),
    new=few_words,
    threshold=st.sampled_from([0.0, 0.3, 0.5, 2 / 3, 0.7, 0.9, 0.999]),
)
def test_no_pair_above_the_threshold_is_lost_or_invented(
    texts: list[list[str]], new: list[str], threshold: float
) -> None:
    assert list(OverlapIndex(texts, threshold=threshold).above(new)) == slow_above(texts, new, threshold)


@pytest.mark.parametrize(
    ("common", "m", "n", "refused"),
    [
        (7, 10, 10, False), (7, 7, 13, True), (7, 8, 12, True), (7, 9, 11, True),
        (14, 20, 20, False), (14, 17, 23, False), (14, 19, 21, False), (14, 18, 22, True), (14, 16, 24, True),
        (21, 23, 37, False),
    ],
)  # fmt: skip
def test_ties_at_seven_tenths_fall_as_the_float_form_says(common: int, m: int, n: int, refused: bool) -> None:
    shared = [f"s{word}" for word in range(common)]
    left = shared + [f"l{word}" for word in range(m - common)]
    right = [f"r{word}" for word in range(n - common)] + shared
    assert bool(list(OverlapIndex([left]).above(right))) is refused
    assert bool(list(OverlapIndex([right]).above(left))) is refused


def test_real_prompts_give_the_pairs_of_the_full_comparison() -> None:
    file = DATA / "explore_demo" / "paraphrase.json"
    if not file.exists():
        pytest.skip("shared data is absent")
    rows = json.loads(file.read_text(encoding="utf-8"))["examples"]
    texts = [tokens(row["instruction"]) for row in rows]
    index = OverlapIndex(texts[:250])
    found = [list(index.above(text)) for text in texts[250:]]
    assert found == [slow_above(texts[:250], text, 0.7) for text in texts[250:]]
    assert sum(map(len, found)) > 10


def test_the_filter_of_the_demo_domain_keeps_269_paraphrase_instructions() -> None:
    """The spec's reference figure: greedy in row order, the first stays."""
    file = DATA / "explore_demo" / "paraphrase.json"
    if not file.exists():
        pytest.skip("shared data is absent")
    texts = [tokens(row["instruction"]) for row in json.loads(file.read_text(encoding="utf-8"))["examples"]]
    index = OverlapIndex(texts)
    kept: set[int] = set()
    for place, text in enumerate(texts):
        if not any(other in kept for other, _ in index.above(text)):
            kept.add(place)
    assert len(kept) == 269


def test_a_vocabulary_beyond_unicode_is_compared_as_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more_characters(number: int) -> str:
        raise ValueError(f"chr() arg {number} not in range")

    monkeypatch.setattr("sys.maxunicode", 2)
    monkeypatch.setattr(overlap_index, "chr", no_more_characters, raising=False)
    texts = [["a", "b", "c"], ["c", "b", "a"]]
    assert [index for index, _ in OverlapIndex(texts).above(["a", "b", "c"])] == [0]


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan")])
def test_a_threshold_outside_zero_to_one_is_refused(threshold: float) -> None:
    with pytest.raises(DataError, match="overlap threshold"):
        OverlapIndex([], threshold=threshold)


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(few_words, max_size=6), new=st.lists(few_words, max_size=5), length=st.integers(1, 5))
def test_shared_runs_are_those_of_the_full_comparison(
    texts: list[list[str]], new: list[list[str]], length: int
) -> None:
    slow = [(row, *found) for row, text in enumerate(new) if (found := slow_shared(texts, text, length))]
    assert RunIndex(texts, length=length).shared(new) == slow


def test_a_run_of_thirteen_words_counts_and_twelve_do_not() -> None:
    words = [f"w{number}" for number in range(30)]
    index = RunIndex([words])
    assert index.shared([["x", *words[5:17], "y"]]) == []
    assert index.shared([["x", *words[5:18], "y"]]) == [(0, 0, " ".join(words[5:18]))]


def test_no_run_crosses_from_one_text_into_the_next() -> None:
    index = RunIndex([["a", "b"], ["c", "d"]], length=RUN_OF)
    assert index.shared([["a", "b", "c"], ["d"]]) == []
    assert RunIndex([["a", "b", "c"]], length=RUN_OF).shared([["a"], ["b", "c"]]) == []


def test_words_of_the_template_belong_to_no_run() -> None:
    template = tokens("Read the tweet below with care and say whether its author is in favour or against:")
    one, other = tokens("coal is the cheapest thing"), tokens("the sea is rising faster now")
    texts = [template + one]
    assert RunIndex(texts).shared([template + other]) != []
    assert RunIndex(texts, templates=[template]).shared([template + other]) == []
    copied = one + tokens("that we have ever burnt for heat in the north")
    assert RunIndex([template + copied], templates=[template]).shared([copied]) != []


def test_only_a_part_of_a_template_hides_too_and_a_short_one_hides_nothing() -> None:
    template = [f"t{number}" for number in range(20)]
    part = template[6:16]
    text = [*part, "x", "y", "z"]
    assert RunIndex([text], templates=[template]).shared([text]) == []
    assert RunIndex([text], templates=[["x", "y", "z"]]).shared([text]) != []
    assert RunIndex([text], length=4, templates=[part[:4]]).shared([part[:4], part[4:8]]) == [
        (1, 0, " ".join(part[4:8]))
    ]


def test_masked_names_in_a_row_are_no_run() -> None:
    index = RunIndex([["user"] * 30, ["oh", *["user"] * 11, "no"]])
    assert index.shared([["user"] * 14, ["oh", *["user"] * 11, "no"]]) == [
        (1, 1, "oh" + " user" * 11 + " no")
    ]


def test_long_texts_are_no_trouble() -> None:
    rng = random.Random(0)
    long = [f"w{rng.randrange(5000)}" for _ in range(50_000)]
    assert RunIndex([long]).shared([long[777:800]]) == [(0, 0, " ".join(long[777:790]))]
    assert [found for found, _ in OverlapIndex([long[:3000]]).above(long[:2900])] == [0]


def test_a_large_vocabulary_crosses_the_surrogates() -> None:
    words = [f"w{number}" for number in range(70_000)]
    index = OverlapIndex([words[at : at + 10] for at in range(0, 70_000, 10)])
    for place in (0, 5529, 5530, 5734, 6999):  # character codes D800 to DFFF are 5529.6 to 5734.4
        text = words[10 * place : 10 * place + 10]
        assert [found for found, _ in index.above([*text[:9], "new"])] == [place]
        assert list(index.above([*text[:3], *words[:5]])) == []


def test_a_run_needs_a_word() -> None:
    with pytest.raises(DataError, match="0 words long"):
        RunIndex([], length=0)
