"""What the steps write as JSON becomes facts, with nothing lost on the way."""

import math

import pytest

from kshot.errors import DataError
from kshot.report.knowledge.read import data_from, experts_from, training_from

CHOICE = {
    "rule": "paper", "similarity": "delta", "size": 2, "pool": 3, "shots": 20, "chosen": ["b", "d"],
    "margin": 2.0, "approximate": False, "notes": ["x nearly repeats y"], "group_count": 6,
    "adapters": [
        {"name": "b", "perplexity": 2.5, "accuracy": 0.62, "perplexity_rank": 3, "accuracy_rank": 1,
         "rank_sum": 4, "in_pool": True, "chosen": True, "left": "", "accuracy_error": 0.11,
         "perplexity_error": None, "pool_chance": 0.9, "chosen_chance": 0.8},
        {"name": "d", "perplexity": 3.0, "accuracy": 0.62, "perplexity_rank": 4, "accuracy_rank": 1,
         "rank_sum": 5, "in_pool": True, "chosen": True, "left": ""},
        {"name": "a", "perplexity": "inf", "accuracy": 0.5, "perplexity_rank": 1, "accuracy_rank": 4,
         "rank_sum": 5, "in_pool": True, "chosen": False, "left": "in the pool, but late"},
        {"name": "f", "perplexity": 5.0, "accuracy": 0.3, "perplexity_rank": 6, "accuracy_rank": 6,
         "rank_sum": 12, "in_pool": False, "chosen": False, "left": "not in the pool"},
        {"name": "zeros", "in_pool": False, "chosen": False, "left": "all B are zero"},
    ],
    "groups": [
        {"members": ["b", "d"], "total": 11.0, "rank_sum": 9.0, "similarity": 0.1, "diversity_rank": 2.0},
        {"members": ["a", "d"], "total": 13.0, "rank_sum": 10.0, "similarity": 0.2, "diversity_rank": 3.0},
    ],
}  # fmt: skip


def test_a_choice_of_experts():
    facts = experts_from(CHOICE)
    assert [row.name for row in facts.experts if row.chosen] == ["b", "d"]
    assert [row.state for row in facts.experts] == ["chosen", "chosen", "in the pool", "left", "left"]
    first = facts.experts[0]
    assert (first.rank_perplexity, first.rank_accuracy, first.rank_sum) == (3, 1, 4)
    assert (first.accuracy_se, first.perplexity_se, first.chance_pool, first.chance_chosen) == (
        0.11,
        None,
        0.9,
        0.8,
    )
    assert first.left is None
    assert facts.experts[2].perplexity == math.inf
    assert facts.experts[4].left == "all B are zero"
    assert (facts.k, facts.margin, facts.groups_considered, facts.exact) == (20, 2.0, 6, True)
    group = facts.groups[0]
    assert (group.members, group.rank_sum, group.diversity_rank, group.total) == (("b", "d"), 9, 2, 11.0)
    assert [group.chosen for group in facts.groups] == [True, False]
    assert facts.notes == ("x nearly repeats y",)


def test_a_rule_without_pool_shows_none_and_keeps_its_own_figures():
    everybody = [row | {"in_pool": row["name"] != "zeros"} for row in CHOICE["adapters"]]
    groups = [{"members": ["b", "d"], "missed": 3.0, "lowest_loss": 0.41, "similarity": 0.1}]
    facts = experts_from(CHOICE | {"adapters": everybody, "rule": "coverage", "groups": groups})
    assert [row.state for row in facts.experts] == ["chosen", "chosen", "left", "left", "left"]
    assert [row.in_pool for row in facts.experts] == [True, True, False, False, False]
    assert facts.groups[0].more == {"missed": 3.0, "lowest_loss": 0.41}
    assert (facts.groups[0].similarity, facts.groups[0].rank_sum) == (0.1, None)


def test_an_approximate_choice_without_groups():
    facts = experts_from({"rule": "accuracy", "shots": 5, "adapters": [], "approximate": True})
    assert (facts.exact, facts.groups, facts.groups_considered, facts.margin) == (False, (), None, None)


def test_a_choice_of_data():
    point = {"x": 0.5, "y": -1.0, "fate": "kept", "text": "t", "source": "open.jsonl:3", "score": 0.9}
    facts = data_from(
        {
            "asked": {"similarity": "mean", "count": 100, "threshold": 0.9, "gamma": 1.0},
            "encoder": "minilm",
            "shots": ["id"] * 20, "points": [point],
            "counts": {"read": 200, "chosen": 80, "test: equal": 5, "shots: overlap": 2,
                       "repeats an earlier row": 3,
                       "near-duplicate of a kept row": 20, "not among the nearest": 90},
        }
    )  # fmt: skip
    assert facts.counts == {
        "shot": 20, "kept": 80, "guard": 7, "repeats an earlier row": 3, "near-duplicate": 20,
        "not chosen": 90,
    }  # fmt: skip
    assert sum(facts.counts.values()) == 200 + 20
    assert (facts.selector, facts.asked, facts.threshold, facts.encoder) == ("mean", 100, 0.9, "minilm")
    assert (facts.points[0].x, facts.points[0].fate, facts.points[0].score) == (0.5, "kept", 0.9)


def test_a_training():
    facts = training_from("m", "routers", losses=[2.0, 1.5, 1.0], held=[(0, 2.5), (3, 1.8)], best_step=3)
    assert (facts.steps, facts.losses) == ((1, 2, 3), (2.0, 1.5, 1.0))
    assert (facts.held_steps, facts.held_losses, facts.kept_step) == ((0, 3), (2.5, 1.8), 3)


@pytest.mark.parametrize("missing", ["adapters", "rule", "shots"])
def test_a_choice_that_lacks_a_field_is_refused(missing):
    with pytest.raises(DataError, match=f"experts: field {missing!r} is missing"):
        experts_from({name: value for name, value in CHOICE.items() if name != missing})
    with pytest.raises(DataError, match="data: field 'asked' is missing"):
        data_from({})
