"""A selection names every row of the input exactly once, and says why rows fell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.selection import Drop, Selection
from kshot.errors import DataError


@given(st.permutations(range(8)), st.integers(0, 8))
def test_kept_and_dropped_are_the_input(order: list[int], count: int) -> None:
    chosen = Selection(
        tuple(order[:count]), tuple(Drop(i, "even" if i % 2 == 0 else "odd") for i in order[count:])
    )
    rows = chosen.rows()
    assert [row["index"] for row in rows] == list(range(8))
    assert [row["index"] for row in sorted((r for r in rows if r["kept"]), key=lambda r: r["rank"])] == order[
        :count
    ]
    assert sum(chosen.counts().values()) + len(chosen.kept) == len(chosen) == 8


def test_counts_are_ordered_by_frequency_then_name() -> None:
    drops = tuple(Drop(i, reason) for i, reason in enumerate(["b", "c", "a", "c"]))
    assert list(Selection((), drops).counts().items()) == [("c", 2), ("a", 1), ("b", 1)]


def test_the_empty_selection() -> None:
    assert (len(Selection(())), Selection(()).rows(), Selection(()).counts()) == (0, [], {})


@pytest.mark.parametrize(
    ("kept", "dropped", "message"),
    [
        ((0, 1, 1), (), r"named twice: \[1\], missing: \[2\]"),
        ((0,), (Drop(0, "x"),), r"named twice: \[0\], missing: \[1\]"),
        ((0, 2), (), r"missing: \[1\]"),
        ((-1, 0), (), r"missing: \[1\]"),
    ],
)
def test_a_row_twice_or_missing_is_refused(
    kept: tuple[int, ...], dropped: tuple[Drop, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Selection(kept, dropped)


def test_reports_keep_both_sides() -> None:
    rows = Selection((1,), (Drop(0, "repeats a row", score=0.97, neighbour=1),)).rows()
    assert rows[0] == {"index": 0, "kept": False, "reason": "repeats a row", "score": 0.97, "neighbour": 1}
    assert rows[1] == {"index": 1, "kept": True, "rank": 0}
