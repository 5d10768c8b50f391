"""The near-repeat filter decides as a comparison with every kept text, in rouge_score's float form."""

from __future__ import annotations

import doctest
import json
import random
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import DataError
from kshot.measure.overlap import bounds, distinct, lcs
from kshot.measure.overlap.distinct import DistinctTexts, Near, drop_overlapping
from kshot.measure.overlap.rouge import f_measure, tokens

DEMO = Path(__file__).parents[3] / ".." / "shared" / "data" / "explore_demo"
needs_demo = pytest.mark.skipif(not DEMO.is_dir(), reason="the demo domain is not here")
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "你", "好"]), max_size=14)
THRESHOLDS = st.sampled_from([0.0, 5e-324, 0.3, 0.5, 2 / 3, 0.7, 0.9, 0.999]) | st.floats(
    0, 1, exclude_max=True
)


def slow_near(kept: list[list[str]], new: list[str], threshold: float) -> Near | None:
    best = None
    for index, text in enumerate(kept):
        score = f_measure(text, new)
        if score > (threshold if best is None else best.score):
            best = Near(index, score)
    return best


def slow_drop(texts: list[list[str]], threshold: float) -> list[int]:
    kept: list[int] = []
    for index, new in enumerate(texts):
        if not any(f_measure(texts[old], new) > threshold for old in kept):
            kept.append(index)
    return kept


def demo() -> dict[str, list[str]]:
    """Instructions by node, in the order of levels."""
    meta = json.loads((DEMO / "tree_meta_info.json").read_text("utf-8"))
    found = {}
    for node in (meta, *meta["children"]):
        rows = json.loads((DEMO / node["config_filename"]).read_text("utf-8"))["examples"]
        found[node["task_name"]] = [row["instruction"] for row in rows]
    return found


def test_examples() -> None:
    assert doctest.testmod(distinct).failed == doctest.testmod(bounds).failed == 0


@settings(max_examples=400, deadline=None)
@given(texts=st.lists(WORDS, max_size=9), new=WORDS, threshold=THRESHOLDS, order=st.randoms())
def test_nearest_is_that_of_the_full_comparison_in_any_order_of_words(
    texts: list[list[str]], new: list[str], threshold: float, order: random.Random
) -> None:
    kept = DistinctTexts(threshold=threshold)
    sooner = [["a", "b", "c", "d", "e", "f", "你", "好"]] * 2
    order.shuffle(sooner[0])  # the index orders words by their first sight
    for index, text in enumerate(sooner + texts):
        assert kept.add_tokens(text) == index
    assert len(kept) == len(texts) + 2
    assert kept.near_tokens(new) == slow_near(sooner + texts, new, threshold)


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(WORDS, max_size=14), threshold=THRESHOLDS)
def test_one_at_a_time_equals_all_at_once_equals_the_slow_way(
    texts: list[list[str]], threshold: float
) -> None:
    written = [" ".join(text) for text in texts]
    kept = DistinctTexts(threshold=threshold)
    offered = [index for index, text in enumerate(written) if kept.offer(text) is None]
    assert offered == drop_overlapping(written, threshold=threshold) == slow_drop(texts, threshold)
    assert len(kept) == len(offered)


@pytest.mark.parametrize("shared", [1, 2, 3, 4, 1000])
def test_how_many_words_are_looked_up_changes_nothing(monkeypatch: pytest.MonkeyPatch, shared: int) -> None:
    rng = random.Random(shared)
    words = [f"w{number}" for number in range(60)]
    texts = [rng.choices(words[: rng.randint(5, 60)], k=rng.randint(0, 30)) for _ in range(250)]
    texts += [[*text[:-1], "new"] for text in rng.sample(texts, 100)]
    monkeypatch.setattr(distinct, "_SHARED", shared)
    kept = drop_overlapping(" ".join(text) for text in texts)
    assert kept == slow_drop(texts, 0.7)
    assert len(kept) < 320


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
    left = " ".join(shared + [f"l{word}" for word in range(m - common)])
    right = " ".join([f"r{word}" for word in range(n - common)] + shared)
    assert drop_overlapping([left, right]) == drop_overlapping([right, left]) == [0, 1][: 2 - refused]


@needs_demo
def test_the_demo_domain_keeps_2448_of_4433_per_node_and_2284_over_all() -> None:
    """The spec's reference figures; with the ratio in place of the float form they would be others."""
    nodes = demo()
    kept = {name: len(drop_overlapping(texts)) for name, texts in nodes.items()}
    assert sum(map(len, nodes.values())) == 4433
    assert sum(kept.values()) == 2448
    assert (kept["paraphrase"], kept["style_transfer"]) == (269, 347)
    assert (kept["fix_spelling_and_grammar"], kept["writing_enhancement"]) == (167, 394)
    assert len(drop_overlapping(text for texts in nodes.values() for text in texts)) == 2284


@needs_demo
def test_by_the_exact_ratio_the_demo_domain_would_keep_others() -> None:
    """2,473 where 2L/(m + n) > 0.7 refuses, 2,424 where >= does: the float rule is neither."""
    from rapidfuzz.distance import LCSseq

    nodes = [[tokens(text) for text in texts] for texts in demo().values()]

    def kept(refuses: Callable[[int, int], bool]) -> set[tuple[int, int]]:
        found = set()
        for node, lists in enumerate(nodes):
            stay: list[list[str]] = []
            for place, new in enumerate(lists):
                if not any(
                    refuses(LCSseq.similarity(old, new), len(old) + len(new)) for old in reversed(stay)
                ):
                    stay.append(new)
                    found.add((node, place))
        return found

    ours = {
        (node, place)
        for node, texts in enumerate(demo().values())
        for place in drop_overlapping(texts)
    }  # fmt: skip
    above = kept(lambda common, total: 20 * common > 7 * total)
    reached = kept(lambda common, total: 20 * common >= 7 * total)
    assert (len(above), len(above ^ ours)) == (2473, 49)
    assert (len(reached), len(reached ^ ours)) == (2424, 54)


@needs_demo
def test_a_whole_kept_list_equals_that_of_rouge_score() -> None:
    from rouge_score.rouge_scorer import _score_lcs
    from rouge_score.tokenize import tokenize

    texts = demo()["paraphrase"][:200]
    lists = [tokenize(text, None) for text in texts]
    kept: list[int] = []
    for place, new in enumerate(lists):
        if not any(_score_lcs(lists[old], new).fmeasure > 0.7 for old in kept):
            kept.append(place)
    assert drop_overlapping(texts) == kept


@needs_demo
def test_nearest_of_real_instructions_is_that_of_the_full_comparison() -> None:
    texts = [tokens(text) for text in demo()["text_expansion"]]
    kept = DistinctTexts()
    for text in texts[:300]:
        kept.add_tokens(text)
    found = [kept.near_tokens(text) for text in texts[300:]]
    assert found == [slow_near(texts[:300], text, 0.7) for text in texts[300:]]
    assert sum(near is not None for near in found) > 100


def test_no_words_overlap_with_nothing_and_one_word_with_itself() -> None:
    kept = DistinctTexts()
    assert [kept.offer(text) for text in ("", "...", "Sing!", "")] == [None] * 4
    assert kept.offer("sing") == Near(2, 1.0)
    assert drop_overlapping([]) == []
    assert drop_overlapping(["a b c d", "d x y z"], threshold=0.0) == [0]


def test_asking_changes_nothing() -> None:
    kept = DistinctTexts()
    kept.add("name a red fruit")
    for _ in range(2):
        assert kept.near("name an unknown thing") is None
        assert kept.near("name a red fruit now now now") == Near(0, 2 * (4 / 4) * (4 / 7) / (4 / 4 + 4 / 7))
    assert len(kept) == 1


def test_of_equally_near_texts_the_first_is_named_and_adding_asks_nothing() -> None:
    kept = DistinctTexts(threshold=0.5)
    assert [kept.add(text) for text in ("a b c d x", "a b c d y", "a b c d y")] == [0, 1, 2]
    assert kept.near("a b c d z") == Near(0, 0.8000000000000002)
    assert kept.near("a b c d y") == Near(1, 1.0)


def test_chinese_is_compared_by_characters() -> None:
    texts = ["把下面的句子改写得更正式。", "把下面的句子改写得更加正式", "给一位老朋友写一封信"]
    assert drop_overlapping(texts) == [0, 2]


def test_ten_thousand_words_are_no_trouble() -> None:
    rng = random.Random(0)
    long = [f"w{rng.randrange(3000)}" for _ in range(10_000)]
    kept = DistinctTexts()
    for text in (long, long[::-1], ["w1", "w2"]):
        assert kept.offer(" ".join(text)) is None
    changed = [*long[:9000], *["new"] * 100]
    assert kept.near_tokens(changed) == Near(0, f_measure(long, changed))


@pytest.mark.parametrize("is_fast", [True, False])
def test_a_vocabulary_beyond_unicode_is_compared_as_numbers(
    monkeypatch: pytest.MonkeyPatch, is_fast: bool
) -> None:
    def no_more_characters(number: int) -> str:
        if number > 6:
            raise ValueError(f"chr() arg {number} not in range")
        return chr(number)

    if not is_fast:
        monkeypatch.setattr(lcs, "_rapidfuzz", lambda: None)
    monkeypatch.setattr("sys.maxunicode", 6)
    monkeypatch.setattr(distinct, "chr", no_more_characters, raising=False)
    kept = DistinctTexts()
    texts = ["a b c", "c b a", "b b b", "d e f g h", "i j k l m", "a b c"]
    assert [kept.add(text) for text in texts[:-1]] == [0, 1, 2, 3, 4]
    assert [kept.near(text) for text in texts] == [Near(i, 1.0) for i in (0, 1, 2, 3, 4, 0)]


def test_a_large_vocabulary_crosses_the_surrogates() -> None:
    words = [f"w{number}" for number in range(70_000)]
    kept = DistinctTexts()
    for at in range(0, 70_000, 10):
        kept.add_tokens(words[at : at + 10])
    for place in (0, 5529, 5530, 5734, 6999):  # character codes D800 to DFFF are 5529.6 to 5734.4
        text = words[10 * place : 10 * place + 10]
        assert kept.near_tokens([*text[:9], "new"]) == Near(place, 0.9)


def test_memory_grows_with_the_words_and_not_with_the_pairs() -> None:
    def taken(count: int) -> int:
        rng = random.Random(0)
        words = [f"w{number}" for number in range(1000)]
        texts = [rng.choices(words, k=12) for _ in range(count)]
        tracemalloc.start()
        kept = DistinctTexts()
        for text in texts:
            kept.add_tokens(text)
            kept.near_tokens(text[::-1])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    taken(100)
    assert taken(4000) < 2.5 * taken(2000)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 400), st.integers(1, 400), st.data())
def test_bounds_lose_nothing_and_are_tight_to_a_token(
    threshold: float, m: int, n: int, data: st.DataObject
) -> None:
    common = data.draw(st.integers(1, min(m, n)))
    precision, recall = common / n, common / m
    limits = bounds.Bounds(threshold)
    if 2 * precision * recall / (precision + recall) > threshold:
        assert common >= limits.least(m + n) >= limits.fewest(m)
        assert n >= limits.shortest(m)
    elif limits.least(m + n) > 1:
        assert Fraction(2 * (limits.least(m + n) - 1), m + n) < Fraction(threshold)


@pytest.mark.parametrize("threshold", [-0.1, 1.0, float("nan")])
def test_a_threshold_outside_zero_to_one_is_refused(threshold: float) -> None:
    with pytest.raises(DataError, match="overlap threshold"):
        drop_overlapping([], threshold=threshold)
