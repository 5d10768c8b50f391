"""Draws and folds: seeded, stratified, and functions of ids alone."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.draw import allocate, draw, folds, shuffled
from kshot.errors import TaskError

ids = st.lists(st.text(max_size=4), min_size=1, max_size=30, unique=True)
sizes = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 40), min_size=1)
seeds = st.integers(0, 1000)


@given(ids, seeds, st.data())
def test_a_draw_does_not_depend_on_the_order_of_the_file(
    rows: list[str], seed: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(rows)))
    labels = {row: data.draw(st.sampled_from("xyz")) for row in rows}
    moved = data.draw(st.permutations(rows))
    for strata in (None, labels):
        drawn = []
        for order in (rows, moved):
            named = None if strata is None else [strata[row] for row in order]
            drawn.append([order[i] for i in draw(order, k=k, seed=seed, strata=named)])
        assert drawn[0] == drawn[1]
        assert len(set(drawn[0])) == k


@given(ids, seeds)
def test_smaller_draws_are_the_beginning_of_larger_ones(rows: list[str], seed: int) -> None:
    whole = draw(rows, k=len(rows), seed=seed)
    assert whole == shuffled(rows, seed=seed)
    for k in range(1, len(rows)):
        assert draw(rows, k=k, seed=seed) == whole[:k]


def test_seeds_differ_and_every_row_has_its_chance() -> None:
    rows = [str(i) for i in range(10)]
    assert len({tuple(draw(rows, k=5, seed=seed)) for seed in range(50)}) == 50
    counts = Counter(row for seed in range(2000) for row in draw(rows, k=3, seed=seed))
    assert all(abs(count - 600) < 110 for count in counts.values())  # five standard deviations


@given(sizes, st.data())
def test_allocation(sizes: dict[str, int], data: st.DataObject) -> None:
    total = sum(sizes.values())
    k = data.draw(st.integers(1, total))
    given_ = allocate(sizes, k=k)
    assert sum(given_.values()) == k
    assert all(0 <= given_[name] <= sizes[name] for name in sizes)
    assert sum(count > 0 for count in given_.values()) == min(k, len(sizes))
    plain = slow_largest_remainder(sizes, k)
    if min(plain.values()) > 0 and k > len(sizes):
        assert given_ == plain
    for one in sizes:
        for other in sizes:
            if sizes[one] > sizes[other]:
                assert given_[one] >= given_[other]


def slow_largest_remainder(sizes: dict[str, int], k: int) -> dict[str, int]:
    """Hamilton's method as it is told: whole quotas first, then the largest fractions."""
    total = sum(sizes.values())
    quotas = {name: Fraction(k * size, total) for name, size in sizes.items()}
    seats = {name: int(quota) for name, quota in quotas.items()}
    while sum(seats.values()) < k:
        open_ = [name for name in sizes if seats[name] == int(quotas[name])]
        best = sorted(open_, key=lambda name: (-(quotas[name] - int(quotas[name])), -sizes[name], name))[0]
        seats[best] += 1
    return seats


def test_ties_in_the_allocation() -> None:
    assert allocate({"b": 5, "a": 5}, k=3) == {"a": 2, "b": 1}
    assert allocate({"b": 5, "a": 5, "c": 9}, k=2) == {"a": 1, "b": 0, "c": 1}
    assert allocate({"common": 98, "rare": 1, "rarer": 1}, k=4) == {"common": 2, "rare": 1, "rarer": 1}
    assert allocate({"only": 3}, k=3) == {"only": 3}


@pytest.mark.parametrize("k", [0, -1, 4])
def test_k_out_of_range(k: int) -> None:
    with pytest.raises(TaskError, match=f"k is {k}, but 3 rows can be drawn from"):
        draw(["a", "b", "c"], k=k, seed=0)


def test_equal_ids_keep_their_order() -> None:
    assert shuffled(["a", "a", "a"], seed=3) == [0, 1, 2]


@given(ids.filter(lambda rows: len(rows) > 1), seeds, st.integers(0, 3), st.data())
def test_folds(rows: list[str], seed: int, repeat: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(2, len(rows)))
    labels = data.draw(st.lists(st.sampled_from("xyz"), min_size=len(rows), max_size=len(rows)))
    dealt = folds(rows, count=count, seed=seed, repeat=repeat, strata=labels)
    assert sorted(i for fold in dealt for i in fold) == list(range(len(rows)))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    for label in set(labels):
        counts = [sum(labels[i] == label for i in fold) for fold in dealt]
        assert max(counts) - min(counts) <= 1
    order = data.draw(st.permutations(range(len(rows))))
    moved = folds(
        [rows[i] for i in order], count=count, seed=seed, repeat=repeat, strata=[labels[i] for i in order]
    )
    assert [{rows[i] for i in fold} for fold in dealt] == [{rows[order[i]] for i in fold} for fold in moved]


@given(ids, seeds, st.data())
def test_a_group_is_never_parted(rows: list[str], seed: int, data: st.DataObject) -> None:
    groups = data.draw(st.lists(st.sampled_from("pqrstu"), min_size=len(rows), max_size=len(rows)))
    if len(set(groups)) < 2:
        return
    dealt = folds(rows, count=2, seed=seed, groups=groups)
    assert sorted(i for fold in dealt for i in fold) == list(range(len(rows)))
    assert {groups[i] for i in dealt[0]} & {groups[i] for i in dealt[1]} == set()
    order = data.draw(st.permutations(range(len(rows))))
    moved = folds([rows[i] for i in order], count=2, seed=seed, groups=[groups[i] for i in order])
    assert [{rows[i] for i in fold} for fold in dealt] == [{rows[order[i]] for i in fold} for fold in moved]


def test_repeats_are_different_folds_and_no_other_seed_in_disguise() -> None:
    rows = [str(i) for i in range(20)]
    made = {str(folds(rows, count=5, seed=seed, repeat=repeat)) for seed in range(5) for repeat in range(5)}
    assert len(made) == 25


@pytest.mark.parametrize(("rows", "count"), [(["a", "b"], 3), (["a"], 2), ([], 2), (["a", "b"], 1)])
def test_too_few_rows_for_the_folds(rows: list[str], count: int) -> None:
    with pytest.raises(TaskError, match=f"{count} folds of {len(rows)} different rows"):
        folds(rows, count=count, seed=0)
