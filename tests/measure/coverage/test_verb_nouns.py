"""Verb-noun pairs: figures against slow restatements, rarefaction against every possible draw."""

import math
import statistics
from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import InputError
from kshot.measure.coverage import (
    VerbNouns,
    at_equal_size,
    effective_number,
    first_sentence,
    rarefied,
    same_parser,
    verb_nouns,
)


class FirstTwoWords:
    """The first two words are the pair; of fewer there is none."""

    id = "two words 1"

    def pairs(self, sentences):
        split = [sentence.lower().split() for sentence in sentences]
        return [(words[0], words[1]) if len(words) > 1 else None for words in split]


def of_counts(counts, parser="p"):
    ranked = sorted(counts, reverse=True)
    pairs = tuple((f"v{at:03}", "n", number) for at, number in enumerate(ranked))
    return VerbNouns(parser, sum(ranked), pairs)


COUNTS = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def test_pairs_are_counted_over_distinct_instructions():
    texts = [
        "write poem now",
        "write poem now",
        "write poem later",
        "name town",
        "why",
        "name river. write poem",
    ]
    found = verb_nouns(texts, FirstTwoWords())
    assert found.texts == 5
    assert found.pairs == (("write", "poem", 2), ("name", "river.", 1), ("name", "town", 1))
    assert (found.parsed, found.parsed_share, found.unique) == (4, 0.8, 3)
    assert found.parser == "two words 1"


def test_only_the_first_sentence_is_read():
    assert verb_nouns(["why? write poem"], FirstTwoWords()).pairs == ()
    assert first_sentence("  \n\n a b\nc d") == "a b"
    assert first_sentence("改写这句话。然后翻译它。") == "改写这句话。"
    assert first_sentence("Use e.g. this. Stop!") == "Use e.g."  # a known limit: it knows no abbreviations
    assert first_sentence("") == ""


@given(COUNTS)
def test_figures_are_those_of_the_counts(counts):
    found = of_counts(counts)
    assert found.mean == pytest.approx(statistics.mean(counts))
    assert found.std == pytest.approx(statistics.pstdev(counts))
    shares = [number / sum(counts) for number in counts]
    assert found.effective == pytest.approx(math.exp(-sum(share * math.log(share) for share in shares)))
    assert 1 - 1e-9 <= found.effective <= found.unique + 1e-9


def test_nothing_has_figures_of_nothing():
    empty = verb_nouns([], FirstTwoWords())
    assert (empty.unique, empty.mean, empty.std, empty.effective, empty.parsed_share) == (0, 0, 0, 0, 0)
    assert rarefied(empty, 0).unique == 0
    assert effective_number([0, 0]) == 0


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_rarefied_is_the_mean_over_all_draws(counts, data):
    found = of_counts(counts)
    n = data.draw(st.integers(1, found.parsed))
    marbles = [pair for pair, number in enumerate(found.counts) for _ in range(number)]
    draws = [Counter(draw) for draw in combinations(marbles, n)]
    unique = statistics.mean(len(draw) for draw in draws)
    squares = statistics.mean(sum(k * k for k in draw.values()) for draw in draws)
    entropy = statistics.mean(-sum(k / n * math.log(k / n) for k in draw.values()) for draw in draws)
    got = rarefied(found, n)
    assert got.unique == pytest.approx(unique)
    assert got.mean == pytest.approx(n / unique)
    assert got.std == pytest.approx(math.sqrt(max(0.0, squares / unique - (n / unique) ** 2)), abs=1e-6)
    assert got.effective == pytest.approx(math.exp(entropy))


@given(COUNTS)
def test_rarefied_at_full_size_is_itself_and_grows_with_n(counts):
    found = of_counts(counts)
    full = rarefied(found, found.parsed)
    assert full.unique == pytest.approx(found.unique)
    assert (full.mean, full.effective) == pytest.approx((found.mean, found.effective))
    assert full.std == pytest.approx(found.std, abs=1e-6)
    steps = [rarefied(found, n) for n in range(found.parsed + 1)]
    for before, after in pairwise(steps):
        assert before.unique <= after.unique + 1e-9
        assert before.effective <= after.effective + 1e-9


def test_large_counts_lose_no_precision():
    found = of_counts([200_000] * 5)
    assert rarefied(found, 1_000_000).unique == pytest.approx(5)
    assert rarefied(found, 1).unique == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("n", [-1, 4])
def test_a_size_that_is_not_there_is_refused(n):
    with pytest.raises(InputError, match="3 instructions have a pair"):
        rarefied(of_counts([2, 1]), n)


def test_equal_size_is_the_least_of_all():
    few, many = of_counts([2, 1]), of_counts([50, 50])
    assert [one.n for one in at_equal_size([few, many])] == [3, 3]
    assert [one.n for one in at_equal_size([few, many], 2)] == [2, 2]
    assert at_equal_size([]) == ()


def test_parsers_are_never_mixed():
    with pytest.raises(InputError, match=r"2 parsers \(a 1, b 1\)"):
        at_equal_size([of_counts([1], "a 1"), of_counts([1], "b 1")])
    with pytest.raises(InputError):
        same_parser([of_counts([1], "a 1"), of_counts([1], "a 2")])


def test_order_of_the_instructions_does_not_matter():
    texts = ["write poem", "name town", "name river", "write poem again"]
    assert verb_nouns(texts, FirstTwoWords()) == verb_nouns(texts[::-1], FirstTwoWords())
