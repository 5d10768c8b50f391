"""Text that hides or turns is made visible; ordinary text of any script stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.report.knowledge.visible import chart_text, visible


@pytest.mark.parametrize("text", ["", "smith-lora", "שלום عالم", "naïve 日本語", "👩🏽\u200d🚀", "a & <b>"])
def test_ordinary_text_stays(text):
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202e", "⟨202E⟩"),
        ("\x1b[31m", "⟨1B⟩[31m"),
        ("\ud83d", "⟨D83D⟩"),
        ("a\u200bb", "a⟨200B⟩b"),
        ("\n", "⟨A⟩"),
    ],
)
def test_hidden_characters_are_named(text, shown):
    assert visible(text) == shown


@given(st.text(), st.integers(1, 40))
def test_chart_text_is_one_short_line_without_tags(text, kept):
    shown = chart_text(text, kept=kept)
    assert "<" not in shown
    assert len(shown.splitlines()) <= 1
