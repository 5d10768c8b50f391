"""Exactly N rows, in proportion, and no task loses its last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import DataError
from kshot.methods.explore.records import Item, Row
from kshot.methods.explore.sampling import MOST_WEIGHT, draw, shares
from kshot.methods.explore.tree import DomainTree


def world(sizes: list[int]) -> tuple[DomainTree, list[Row]]:
    tree = DomainTree.planted("all")
    nodes = [tree.add(tree.root.id, f"t{place}").id for place in range(len(sizes))]
    rows = [
        Row(f"{n}", node, Item("x")) for node, size in zip(nodes, sizes, strict=True) for n in range(size)
    ]
    return tree, rows


def slow_shares(sizes: list[int], count: int) -> list[int]:
    """One row after the other is not the same; so: the level at which all shares meet, by bisection."""
    weights = [min(size, MOST_WEIGHT) for size in sizes]
    low, high = 0.0, 2.0 * max(sizes)
    for _ in range(200):
        level = (low + high) / 2
        total = sum(min(size, level * weight) for size, weight in zip(sizes, weights, strict=True))
        low, high = (level, high) if total < count else (low, level)
    return [min(size, high * weight) for size, weight in zip(sizes, weights, strict=True)]  # type: ignore[misc]


def test_25_equal_tasks_give_4_each() -> None:
    tree, rows = world([40] * 25)
    kept = draw(tree, rows, count=100, seed=0).kept
    assert [sum(rows[place].node == node.id for place in kept) for node in tree] == [0, *[4] * 25]


@given(st.lists(st.integers(0, 1200), min_size=1, max_size=12).filter(any), st.data())
def test_shares(sizes: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, sum(sizes)))
    found = list(shares({str(place): size for place, size in enumerate(sizes)}, count=count).values())
    assert sum(found) == count
    assert all(0 <= share <= size for share, size in zip(found, sizes, strict=True))
    assert all(abs(a - b) < 1 + 1e-6 for a, b in zip(found, slow_shares(sizes, count), strict=True))


def test_the_largest_remainders_decide_and_ties_go_to_the_earlier_task() -> None:
    assert shares({"a": 3, "b": 6}, count=4) == {"a": 1, "b": 3}  # 1.33 and 2.67
    assert shares({"a": 4, "b": 3, "c": 3}, count=5) == {"a": 2, "b": 2, "c": 1}  # 2, 1.5 and 1.5
    assert shares({"a": 9, "b": 9, "c": 9}, count=4) == {"a": 2, "b": 1, "c": 1}
    assert shares({"a": 1, "b": 0, "c": 9}, count=10) == {"a": 1, "b": 0, "c": 9}
    assert shares({"a": 500, "b": 5000}, count=1000) == {"a": 500, "b": 500}
    assert shares({"a": 500, "b": 5000}, count=5001) == {"a": 500, "b": 4501}


@given(st.lists(st.integers(0, 8), min_size=1, max_size=6).filter(any), st.integers(0, 3), st.data())
def test_draws(sizes: list[int], seed: int, data: st.DataObject) -> None:
    tree, rows = world(sizes)
    rows.insert(data.draw(st.integers(0, len(rows))), Row("x", "gone", Item("x")))
    count = data.draw(st.integers(1, sum(sizes)))
    chosen = draw(tree, rows, count=count, seed=seed)
    assert len(chosen.kept) == count
    assert len(chosen) == len(rows)
    assert list(chosen.kept) == sorted(chosen.kept)
    assert chosen == draw(tree, rows, count=count, seed=seed)
    assert chosen.counts().get("of no task in the tree") == 1
    assert all(rows[place].node != "gone" for place in chosen.kept)


def test_the_seed_decides() -> None:
    tree, rows = world([50, 50])
    assert draw(tree, rows, count=10, seed=0) != draw(tree, rows, count=10, seed=1)
    places = [place % 50 for place in draw(tree, rows, count=20, seed=0).kept]
    assert places[:10] != places[10:]  # two tasks of one size are not drawn alike


@pytest.mark.parametrize("count", [0, -1, 4])
def test_too_few_rows_are_said_with_both_numbers(count: int) -> None:
    tree, rows = world([3])
    with pytest.raises(DataError, match=f"{count} rows were asked for, and 3 of the 4 rows belong to tasks"):
        draw(tree, [*rows, Row("x", "gone", Item("x"))], count=count, seed=0)
