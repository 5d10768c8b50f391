"""The PANDA systems of a run: a pool learned from the shots of a split, and how its insights are put."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.data.example import Conversation, Example
from kshot.methods.panda.controls import IrrelevantRetriever, shuffled
from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.retrieve import Retrieval, Retriever
from kshot.methods.panda.seams import Retrieve, Retrieved, Setting
from kshot.models.base import System
from kshot.pipeline.panda.expert import expert_name, open_expert
from kshot.pipeline.panda.learn_pool import Learning, learn_pool, prompts_of, style_of
from kshot.pipeline.panda.llm import llm_identity
from kshot.pipeline.panda.table import Dish
from kshot.runs import file_hash, folder_bytes

if TYPE_CHECKING:
    from kshot.pipeline.workbench import Workbench


def panda_system(bench: Workbench, shots: Sequence[Example], artifact: Path, *, dish: Dish) -> System:
    """The LLM with what a dish puts before each row; the pool is learned once a split, for all dishes."""
    import shutil

    learned = pool_folder(bench, shots, corrupted=dish.control == "corrupted")
    if not artifact.is_dir():
        shutil.copytree(learned, artifact)
    pool = InsightPool.load(artifact)
    retrieve, setting, prompts = retriever(bench, pool, dish), Setting(render=dish.render), prompts_of(bench)

    def prompt(row: Example) -> Conversation:
        found = retrieve(row)
        return prompts.query(row, insights=[one.insight for one in found.chosen], setting=setting)

    note = dish.note
    if dish.control != "empty":
        note += f"; {min(bench.settings.panda.k, len(pool))} of {len(pool)} insights"
        note += f", expert: {pool.header.expert.kind if pool.header.expert else 'unknown'}"
    found = System(dish.name, "panda", bench.llm, prompt, size_bytes=folder_bytes(artifact), note=note)
    # each dish is charged as if it had learned the pool alone; raw preferences need no explanation
    return (
        found
        if dish.render == "preference" or dish.control == "empty"
        else replace(found, built_with=learning_cost(pool))
    )


def learning_cost(pool: InsightPool) -> tuple[int, int, float]:
    """Calls, tokens and USD that the explanations of a pool took."""
    spent = [one.spent for one in pool]
    tokens = sum(one.prompt_tokens + one.completion_tokens for one in spent)
    return sum(one.calls for one in spent), tokens, sum(one.usd for one in spent)


def retriever(bench: Workbench, pool: InsightPool, dish: Dish) -> Retrieve:
    """What finds the insights of a dish.

    Raises:
        DataError: The control is ``shuffled``, and no two insights differ: it would be no control.
    """
    settings = bench.settings.panda
    if dish.control == "empty":
        return lambda row: Retrieved()
    if dish.control == "shuffled":
        pool = InsightPool(shuffled(pool.insights, seed=bench.settings.examples.seed), pool.header)
    options = Retrieval(k=settings.k, floor=settings.floor)
    if dish.control == "irrelevant":
        return IrrelevantRetriever(pool.insights, bench.embedder, k=settings.k)
    return Retriever(pool, bench.embedder, options)


def pool_folder(bench: Workbench, shots: Sequence[Example], *, corrupted: bool = False) -> Path:
    """The pool of one split: learned now, or found from an earlier system or process."""
    settings = bench.settings.panda
    learning = Learning(heuristic=settings.heuristic, gold=settings.gold, corrupted=corrupted)

    def make(folder: Path) -> None:
        expert = open_expert(bench, expert_name(bench))
        learn_pool(bench, shots, expert, out=folder / "pool", learning=learning, listener=bench.run.event)

    inputs = {"shots": [shot.id for shot in shots], "learning": repr(learning), **_inputs(bench)}
    return bench.run.step("insights", inputs, make) / "pool"


def panda_inputs(bench: Workbench, dish: Dish) -> str:
    """What a dish depends on beside the shots."""
    return json.dumps([repr(dish), repr(bench.settings.panda), _inputs(bench)], sort_keys=True)


def lacking_panda(bench: Workbench) -> str | None:
    """Why PANDA cannot be cooked for this task, or None."""
    if bench.settings.knowledge.llm is None and not bench.has_model:
        return "the task file names neither an LLM (knowledge: llm) nor a base model"
    return None


def _inputs(bench: Workbench) -> dict[str, Any]:
    name = expert_name(bench)
    place = bench.settings.resolve(name) if name != "gold" else name
    return {
        "expert": file_hash(place) if isinstance(place, Path) else place,
        "llm": llm_identity(bench),
        "style": style_of(bench),
        "template": repr(bench.template),
        "embedder": bench.embedder.id,
    }
