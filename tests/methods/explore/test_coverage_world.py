"""A small coverage benchmark: one hidden domain's size, three seeds, 300 calls; a simulated model throughout.

The full one is ``benchmarks/explore_coverage``. This measures a search policy under an assumed recall model.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from kshot.methods.explore.fill import FillOptions
from kshot.methods.explore.grow import GrowOptions
from kshot.methods.explore.prompts import standard
from kshot.methods.explore.records import Item
from kshot.methods.explore.rivals import RIVALS, Plan
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.spending import Limits
from kshot.methods.explore.tree import DomainTree
from kshot.models.base import LanguageModel
from kshot.models.endpoint import Endpoint
from kshot.models.fake import FakeServer
from kshot.models.fake.ontology import Ontology, OntologyModel, OntologySpeaker, RecallModel

SEEDS = (100, 101, 102)
COUNTS = {"adaptive": 60, "fixed": 60, "self_instruct": 3000}  # rows a task: more than 300 calls can give


def speaker(s: float, seed: int) -> OntologySpeaker:
    return OntologySpeaker(Ontology.made((8, 6, 8), seed=seed), RecallModel(s), seed=seed)


def explored(rival: str, said: OntologySpeaker, model: LanguageModel, calls: int = 300) -> Exploration:
    seeds = tuple(Item(**row) for row in said.seeds(8))
    tree = DomainTree.planted("everyday requests", "What people ask of an assistant.")
    tree.put(replace(tree.root, examples=seeds))
    found, plan = Exploration(tree), Plan(GrowOptions(), FillOptions(count=COUNTS[rival]), seeds)
    run = RIVALS[rival].run
    for _ in run(found, model, prompts=standard("en"), embedder=None, plan=plan, limits=Limits(calls=calls)):
        pass
    return found


@cache
def recalls(rival: str, s: float, calls: int = 300) -> tuple[float, ...]:
    """Leaf recall by seed."""
    scores = []
    for seed in SEEDS:
        said = speaker(s, seed)
        found = explored(rival, said, OntologyModel(said), calls)
        assert found.spent.calls == calls, "all are given equal calls"
        score = said.score(row.item.instruction for row in found.rows)
        assert score.unknown == 0
        scores.append(score.leaf_recall)
    return tuple(scores)


@pytest.mark.parametrize("rival", ["fixed", "self_instruct"])
def test_under_a_recall_bias_the_adaptive_tree_is_not_below_its_rivals(rival: str) -> None:
    ours, theirs = recalls("adaptive", 1.5), recalls(rival, 1.5)
    assert sum(ours) >= sum(theirs)


def test_under_a_recall_bias_asking_at_the_root_misses_much() -> None:
    assert all(
        a > b + 0.05 for a, b in zip(recalls("adaptive", 1.5), recalls("self_instruct", 1.5), strict=True)
    )


def test_without_a_recall_bias_nothing_is_claimed() -> None:
    """The null case: there is nothing to gain, and exploring must not seem to gain."""
    differences = [
        a - b for a, b in zip(recalls("adaptive", 0.0, 100), recalls("self_instruct", 0.0, 100), strict=True)
    ]
    assert sum(differences) / len(differences) <= 0.005


@pytest.mark.parametrize("rival", list(COUNTS))
def test_rows_over_http_are_those_in_process(rival: str) -> None:
    said = speaker(1.5, 3)
    at_once = explored(rival, said, OntologyModel(said), calls=60)
    with FakeServer(speaker(1.5, 3)) as server, Endpoint(server.base_url, "fake", concurrency=16) as endpoint:
        over_http = explored(rival, said, endpoint, calls=60)
    assert over_http.rows == at_once.rows
    assert over_http.refused == at_once.refused
    assert list(over_http.tree) == list(at_once.tree)
    assert over_http.spent == at_once.spent
