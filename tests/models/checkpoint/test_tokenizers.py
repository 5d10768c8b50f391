"""Tokenizers compared by content: what changes token ids is refused, the rest is told."""

from __future__ import annotations

import json

import pytest
from header_folders import TOKENS, tokenizer, write_json

from kshot.errors import ModelError
from kshot.models.checkpoint.tokenizers import tokenizer_differences


def folder(place, content=None, **files):
    place.mkdir()
    if content is not None:
        write_json(place / "tokenizer.json", content)
    for name, text in files.items():
        path = place / name.replace("__", ".")
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return place


def compared(tmp_path, own, known):
    return tokenizer_differences(own, known, name="base")


def test_equal_content_has_no_difference_however_it_is_written(tmp_path):
    one = folder(tmp_path / "a", tokenizer())
    content = tokenizer(dict(sorted(TOKENS.items(), reverse=True)), merges=[])
    content["model"]["merges"] = [["a", "b"]]
    two = folder(tmp_path / "b", content)
    found = compared(tmp_path, one, two)
    assert (found.ids, found.others) == ((), ())


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (tokenizer(TOKENS | {"c": 5}), "has tokens that base lacks: 'c'"),
        (tokenizer({k: v for k, v in TOKENS.items() if k != "ab"}), "lacks tokens of base: 'ab'"),
        (tokenizer(TOKENS | {"a": 3, "b": 2}), "gives 2 tokens other ids, first 'a': 3, base 2"),
        (tokenizer(merges=("a b", "b a")), "other merges"),
        (tokenizer(added_tokens=[{"content": "<new>", "id": 9}]), "'<new>'"),
    ],
)
def test_other_ids_are_refused(tmp_path, own, said):
    found = compared(tmp_path, folder(tmp_path / "a", own), folder(tmp_path / "b", tokenizer()))
    assert len(found.ids) == 1
    assert said in found.ids[0]


def test_a_padding_token_alone_is_a_warning(tmp_path):
    own = folder(
        tmp_path / "a",
        tokenizer(added_tokens=[{"content": "[PAD]", "id": 5}]),
        tokenizer_config__json={"pad_token": {"content": "[PAD]"}},
    )
    found = compared(tmp_path, own, folder(tmp_path / "b", tokenizer()))
    assert found.ids == ()
    assert found.others == ("its tokenizer has tokens that base lacks: '[PAD]', for padding only",)


def test_unigram_scores(tmp_path):
    def unigram(score):
        return {"model": {"type": "Unigram", "vocab": [["<unk>", 0.0], ["a", score]]}, "added_tokens": []}

    one, two = folder(tmp_path / "a", unigram(-1.0)), folder(tmp_path / "b", unigram(-2.0))
    assert "scores" in compared(tmp_path, one, two).ids[0]
    assert compared(tmp_path, one, one).ids == ()


def test_word_pieces_in_a_text_file(tmp_path):
    one = folder(tmp_path / "a", vocab__txt="[PAD]\na\nb\n")
    two = folder(tmp_path / "b", vocab__txt="[PAD]\r\na\r\nb")
    other = folder(tmp_path / "c", vocab__txt="[PAD]\nb\na\n")
    assert compared(tmp_path, one, two).ids == ()
    assert "gives 2 tokens other ids" in compared(tmp_path, one, other).ids[0]


def test_byte_pairs_in_two_files(tmp_path):
    one = folder(tmp_path / "a", vocab__json={"a": 0, "b": 1}, merges__txt="#version: 0.2\na b\n")
    two = folder(tmp_path / "b", vocab__json={"a": 0, "b": 1}, merges__txt="a b\n")
    other = folder(tmp_path / "c", vocab__json={"a": 0, "b": 1}, merges__txt="b a\n")
    assert compared(tmp_path, one, two).ids == ()
    assert "merges" in compared(tmp_path, one, other).ids[0]


def test_files_of_two_kinds_are_compared_by_the_tokens_that_both_have(tmp_path):
    fast = folder(
        tmp_path / "a",
        {"model": {"vocab": {"[PAD]": 0, "a": 1}}, "added_tokens": [{"content": "x", "id": 2}]},
    )
    slow = folder(tmp_path / "b", vocab__txt="[PAD]\na\n")
    found = compared(tmp_path, fast, slow)
    assert found.ids == ()
    assert "its tokenizer.json has tokens that base lacks in vocab.txt: 'x'" in found.others[0]
    assert "other ids" in compared(tmp_path, fast, folder(tmp_path / "c", vocab__txt="a\n[PAD]\n")).ids[0]


def test_sentencepiece_files_by_hash(tmp_path):
    one = folder(tmp_path / "a", spiece__model="x")
    two = folder(tmp_path / "b", tokenizer__model="x")
    assert compared(tmp_path, one, two).ids == ()
    assert "SentencePiece" in compared(tmp_path, one, folder(tmp_path / "c", spiece__model="y")).ids[0]
    assert "cannot be compared" in compared(tmp_path, one, folder(tmp_path / "d", tokenizer())).others[0]


def test_what_surrounds_the_model_is_told(tmp_path):
    own = folder(
        tmp_path / "a",
        tokenizer(normalizer={"type": "Lowercase"}),
        tokenizer_config__json={"eos_token": "</s>", "add_bos_token": True},
        chat_template__jinja="{{ messages }}",
    )
    known = folder(
        tmp_path / "b", tokenizer(), tokenizer_config__json={"eos_token": "<eos>", "add_bos_token": False}
    )
    found = compared(tmp_path, own, known)
    assert found.ids == ()
    assert [
        any(word in sentence for sentence in found.others)
        for word in (
            "normalizer",
            "eos_token is '</s>', base's '<eos>'",
            "add_bos_token",
            "has a chat template",
        )
    ] == [True] * 4
    other = folder(tmp_path / "c", tokenizer(), chat_template__jinja="{{ x }}")
    assert any("another chat template" in one for one in compared(tmp_path, own, other).others)
    assert any("no chat template" in one for one in compared(tmp_path, known, other).others)


def test_no_tokenizer(tmp_path):
    none, some = folder(tmp_path / "a"), folder(tmp_path / "b", tokenizer())
    assert compared(tmp_path, none, some).others == ()
    assert "base has none" in compared(tmp_path, some, none).others[0]


@pytest.mark.parametrize("content", ["{", "[]", '{"model": 3}', '{"model": {"vocab": {"a": "x"}}}'])
def test_a_damaged_file(tmp_path, content):
    one = folder(tmp_path / "a", tokenizer())
    two = folder(tmp_path / "b", tokenizer__json=content)
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        compared(tmp_path, one, two)
