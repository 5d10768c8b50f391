"""The made-up world: names and instructions as far apart, and as near, as the benchmark needs."""

from __future__ import annotations

import itertools
import random

import pytest

from kshot.errors import InputError
from kshot.measure.overlap import rouge_l
from kshot.models.fake.ontology import Ontology
from kshot.models.fake.ontology.items import TEMPLATES, junk, said

WORLD = Ontology.made((3, 4, 5), seed=1)


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    assert Ontology.made((3, 4, 5), seed=1) == WORLD
    assert Ontology.made((3, 4, 5), seed=2).names != WORLD.names


def test_shape_is_kept() -> None:
    assert len(WORLD.leaves) == 60
    assert len(Ontology.made((8, 6, 8)).leaves) == 384
    assert len(Ontology.made((16, 10, 8)).leaves) == 1280


def test_ranks_are_shuffled_among_siblings() -> None:
    for below in WORLD.children:
        assert sorted(WORLD.ranks[child] for child in below) == list(range(1, len(below) + 1))
    assert any(
        [WORLD.ranks[c] for c in below] != sorted(WORLD.ranks[c] for c in below) for below in WORLD.children
    )


@pytest.mark.parametrize("seed", range(4))
def test_an_irregular_world_has_leaves_at_several_depths_and_breadths(seed: int) -> None:
    world = Ontology.made("irregular", seed=seed)
    depths = {len(world.above(leaf)) - 1 for leaf in world.leaves}
    breadths = {len(below) for below in world.children if below}
    assert len(depths) >= 2
    assert max(breadths) >= 12
    assert min(breadths) <= 3
    assert 100 <= len(world.leaves) <= 2000


def test_names_of_different_tasks_are_far_apart_and_some_of_one_task_too() -> None:
    names = [(name, node) for node, given in enumerate(WORLD.names) for name in given]
    pairs = [(rouge_l(a, b), m == n) for (a, m), (b, n) in itertools.combinations(names, 2)]
    assert not any(score > 0.7 for score, is_same in pairs if not is_same)
    assert all(3 <= len(given) <= 5 for given in WORLD.names)
    for given in WORLD.names:
        assert rouge_l(given[0], given[1]) > 0.7
        assert rouge_l(given[0], given[2]) == 0
        assert WORLD.known(given[2].upper()) == WORLD.known(given[0])


def test_instructions_of_different_templates_are_far_apart_and_repeats_near() -> None:
    draw = random.Random(0)
    rows = [said(WORLD, leaf, draw) for leaf in WORLD.leaves[:6] for _ in range(60)]
    pairs = [
        (rouge_l(a.instruction, b.instruction), a.id == b.id) for a, b in itertools.combinations(rows, 2)
    ]
    assert not any(score > 0.7 for score, is_same in pairs if not is_same)
    near = [score for score, is_same in pairs if is_same]
    assert sum(score > 0.7 for score in near) / len(near) > 0.9
    assert sum(score < 1 for score in near) / len(near) > 0.5
    assert all(4 <= len(row.instruction.split()) <= 20 for row in rows)


def test_a_leaf_has_all_its_templates() -> None:
    draw = random.Random(0)
    numbers = {said(WORLD, WORLD.leaves[0], draw).id for _ in range(2000)}
    assert len(numbers) == TEMPLATES >= 50


def test_the_leaf_is_read_from_the_text() -> None:
    draw = random.Random(0)
    for leaf in WORLD.leaves:
        assert WORLD.leaf_of(said(WORLD, leaf, draw).instruction) == leaf
    assert all(WORLD.leaf_of(junk(draw).instruction) is None for _ in range(200))


@pytest.mark.parametrize("shape", [(), (0, 3), (65,), (64, 64, 64, 64)])
def test_an_impossible_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="ontology"):
        Ontology.made(shape)
