"""Texts as tokens that can be exchanged."""

from kshot.miniature import base_folder
from kshot.models.text import TextFormat
from kshot.models.text.pieces import TextPieces


def pieces():
    return TextPieces(TextFormat.load(base_folder()).backend)


def test_a_text_is_its_tokens_put_together():
    found = pieces()
    text = "grirem smotir bluber"
    assert len(found.split(text)) == 3
    assert found.join(found.split(text)) == text
    assert found.split("") == []
    assert found.join([]) == ""


def test_special_tokens_and_blanks_are_not_offered():
    found = pieces()
    texts = [found.join([token]) for token in found.exchangeable]
    assert all(texts)
    assert not [text for text in texts if text.startswith("<")]
    assert list(found.exchangeable) == sorted(set(found.exchangeable))
    assert found.split("smotir")[0] in found.exchangeable
