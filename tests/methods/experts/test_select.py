"""Experts chosen from arrays: the example of the specification, properties, edges, what is refused."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from kshot.errors import DataError, InputError
from kshot.methods.experts import RULES, Candidates, competition_ranks, groups, select, select_experts

# a to f of the specification's D7
PERPLEXITY = np.array([2.0, 2.5, 2.2, 3.0, 4.0, 5.0])
ACCURACY = np.array([0.50, 0.62, 0.40, 0.62, 0.58, 0.30])
COSINES = {"ab": 0.9, "ac": 0.5, "bc": 0.3, "ad": 0.2, "bd": 0.1, "cd": 0.05}


def letters(places):
    return "".join("abcdef"[at] for at in places)


def similarity_of(cosines, count=6):
    table = np.eye(count)
    for pair, value in cosines.items():
        one, other = ("abcdef".index(letter) for letter in pair)
        table[one, other] = table[other, one] = value
    return table


def test_the_example_of_the_specification():
    found = select_experts(PERPLEXITY, ACCURACY, similarity_of(COSINES), size=2, pool=4)
    rows = found.rows()
    assert [row["perplexity_rank"] for row in rows] == [1, 3, 2, 4, 5, 6]
    assert [row["accuracy_rank"] for row in rows] == [4, 1, 5, 1, 3, 6]
    assert [row["rank_sum"] for row in rows] == [5, 4, 7, 5, 8, 12]
    assert letters(found.pool) == "badc"
    told = {letters(row["members"]): row for row in found.groups.rows()}
    assert {pair: row["diversity_rank"] for pair, row in told.items()} == {
        "cd": 1, "bd": 2, "ad": 3, "bc": 4, "ac": 5, "ab": 6,
    }  # fmt: skip
    assert {pair: row["total"] for pair, row in told.items()} == {
        "cd": 13, "bd": 11, "ad": 13, "bc": 15, "ac": 17, "ab": 15,
    }  # fmt: skip
    assert letters(found.chosen) == "bd"
    assert found.margin == 2
    # ad and cd tie at 13: the lower rank sum comes first; so do bc and ab at 15, where similarity decides
    assert [letters(row["members"]) for row in found.groups.rows()] == ["bd", "ad", "cd", "ab", "bc", "ac"]
    assert [row["left"] for row in rows] == [
        "in the pool, but the best group with it has total 13 against 11",
        "",
        "in the pool, but the best group with it has total 13 against 11",
        "",
        "not in the pool: rank sum 8, the pool ends at 7",
        "not in the pool: rank sum 12, the pool ends at 7",
    ]


def test_the_released_code_looks_at_similarity_alone():
    found = select_experts(PERPLEXITY, ACCURACY, similarity_of(COSINES), size=2, pool=4, rule="released-code")
    assert letters(found.pool) == "badc"
    assert letters(sorted(found.chosen)) == "cd"


def test_rules_without_groups():
    among = Candidates(PERPLEXITY, ACCURACY, np.eye(6))
    by = {
        rule: letters(select(among, size=3, rule=rule).chosen) for rule in ("ranks", "accuracy", "perplexity")
    }
    assert by == {"ranks": "bad", "accuracy": "bde", "perplexity": "acb"}
    found = select(among, size=3, rule="accuracy")
    assert found.rows()[0]["left"] == "place 4 by accuracy: 0.5, the last chosen has 0.58"
    assert found.margin is None
    assert found.group_rows() == []


def test_random_follows_its_seed_and_the_names():
    names = ("e", "b", "d", "a", "c")
    among = Candidates(np.ones(5), np.ones(5), np.eye(5), names)
    turned = Candidates(np.ones(5), np.ones(5), np.eye(5), names[::-1])
    picks = set()
    for seed in range(20):
        one, other = (
            select(among, size=2, rule="random", seed=seed),
            select(turned, size=2, rule="random", seed=seed),
        )
        picks.add(tuple(among.names[at] for at in one.chosen))
        assert [among.names[at] for at in one.chosen] == [turned.names[at] for at in other.chosen]
    assert len(picks) > 5


def test_ties_of_everything_end_at_the_names():
    among = Candidates(np.ones(4), np.ones(4), np.ones((4, 4)), ("d", "a", "c", "b"))
    for rule in ("paper", "released-code", "ranks", "accuracy", "perplexity"):
        assert {among.names[at] for at in select(among, size=2, pool=3, rule=rule).chosen} == {"a", "b"}


def test_an_infinite_perplexity_is_the_worst_and_no_error():
    found = select_experts([math.inf, 2.0, math.inf], [0.9, 0.1, 0.1], np.eye(3), size=1, pool=2)
    assert [row["perplexity_rank"] for row in found.rows()] == [2, 1, 2]
    assert found.pool == (1, 0)


def test_names_may_be_any_text():
    among = Candidates([2.0, 2.0], [0.5, 0.5], np.eye(2), ("größe/專家", "a b"))
    assert select(among, size=1).group_rows(1)[0]["members"] == ["a b"]


@pytest.mark.parametrize("rule", RULES)
def test_one_expert_is_chosen_whatever_the_rule(rule):
    found = select_experts([2.0], [0.5], [[1.0]], size=1, pool=1, rule=rule)
    assert found.chosen == found.pool == (0,)
    assert not found.left
    assert not found.notes
    assert not found.approximate


def test_small_banks_shrink_what_was_asked_and_say_so():
    found = select_experts([2.0, 3.0, 4.0], [0.5, 0.4, 0.3], np.eye(3))
    assert found.chosen == (0, 1, 2)
    assert found.notes == (
        "there are 3 experts: the group is 3 instead of 4",
        "there are 3 experts: the pool is 3 instead of 8",
    )
    assert select_experts([2.0], [1.0], [[1.0]], rule="accuracy").notes == (
        "there is 1 expert: the group is 1 instead of 4",
    )


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"perplexity": [2.0, math.nan]}, DataError, "perplexity of expert 1 is NaN"),
        ({"accuracy": [math.nan, 0.5]}, DataError, "accuracy of expert 0 is NaN"),
        ({"accuracy": [math.inf, 0.5]}, DataError, "infinity"),
        ({"accuracy": [0.5]}, DataError, r"accuracy is \(1,\), expected \(2,\)"),
        ({"perplexity": [[2.0, 3.0]]}, DataError, r"perplexity has shape \(1, 2\)"),
        ({"perplexity": ["low", "high"]}, DataError, "perplexity holds no numbers"),
        ({"perplexity": [], "accuracy": [], "similarity": np.zeros((0, 0))}, DataError, "no expert"),
        ({"similarity": np.ones((2, 3))}, DataError, r"similarity is \(2, 3\), expected \(2, 2\)"),
        ({"similarity": np.eye(3)}, DataError, r"similarity is \(3, 3\), expected \(2, 2\)"),
        ({"similarity": np.ones(2)}, DataError, "similarity has shape"),
        ({"similarity": [[1, 0.5], [0.4, 1]]}, DataError, "not symmetric"),
        ({"similarity": [[1, math.nan], [math.nan, 1]]}, DataError, "NaN"),
        ({"size": 0}, InputError, "size is 0"),
        ({"size": 1.5}, InputError, "size is 1.5"),
        ({"size": True}, InputError, "size is True"),
        ({"pool": 0, "size": 1}, InputError, "pool is 0"),
        ({"size": 3, "pool": 2}, InputError, "a group of 3 cannot be made of a pool of 2"),
        ({"rule": "Paper"}, InputError, "'Paper' .* expected one of paper, released-code"),
    ],
)
def test_what_cannot_be_is_refused(changes, kind, words):
    given = {"perplexity": [2.0, 3.0], "accuracy": [0.5, 0.4], "similarity": np.eye(2), "size": 1} | changes
    arrays = [given.pop(name) for name in ("perplexity", "accuracy", "similarity")]
    with pytest.raises(kind, match=words):
        select_experts(*arrays, **given)


def test_names_are_checked():
    with pytest.raises(InputError, match="two experts are called 'a'"):
        Candidates(np.ones(2), np.ones(2), np.eye(2), ("a", "a"))
    with pytest.raises(DataError, match="1 names for 2 experts"):
        Candidates(np.ones(2), np.ones(2), np.eye(2), ("a",))


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.5, 1.0, math.inf]), min_size=4, max_size=4), min_size=1, max_size=5
    )
)
def test_competition_ranks_are_scipys(rows):
    expected = rankdata(rows, method="min", axis=-1)
    assert competition_ranks(rows).tolist() == expected.tolist()


def worlds(most=7):
    """Experts whose scores tie often, and whose similarity is symmetric."""

    def build(count):
        few = st.sampled_from([0.0, 0.25, 0.5, 0.75])
        column = st.lists(few, min_size=count, max_size=count)
        square = st.lists(column, min_size=count, max_size=count)
        return st.tuples(column, column, square).map(
            lambda found: (
                1 + np.array(found[0]),
                np.array(found[1]),
                np.maximum(np.array(found[2]), np.array(found[2]).T),
            )
        )

    return st.integers(2, most).flatmap(build)


def restated(perplexity, accuracy, similarity, size, pool):
    """Alg. 1 as the paper prints it, with the specification's ties; slow and plain."""
    count = len(perplexity)
    rank_p = [1 + sum(p < perplexity[i] for p in perplexity) for i in range(count)]
    rank_a = [1 + sum(a > accuracy[i] for a in accuracy) for i in range(count)]
    sums = [p + a for p, a in zip(rank_p, rank_a, strict=True)]
    inside = sorted(range(count), key=lambda i: (sums[i], perplexity[i], i))[:pool]
    means = {}
    for group in itertools.combinations(sorted(inside), size):
        pairs = [similarity[i, j] for i, j in itertools.combinations(group, 2)]
        means[group] = round(sum(pairs) / len(pairs), 9) if pairs else 0.0
    found = []
    for group, mean in means.items():
        place = 1 + sum(other < mean for other in means.values())
        rank_sum = sum(sums[i] for i in group)
        found.append((rank_sum + place, rank_sum, mean, group))
    return sorted(found), inside


@given(worlds(), st.integers(1, 4), st.integers(0, 3))
def test_the_rule_is_the_restated_equation(world, size, more):
    size = min(size, len(world[0]))
    expected, inside = restated(*world, size, size + more)
    found = select_experts(*world, size=size, pool=size + more)
    assert found.pool == tuple(inside)
    told = [
        (row["total"], row["rank_sum"], row["similarity"], tuple(row["members"]))
        for row in found.groups.rows()
    ]
    assert told == expected
    assert set(found.chosen) == set(expected[0][-1])
    assert set(found.left) == set(range(len(world[0]))) - set(found.chosen)
    assert all(found.left.values())


@given(worlds(), st.sampled_from(RULES), st.randoms(use_true_random=False))
def test_the_order_of_the_bank_changes_nothing(world, rule, rng):
    count = len(world[0])
    names = tuple(f"expert {at}" for at in range(count))
    order = rng.sample(range(count), count)
    among = Candidates(*world, names)
    turned = Candidates(
        world[0][order], world[1][order], world[2][np.ix_(order, order)], tuple(names[at] for at in order)
    )
    one, other = (select(bank, size=2, pool=min(5, count) + 1, rule=rule) for bank in (among, turned))
    assert [names[at] for at in one.chosen] == [turned.names[at] for at in other.chosen]
    assert one.group_rows() == other.group_rows()
    by_name = {row["name"]: row for row in other.rows()}
    assert all(by_name[row["name"]] == row for row in one.rows())


@given(worlds(most=6))
def test_nobody_is_paired_with_its_copy_while_another_of_equal_rank_is_there(world):
    perplexity, accuracy, similarity = (np.array(values) for values in world)
    original, copy, other = 0, len(perplexity), 1
    perplexity[other], accuracy[other] = perplexity[original], accuracy[original]
    similarity = np.minimum(similarity, 0.9)
    wide = np.zeros((copy + 1, copy + 1))
    wide[:copy, :copy] = similarity
    wide[copy, :copy] = wide[:copy, copy] = similarity[original]
    wide[copy, original] = wide[original, copy] = 1.0
    np.fill_diagonal(wide, 1.0)
    found = select_experts(
        np.append(perplexity, perplexity[original]), np.append(accuracy, accuracy[original]), wide,
        size=2, pool=copy + 1,
    )  # fmt: skip
    assert set(found.chosen) != {original, copy}


@settings(max_examples=30)
@given(worlds(), st.integers(1, 3))
def test_growth_finds_the_best_pair_or_single_and_says_that_it_grew(world, size):
    """Every start is tried, so that growth sees every pair; a larger group is no better than the best."""
    with pytest.MonkeyPatch.context() as patch:
        whole = select_experts(*world, size=size, pool=8, rule="released-code")
        patch.setattr(groups, "LIMIT", 0)
        found = select_experts(*world, size=size, pool=8, rule="released-code")
    assert found.approximate
    assert "approximate" in found.notes[-1]
    assert len(set(found.chosen)) == min(size, len(world[0]))
    members = found.groups.members.tolist()
    assert members == [sorted(group) for group in members]
    assert len({tuple(group) for group in members}) == len(members)
    first, best = found.groups.rows(1)[0], whole.groups.rows(1)[0]
    assert first["similarity"] >= best["similarity"]
    if size <= 2:
        assert first["similarity"] == best["similarity"]


def test_a_large_pool_is_grown_and_stays_near_the_best():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 8))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    given_ = (rng.uniform(2, 9, 40), rng.uniform(size=40), points @ points.T)
    found = select_experts(*given_, size=5, pool=40)  # 658,008 groups
    assert found.approximate
    assert len(found.chosen) == 5
    smaller = select_experts(*given_, size=5, pool=12)
    assert not smaller.approximate
    assert smaller.margin is not None
    again = select_experts(*given_, size=5, pool=40)
    assert again.chosen == found.chosen


def test_mean_cosine_of_a_group_and_what_the_source_inverts():
    """D6: pair cosines .5, .2, -.1; Eq. 6 prints the inverse of their mean."""
    alike = similarity_of({"ab": 0.5, "ac": 0.2, "bc": -0.1}, count=3)
    group = np.array([[0, 1, 2]])
    assert groups.mean_similarity(alike, group).tolist() == [0.2]
    assert 1 / groups.mean_similarity(alike, group)[0] == pytest.approx(5)
    assert groups.mean_similarity(np.abs(alike), group)[0] == pytest.approx(0.266667, abs=2e-6)


@given(st.integers(0, 1000))
def test_for_positive_cosines_the_inverse_orders_groups_alike(seed):
    cosines = np.random.default_rng(seed).uniform(0.01, 1, (7, 7))
    found = groups.mean_similarity((cosines + cosines.T) / 2, groups.combinations(range(7), 3))
    assert competition_ranks(found).tolist() == competition_ranks(-1 / found).tolist()
