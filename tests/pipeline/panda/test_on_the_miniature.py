"""PANDA on the miniature: its own base is the LLM, a fine-tuned trade adapter the expert."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.measure.predict import predict
from kshot.methods.baselines import zero_shot
from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.seams import Setting
from kshot.miniature import task_file
from kshot.models.base import System
from kshot.pipeline.panda.expert import open_expert
from kshot.pipeline.panda.learn_job import bench_of
from kshot.pipeline.panda.learn_pool import Learning, learn_pool, prompts_of
from kshot.pipeline.panda.systems import retriever
from kshot.pipeline.panda.table import DISHES, Dish
from kshot.pipeline.workbench import Workbench
from kshot.runs import silent


class World:
    """The task `single`, a pool of 150 unlabelled rows, and 60 test rows."""

    def __init__(self, folder: Path) -> None:
        task = Task.load(task_file("single"), k=300)
        drawn = random.Random(0).sample(task.shots, 150)
        self.rows = [replace(row, answer="", reasoning=None) for row in drawn]
        self.test = task.test[:60]
        self.bench = bench_of(task)
        self.expert = open_expert(self.bench, "weaver-lora")
        self.pools = {
            corrupted: self._learned(folder / str(corrupted), corrupted) for corrupted in (False, True)
        }

    def _learned(self, out: Path, corrupted: bool) -> InsightPool:
        learning = Learning(corrupted=corrupted)
        made = learn_pool(self.bench, self.rows, self.expert, out=out, learning=learning, listener=silent)
        return made.pool

    def share(self, dish: Dish) -> float:
        """Share of the test rows that a dish answers exactly."""
        pool = self.pools[dish.control == "corrupted"]
        retrieve, prompts = retriever(self.bench, pool, dish), prompts_of(self.bench)

        def prompt(row: Example):
            chosen = [one.insight for one in retrieve(row).chosen]
            return prompts.query(row, insights=chosen, setting=Setting(render=dish.render))

        return right(self.bench, System(dish.name, "panda", self.bench.llm, prompt), self.test)


def right(bench: Workbench, system: System, rows: tuple[Example, ...]) -> float:
    found = predict(system, rows, bench.template, max_new_tokens=bench.max_new_tokens)
    return sum(one.prediction == row.answer for one, row in zip(found, rows, strict=True)) / len(rows)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def dish(name: str) -> Dish:
    return next(one for one in DISHES if one.name == name)


def test_nearly_every_preference_is_explained(world: World) -> None:
    assert len(world.pools[False]) >= 140
    assert all(one.preference is not None for one in world.pools[False])
    # nobody was told what is right
    assert all(one.preference.gold is None for one in world.pools[False] if one.preference)


def test_insights_lift_the_base_from_chance(world: World) -> None:
    assert right(world.bench, zero_shot(world.bench.model, world.bench.template), world.test) <= 0.05
    assert world.share(dish("panda: insights")) >= 0.5


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("panda: shuffled insights", 0.15),  # another's words may be those of the row: one trade has 36
        ("panda: irrelevant insights", 0.05),
        ("panda: corrupted insights", 0.05),
    ],
)
def test_controls_fall_back_to_zero_shot(world: World, name: str, most: float) -> None:
    assert world.share(dish(name)) <= most
