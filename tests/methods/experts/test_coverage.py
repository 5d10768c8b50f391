"""The group that covers the shots: by hand, against brute force, and where single scores mislead."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import DataError, InputError
from kshot.methods.experts import ShotTable, groups, select_covering, select_experts


def table(right, loss=None, similarity=None, names=()):
    right = np.array(right, dtype=bool)
    loss = np.where(right, 0.1, 2.0) if loss is None else np.array(loss, dtype=float)
    return ShotTable(right, loss, np.eye(len(right)) if similarity is None else np.array(similarity), names)


PARTS = [
    [1, 1, 0, 0, 0, 0],  # two experts of one part
    [1, 1, 0, 0, 0, 0],
    [0, 0, 1, 1, 0, 0],
    [0, 0, 0, 0, 1, 0],
    [0, 1, 0, 1, 0, 0],  # knows nothing that the others do not
]


def test_each_part_gets_its_expert():
    found = select_covering(table(PARTS), size=3)
    assert found.chosen == (0, 2, 3)
    assert found.groups.rows(1)[0]["missed"] == 1
    assert found.margin == 0  # the copy of the first does as well, and comes later
    assert found.left == {
        1: "the best group with it is as good, and comes later by name",
        4: "the best group with it has missed 2 against 1",
    }


def test_accuracy_alone_takes_the_copies():
    given_ = table([[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]])
    among = given_.candidates
    by_accuracy = select_experts(among.perplexity, among.accuracy, among.similarity, size=2, rule="accuracy")
    assert by_accuracy.chosen == (0, 1)
    assert select_covering(given_, size=2).chosen == (0, 2)


def test_where_nobody_is_right_the_lowest_losses_decide():
    loss = [[1.0, 9.0], [9.0, 1.0], [4.0, 4.0]]
    found = select_covering(table(np.zeros((3, 2)), loss), size=2)
    assert found.chosen == (0, 1)
    assert found.groups.rows(1)[0]["lowest_loss"] == 1.0


def test_of_equal_groups_the_less_alike_is_taken():
    alike = np.array([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]])
    assert set(select_covering(table(np.ones((3, 2)), similarity=alike), size=2).chosen) == {0, 2}


@st.composite
def shot_tables(draw):
    experts, shots = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    row = st.lists(st.booleans(), min_size=shots, max_size=shots)
    losses = st.lists(st.sampled_from([0.0, 0.5, 2.0, math.inf]), min_size=shots, max_size=shots)
    right = draw(st.lists(row, min_size=experts, max_size=experts))
    loss = draw(st.lists(losses, min_size=experts, max_size=experts))
    return table(right, loss, names=tuple(f"e{at}" for at in range(experts)))


@given(shot_tables(), st.integers(1, 6))
def test_brute_force_agrees(given_, size):
    count, shots = given_.right.shape
    best = []
    for group in itertools.combinations(range(count), min(size, count)):
        missed = sum(not any(given_.right[i, k] for i in group) for k in range(shots))
        lowest = sum(min(given_.target_loss[i, k] for i in group) for k in range(shots)) / shots
        best.append((missed, round(lowest, 9), group))
    found = select_covering(given_, size=size)
    told = [(row["missed"], row["lowest_loss"], tuple(row["members"])) for row in found.groups.rows()]
    assert told == sorted(best)


@given(shot_tables(), st.randoms(use_true_random=False))
def test_the_order_of_the_bank_changes_nothing(given_, rng):
    order = np.array(rng.sample(range(len(given_.right)), len(given_.right)))
    turned = given_.in_order(order)
    one, other = select_covering(given_, size=2), select_covering(turned, size=2)
    assert {given_.names[at] for at in one.chosen} == {turned.names[at] for at in other.chosen}
    assert one.group_rows() == other.group_rows()


def test_too_many_groups_are_grown():
    rng = np.random.default_rng(1)
    right = rng.random((60, 30)) < 0.15
    found = select_covering(table(right), size=5)  # 5,461,512 groups
    assert found.approximate
    assert len(found.groups) <= 64
    random_groups = [rng.choice(60, 5, replace=False) for _ in range(2000)]
    assert found.groups.rows(1)[0]["missed"] < min((~right[g].any(axis=0)).sum() for g in random_groups)


def test_growth_is_exact_where_one_step_is_enough(monkeypatch):
    whole = select_covering(table(PARTS), size=2)
    monkeypatch.setattr(groups, "LIMIT", 0)
    assert select_covering(table(PARTS), size=2).chosen == whole.chosen


def test_small_banks_and_bad_numbers():
    assert select_covering(table([[1, 0]])).notes == ("there is 1 expert: the group is 1 instead of 4",)
    with pytest.raises(InputError, match="size is 0"):
        select_covering(table(PARTS), size=0)


@pytest.mark.parametrize(
    ("right", "loss", "words"),
    [
        (np.ones((2, 3), bool), np.ones((3, 2)), r"right is \(2, 3\), target_loss \(3, 2\)"),
        (np.ones(3, bool), np.ones(3), "expected"),
        (np.ones((2, 0), bool), np.ones((2, 0)), "0 shots"),
        (np.ones((0, 2), bool), np.ones((0, 2)), "0 experts"),
        (np.ones((2, 2)), np.ones((2, 2)), "true or false"),
        (np.ones((2, 2), bool), np.array([[0, 1], [np.nan, 1]]), "the loss of smith on shot 0 is NaN"),
    ],
)
def test_what_is_no_table_is_refused(right, loss, words):
    with pytest.raises(DataError, match=words):
        ShotTable(right, loss, np.eye(2), ("brewer", "smith"))


def test_a_loss_too_large_for_exp_is_an_infinite_perplexity():
    given_ = table([[1], [0]], [[1e9], [0.0]])
    assert given_.candidates.perplexity.tolist() == [math.inf, 1.0]


def test_the_order_of_the_shots_breaks_no_tie():
    """Summed in the order of the shots, these three differ in the last place."""
    loss = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.3, 0.1]])
    assert len(set(np.exp(loss).sum(axis=1))) > 1
    assert table(np.ones((3, 3)), loss).candidates.perplexity_rank.tolist() == [1, 1, 1]


def test_the_value_of_an_adapter_is_the_mean_of_exp():
    """D4 of the specification, one sample: exp of the mean loss per token."""
    loss = np.array([[(0.1 + 2.3 + 0.5) / 3]])
    assert table([[True]], loss).candidates.perplexity[0] == pytest.approx(2.629166, abs=2e-6)
