"""A call as a row: whatever text stands in it comes back."""

from hypothesis import given
from hypothesis import strategies as st
from journal_calls import call

from kshot.models.journal.rows import SMALL, call_columns, packed, unpacked

ANY_TEXT = st.text(st.characters(), max_size=30)  # lone surrogates, NUL, line ends


@given(ANY_TEXT, st.integers(1, 60))
def test_any_text_comes_back(text: str, times: int) -> None:
    assert unpacked(packed(text * times)) == text * times


def test_long_texts_shrink_and_short_ones_can_be_read_by_anybody() -> None:
    assert packed("x" * (SMALL - 1)) == "x" * (SMALL - 1)
    long = packed("the same words " * 200)
    assert isinstance(long, bytes)
    assert len(long) < 100
    assert isinstance(packed("\ud83d"), bytes)


def test_there_is_a_value_for_every_column() -> None:
    from kshot.models.journal.rows import INSERT

    assert len(call_columns(call(1), 7, is_current=True)) == INSERT.count("?")
