"""How sure a choice is: every draw decided as ``select`` decides."""

import numpy as np
import pytest

from kshot.errors import InputError
from kshot.methods.experts import (
    Candidates,
    Groups,
    ShotTable,
    coverage_chances,
    pool_chances,
    select,
    select_covering,
)
from kshot.methods.experts.chances import _draws


def random_table(experts=9, shots=7, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(experts, 5))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    names = tuple(f"{int(at):02d}" for at in rng.permutation(experts))
    return ShotTable(
        rng.random((experts, shots)) < 0.4, rng.uniform(0, 3, (experts, shots)), points @ points.T, names
    )


def counts_of(table, draws, seed):
    return np.concatenate(list(_draws(table.right.shape[1], draws, seed, width=1)))


@pytest.mark.parametrize("rule", ["paper", "released-code"])
def test_each_draw_is_decided_as_select_decides(rule):
    table = random_table()
    counts = counts_of(table, 60, seed=3)
    in_pool, chosen = np.zeros(9), np.zeros(9)
    for row in counts:
        shots = np.repeat(np.arange(7), row.astype(int))
        drawn = ShotTable(table.right[:, shots], table.target_loss[:, shots], table.similarity, table.names)
        found = select(drawn.candidates, size=3, pool=5, rule=rule)
        in_pool[list(found.pool)] += 1
        chosen[list(found.chosen)] += 1
    chances = pool_chances(table, size=3, pool=5, rule=rule, draws=60, seed=3)
    assert np.array_equal(chances.in_pool, in_pool / 60)
    assert np.array_equal(chances.chosen, chosen / 60)
    assert 0 < chances.chosen.max() < 1 or rule == "released-code"


def test_coverage_is_decided_as_select_covering_decides():
    table = random_table(seed=1)
    counts = counts_of(table, 60, seed=3)
    chosen = np.zeros(9)
    for row in counts:
        shots = np.repeat(np.arange(7), row.astype(int))
        drawn = ShotTable(table.right[:, shots], table.target_loss[:, shots], table.similarity, table.names)
        chosen[list(select_covering(drawn, size=3).chosen)] += 1
    found = select_covering(table, size=3)
    assert np.array_equal(coverage_chances(table, found.groups, draws=60, seed=3).chosen, chosen / 60)


def test_shares_sum_to_the_group_and_the_pool_and_follow_the_seed():
    table = random_table(experts=12)
    one, again, other = (pool_chances(table, size=4, pool=8, seed=seed) for seed in (0, 0, 1))
    assert one.chosen.sum() == pytest.approx(4)
    assert one.in_pool.sum() == pytest.approx(8)
    assert (one.chosen <= one.in_pool).all()
    assert np.array_equal(one.chosen, again.chosen)
    assert not np.array_equal(one.chosen, other.chosen)


def test_blocks_change_nothing(monkeypatch):
    table = random_table()
    whole = pool_chances(table, size=3, pool=5, draws=50)
    covering = select_covering(table, size=2).groups
    all_at_once = coverage_chances(table, covering, draws=50)
    monkeypatch.setattr("kshot.methods.experts.chances._BLOCK", 1)
    assert np.array_equal(pool_chances(table, size=3, pool=5, draws=50).chosen, whole.chosen)
    assert np.array_equal(coverage_chances(table, covering, draws=50).chosen, all_at_once.chosen)


def test_one_expert_one_shot_and_infinite_losses():
    alone = ShotTable(np.array([[True]]), np.array([[0.0]]), np.eye(1))
    assert pool_chances(alone, draws=10).chosen.tolist() == [1.0]
    lost = ShotTable(np.zeros((2, 3), bool), np.array([[np.inf] * 3, [1.0] * 3]), np.eye(2))
    assert pool_chances(lost, size=1, pool=1, draws=10).chosen.tolist() == [0.0, 1.0]
    found = select_covering(lost, size=1)
    assert coverage_chances(lost, found.groups, draws=10).chosen.tolist() == [0.0, 1.0]


def test_ties_end_at_the_names():
    alike = ShotTable(np.ones((4, 3), bool), np.ones((4, 3)), np.ones((4, 4)), ("d", "b", "a", "c"))
    covering = select_covering(alike, size=2).groups
    for chances in (
        coverage_chances(alike, covering, draws=5),
        coverage_chances(alike, Groups(covering.members[::-1], covering.values), draws=5),
        pool_chances(alike, size=2, pool=3, draws=5),
    ):
        assert chances.chosen.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_a_pool_with_too_many_groups_is_refused():
    with pytest.raises(InputError, match="too many groups"):
        pool_chances(random_table(experts=60), size=10, pool=60)


def test_a_large_bank():
    table = random_table(experts=300, shots=20)
    chances = pool_chances(table)
    assert chances.chosen.sum() == pytest.approx(4)
    among = Candidates(table.candidates.perplexity, table.candidates.accuracy, table.similarity, table.names)
    best = select(among).chosen
    assert chances.in_pool[list(best)].mean() > 10 * chances.in_pool.mean()
