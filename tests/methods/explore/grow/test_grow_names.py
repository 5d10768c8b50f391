"""The name filter: rule by rule, and the same as a comparison with every name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.measure.overlap import rouge_l
from kshot.methods.explore.grow import NameFilter, NameVectors
from kshot.methods.explore.grow.names import folded
from kshot.methods.explore.rules import name_broken
from kshot.methods.explore.tree import DomainTree


class Letters:
    """Embeds by counts of letters, and counts its calls."""

    id = "letters"
    dim = 26

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode(self, texts):
        self.batches.append(len(texts))
        rows = np.array(
            [[text.lower().count(chr(97 + at)) for at in range(26)] for text in texts], np.float32
        )
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(length == 0, 1, length)


def tree_of(*names):
    tree = DomainTree.planted("rewriting")
    for name in names:
        tree.add(tree.root.id, name)
    return tree


def filter_of(tree, **fields):
    return NameFilter(tree, **({"overlap": 0.7, "cosine": 0.9} | fields))


def test_rules_come_in_order_and_say_what_is_near():
    tree = tree_of("change the style of a text", "paraphrase")
    style, other = tree.children(tree.root.id)
    deep = tree.add(style.id, "formal tone")
    names = filter_of(tree, vectors=NameVectors(Letters()))
    root = tree.root.id

    def verdict(parent, name):
        found = names.refusal(parent, name)
        return found and (found.rule, found.near)

    assert names.refusal(root, " ").rule == name_broken(" ") != ""
    assert verdict(root, "Paraphrase") == ("repeat", other.id)
    assert verdict(other.id, "FORMAL  Tone") == ("same name elsewhere", deep.id)
    assert verdict(root, "Rewriting") == ("same name elsewhere", root)
    assert verdict(other.id, "change the style of a poem") == ("overlap", style.id)
    assert verdict(root, "phrase para") == ("cosine", other.id)
    assert verdict(root, "summaries of long books") is None
    assert names.refusal(other.id, "change the style of a poem").score == pytest.approx(5 / 6)


def test_the_thresholds_are_strict():
    tree = tree_of("a b c d e f g h i j")
    at_limit = "a b c d e f g x y z"  # F is exactly 0.7
    assert filter_of(tree).refusal(tree.root.id, at_limit) is None
    assert filter_of(tree, overlap=0.69).refusal(tree.root.id, at_limit).rule == "overlap"
    vectors = NameVectors(Letters())
    assert filter_of(tree_of("aa"), cosine=1.0, vectors=vectors).refusal("x", "aaa") is None
    assert filter_of(tree_of("aa"), cosine=0.999, vectors=vectors).refusal("x", "aaa").rule == "cosine"


def test_a_name_that_is_added_counts_at_once():
    tree = tree_of()
    names = filter_of(tree, vectors=NameVectors(Letters()))
    for number in range(9):
        name = "abcdefghi"[number] * 3 + " word"[: number % 2 * 5]
        names.add(tree.add(tree.root.id, name))
    assert names.refusal(tree.root.id, "AAA").rule == "repeat"
    assert names.refusal(tree.root.id, "iiiii").rule == "cosine"
    assert names.refusal(tree.root.id, "zzz") is None


def test_names_of_any_script():
    tree = tree_of("改写句子")
    assert filter_of(tree).refusal(tree.root.id, "改写句子").rule == "repeat"
    assert filter_of(tree).refusal(tree.root.id, "改写句子吧").rule == "overlap"
    assert filter_of(tree).refusal(tree.root.id, "翻译") is None


def test_each_name_is_embedded_once_and_many_at_a_time():
    embedder = Letters()
    vectors = NameVectors(embedder)
    tree = tree_of("aa", "bb", "cc")
    names = filter_of(tree, vectors=vectors)
    names.prepare(["dd", "ee", "aa"])
    names.refusal(tree.root.id, "dd")
    filter_of(tree, vectors=vectors)
    assert embedder.batches == [4, 2]


WORDS = st.sampled_from(["write", "Write", "poem", "style", "a", "the", "list", "改", "写"])
NAMES = st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), max_size=14)


@settings(max_examples=150, deadline=None)
@given(NAMES, NAMES, st.sampled_from([0.5, 0.6, 0.7, 0.8]), st.booleans())
def test_it_decides_as_a_comparison_with_every_name(old, new, threshold, embeds):
    embedder = Letters()
    tree = tree_of(*dict.fromkeys(old))
    names = filter_of(tree, overlap=threshold, vectors=NameVectors(embedder if embeds else None))
    known = list(tree)
    for name in new:
        found = names.refusal(tree.root.id, name)
        children = [node for node in known if node.parent]
        if name_broken(name):
            expected = name_broken(name)
        elif any(folded(node.name) == folded(name) for node in children):
            expected = "repeat"
        elif folded(name) == folded("rewriting"):
            expected = "same name elsewhere"
        elif (most := max(rouge_l(name, node.name) for node in known)) > threshold:
            expected = "overlap"
            near = next(node.id for node in known if rouge_l(name, node.name) == most)
            assert (found.score, found.near) == (most, near)
        else:
            cosines = embedder.encode([node.name for node in known]) @ embedder.encode([name])[0]
            expected = "cosine" if embeds and max(cosines) > 0.9 else None
        assert (found and found.rule) == expected
        if found is None:
            node = tree.add(tree.root.id, name)
            names.add(node)
            known.append(node)
