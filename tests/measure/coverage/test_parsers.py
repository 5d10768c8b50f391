"""Parsers: the reference figures of the demo domain, our own rules, and a spaCy tree by hand."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kshot.errors import InputError
from kshot.measure.coverage import (
    SpacyParser,
    default_parser,
    first_sentence,
    hanta_parser,
    has_hanta,
    has_spacy,
    parsers,
    plain_parser,
    spacy_parser,
    verb_nouns,
)
from kshot.measure.overlap import drop_overlapping

DEMO = Path(__file__).parents[4] / "shared" / "data" / "explore_demo"
needs_demo = pytest.mark.skipif(not DEMO.exists(), reason="the demo domain is not here")
needs_hanta = pytest.mark.skipif(not has_hanta(), reason="HanTa is not installed")


@pytest.fixture(scope="module")
def demo():
    """The instructions of each node of the demo domain."""
    read = [json.loads(path.read_text("utf-8")) for path in sorted(DEMO.rglob("*.json"))]
    return [[one["instruction"] for one in node["examples"]] for node in read if "examples" in node]


class Remembered:
    """A parser that reads each sentence once in all tests."""

    def __init__(self, parser):
        self.id, self.parser, self.known = parser.id, parser, {}

    def pairs(self, sentences):
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self.known]
        self.known.update(zip(new, self.parser.pairs(new), strict=True))
        return [self.known[sentence] for sentence in sentences]


@pytest.fixture(scope="module")
def hanta():
    return Remembered(hanta_parser())


@needs_hanta
@needs_demo
def test_hanta_gives_the_reference_figures(demo, hanta):
    found = verb_nouns([text for node in demo for text in node], hanta)
    assert (found.texts, found.parsed, found.unique) == (4113, 3752, 890)
    assert (round(found.mean, 2), round(found.std, 2)) == (4.22, 10.77)
    kept = [node[at] for node in demo for at in drop_overlapping(node)]
    filtered = verb_nouns(kept, hanta)
    assert len(kept) == 2448
    assert (filtered.unique, round(filtered.mean, 2), round(filtered.std, 2)) == (773, 2.87, 5.64)


@needs_hanta
@pytest.mark.parametrize(
    ("sentence", "pair"),
    [
        ("Rewrite the following sentence.", ("rewrite", "sentence")),
        ("Generate two creative product names for a cat.", ("generate", "name")),  # the last of the run
        ("Write about cats.", None),  # a preposition between
        ("Make it a story.", None),  # a pronoun
        ("The old man.", None),  # no verb
        ("", None),
    ],
)
def test_hanta_rule(hanta, sentence, pair):
    assert hanta.pairs([sentence]) == [pair]


@needs_hanta
def test_hanta_reads_its_own_model_only(tmp_path, monkeypatch):
    (tmp_path / "morphmodel_en.pgz").write_bytes(b"not a model")
    monkeypatch.chdir(tmp_path)
    assert hanta_parser().id == "hanta 1.2.1, en"


@needs_demo
def test_the_plain_parser_is_near_the_tagger(demo):
    found = verb_nouns([text for node in demo for text in node], plain_parser())
    assert found.parsed_share > 0.9
    assert found.unique == pytest.approx(890, rel=0.05)
    assert found.std == pytest.approx(10.77, rel=0.05)


@needs_hanta
@needs_demo
def test_the_plain_parser_agrees_in_nine_of_ten(demo, hanta):
    texts = [first_sentence(text) for text in dict.fromkeys(text for node in demo for text in node)]
    same = [
        ours == theirs for ours, theirs in zip(plain_parser().pairs(texts), hanta.pairs(texts), strict=True)
    ]
    assert sum(same) / len(same) > 0.9


@pytest.mark.parametrize(
    ("sentence", "pair"),
    [
        ("Write two short stories about a cat.", ("write", "story")),
        ("Please rewrite the following sentence:", ("rewrite", "sentence")),
        ("Can you simplify this marketing material?", ("simplify", "material")),
        ("Give me a list of towns.", ("give", "list")),
        ("Make this text easier to read.", ("make", "text")),
        ("Write a dialogue based on the scene.", ("write", "dialogue")),
        ("Correct the spelling and grammar.", ("correct", "spelling")),
        ("Re-write this travel blog post.", ("re-write", "post")),
        ("Frobnicate the widgets.", ("frobnicate", "widget")),  # unknown, but first and before a determiner
        ("Explain why it rains.", None),
        ("Make it shorter.", None),
        ("The tall house.", None),
        ("请改写下面的句子。", None),
        ("1. 2. 3.", None),
        ("", None),
    ],
)
def test_plain_rule(sentence, pair):
    assert plain_parser().pairs([sentence]) == [pair]


@dataclass
class Word:
    """A token of a parsed sentence."""

    lemma_: str
    pos_: str
    dep_: str
    children: list = field(default_factory=list)


class Pipeline:
    """Gives one parse to every sentence."""

    def __init__(self, *words):
        self.words = words

    def pipe(self, sentences):
        return [self.words for _ in sentences]


def spacy_pair(*words):
    return SpacyParser(Pipeline(*words), "spacy 0, by hand").pairs(["any"])[0]


def test_spacy_takes_the_root_and_its_object():
    noun = Word("Poem", "NOUN", "dobj")
    assert spacy_pair(Word("Write", "VERB", "ROOT", [Word("I", "PRON", "dobj"), noun]), noun) == (
        "write",
        "poem",
    )
    assert spacy_pair(Word("write", "VERB", "ROOT", [Word("it", "PRON", "dobj")])) is None
    assert spacy_pair() is None


def test_spacy_looks_below_a_root_that_is_no_verb_in_every_branch():
    town = Word("town", "PROPN", "obj")
    second = Word("name", "VERB", "xcomp", [town])
    root = Word("list", "NOUN", "ROOT", [Word("a", "DET", "det"), second])
    assert spacy_pair(root) == ("name", "town")  # Self-Instruct's notebook looks at "a" and gives up


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr(parsers, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="HanTa is not installed; `pip install"):
        hanta_parser()
    with pytest.raises(InputError, match="en_core_web_sm is not installed"):
        spacy_parser()
    assert not has_spacy()
    assert not has_hanta()
    assert default_parser().id == plain_parser().id


@needs_hanta
def test_the_tagger_comes_before_the_word_lists(monkeypatch):
    monkeypatch.setattr(parsers, "has_spacy", lambda: False)
    assert default_parser().id.startswith("hanta ")
