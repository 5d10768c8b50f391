"""Short texts found whole inside longer ones."""

from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Example
from kshot.measure.contamination import guard
from kshot.measure.overlap import WholeIndex

WORDS = st.lists(st.sampled_from(["grirem", "smotir", "bluber", "iron", "a"]), max_size=9)


@given(st.lists(WORDS, max_size=4), WORDS)
def test_it_finds_what_a_slow_search_finds(texts, asked):
    index = WholeIndex(texts, below=6)
    slow = [
        (at, number)
        for at in range(len(asked))
        for number, text in enumerate(texts)
        if 3 <= len(text) < 6
        and len(set(text)) >= 3
        and len("".join(text)) >= 12
        and asked[at : at + len(text)] == text
    ]
    found = index.first(asked)
    assert (found[0] if found else None) == (min(slow)[1] if slow else None)


def test_texts_that_tell_nothing_are_left_out():
    few, short, long = ["one", "two"], ["is", "it", "so"], ["word"] * 5 + ["other", "third"]
    index = WholeIndex([few, short, long], below=7)
    assert index.first(few) is None
    assert index.first(short) is None
    assert index.first(long) is None
    template = ["translate", "the", "trade", "words"]
    assert WholeIndex([["the", "trade", "words"]], below=13, templates=[template]).first(template) is None


def test_the_guard_drops_rows_that_hold_a_short_test_question():
    test = [Example("grirem smotir bluber", "letter plate dog")]
    hidden = [
        Example("Please translate the trade words: grirem smotir bluber", "x"),
        Example("translate the trade words\nGive only the words.\ngrirem smotir bluber", "x"),
        Example("something else", "once more: Grirem, smotir - bluber"),
        Example("a first question of its own, then grirem smotir bluber, then another one", "x"),
    ]
    fine = [Example("grirem smotir and bluber apart from one another here", "x"), Example("iron", "x")]
    found = guard([*hidden, *fine], {"test": test}, template_texts=["translate the trade words"])
    assert found.selection.kept == (4, 5)
    assert set(found.counts()) <= {"test: run", "test: overlap", "test: equal"}
