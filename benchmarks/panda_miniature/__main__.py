"""``python -m benchmarks.panda_miniature``: insights on the miniature, with its own base as the LLM.

The learning rows are unlabelled: rows of the task's pool of labelled rows, whose answers nobody reads but the
expert of kind ``gold``. Every system answers the same 400 test rows; comparisons are paired.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.measure.predict import predict
from kshot.measure.statistics import compare, wilson
from kshot.methods.baselines import zero_shot
from kshot.methods.panda.label_noise import swapped
from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.records import ExpertFacts, Preference
from kshot.methods.panda.seams import Setting
from kshot.miniature import task_file
from kshot.models.base import System
from kshot.pipeline.panda.expert import Expert, open_expert
from kshot.pipeline.panda.learn_job import bench_of
from kshot.pipeline.panda.learn_pool import Learning, learn_pool, prompts_of
from kshot.pipeline.panda.systems import retriever
from kshot.pipeline.panda.table import DISHES, Dish
from kshot.pipeline.workbench import Workbench
from kshot.runs import silent

EXPERT = "weaver-lora"
LEARNED = 200


@dataclass(frozen=True)
class Weaker:
    """An expert whose first two answers are swapped in a share of the rows."""

    expert: Expert
    share: float
    seed: int

    @property
    def facts(self) -> ExpertFacts:
        """As the expert, and the share."""
        return replace(self.expert.facts, id=f"{self.expert.facts.id}, swapped {self.share:g}")

    def prefer(self, rows: list[Example]) -> list[Preference]:
        """The expert's preferences, some of them swapped."""
        return list(swapped(self.expert.prefer(rows), self.share, seed=self.seed))


def right(bench: Workbench, system: System, rows: tuple[Example, ...]) -> np.ndarray:
    """(N,) whether each row is answered exactly."""
    found = predict(system, rows, bench.template, max_new_tokens=bench.max_new_tokens)
    return np.array([p.prediction == row.answer for p, row in zip(found, rows, strict=True)], float)


def dished(bench: Workbench, pool: InsightPool, dish: Dish) -> System:
    """A dish over a pool that is learned already."""
    retrieve, prompts = retriever(bench, pool, dish), prompts_of(bench)

    def prompt(row: Example) -> tuple:
        chosen = [one.insight for one in retrieve(row).chosen]
        return prompts.query(row, insights=chosen, setting=Setting(render=dish.render))

    return System(dish.name, "panda", bench.llm, prompt)


def scores(seed: int, k: int, work: Path) -> dict[str, np.ndarray]:
    """One draw of learning rows: rows answered rightly by each system."""
    whole = Task.load(task_file("single"), k=300, seed=seed)
    drawn = random.Random(seed).sample(whole.shots, LEARNED)
    task = whole.with_sections(panda={"k": k})
    bench = bench_of(task)
    expert = open_expert(bench, EXPERT)
    entry = next(entry for entry in bench.experts if entry.name == EXPERT)
    test, template = task.test, bench.template
    found = {
        "zero-shot": right(bench, zero_shot(bench.model, template), test),
        "the expert itself": right(
            bench, System("expert", "adapter", bench.model.adapted(entry.folder), template.conversation), test
        ),
    }
    unlabelled = [replace(row, answer="", reasoning=None) for row in drawn]
    pools = {}
    for name, who, rows in (
        ("expert", expert, unlabelled),
        ("gold", open_expert(bench, "gold"), drawn),
        ("weaker 0.4", Weaker(expert, 0.4, seed), unlabelled),
    ):
        out = work / f"{seed}-{k}-{name}"
        pools[name] = learn_pool(bench, rows, who, out=out, learning=Learning(), listener=silent).pool
    out = work / f"{seed}-{k}-corrupted"
    reverse = Learning(corrupted=True)
    corrupted = learn_pool(bench, unlabelled, expert, out=out, learning=reverse, listener=silent).pool
    for dish in DISHES:
        pool = corrupted if dish.control == "corrupted" else pools["expert"]
        found[dish.name] = right(bench, dished(bench, pool, dish), test)
    for name in ("gold", "weaker 0.4"):
        found[f"panda: insights, expert {name}"] = right(bench, dished(bench, pools[name], DISHES[0]), test)
    return found


def main() -> None:
    """Prints one line a system."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--k", type=int, default=6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        draws = [scores(seed, given.k, Path(work)) for seed in range(given.seeds)]
    print(f"miniature, single, {LEARNED} unlabelled learning rows, k = {given.k}, {given.seeds} draws")
    print("| system | exact match | lowest to highest | first draw, 95 % | minus zero-shot | p |")
    print("|---|--:|--:|--:|--:|--:|")
    for name in draws[0]:
        each = [100 * draw[name].mean() for draw in draws]
        low, high = wilson(int(draws[0][name].sum()), len(draws[0][name]))
        cells = [name, f"{np.mean(each):.1f}", f"{min(each):.1f} to {max(each):.1f}"]
        cells.append(f"[{100 * low:.1f}, {100 * high:.1f}]")
        mean, base = (np.mean([draw[one] for draw in draws], axis=0) for one in (name, "zero-shot"))
        versus = compare(mean, base) if name != "zero-shot" else None
        if versus is None:
            cells += ["", ""]
        else:
            bounds = [100 * end for end in versus.interval]
            told = f"{100 * versus.difference:+.1f} [{bounds[0]:+.1f}, {bounds[1]:+.1f}]"
            cells += [told, f"{versus.p:.4f}"]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
