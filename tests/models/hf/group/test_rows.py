"""Where the rows of a batch part from what is read once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kshot.models.hf.group.rows import AskedRow, _common, common_prefix, together_from


def continued(length, shared):
    return AskedRow(None, None, tuple(range(length)), 5, (), shared)


def test_rows_that_go_on_keep_as_many_prompt_tokens_behind_as_one_another():
    assert together_from([continued(9, 8), continued(6, 5)]) == [8, 5]
    assert together_from([continued(9, 7), continued(6, 5)]) == [7, 4]
    assert together_from([continued(9, 8), continued(1, 0)]) == [0, 0]
    assert together_from([continued(5, 2), continued(2, 1)]) == [0, 0]


def test_what_rows_have_in_common():
    assert common_prefix([continued(9, 8), continued(6, 5)], [8, 5]) == 5
    assert common_prefix([continued(9, 8), continued(6, 5)], [0, 0]) == 0


@given(st.lists(st.lists(st.integers(0, 2), max_size=6).map(tuple), min_size=1, max_size=5))
def test_the_common_beginning_is_common_and_no_longer_one_is(sequences):
    count = _common(sequences)
    assert len({sequence[:count] for sequence in sequences}) == 1
    assert len({sequence[: count + 1] for sequence in sequences}) > 1 or count == min(map(len, sequences))
