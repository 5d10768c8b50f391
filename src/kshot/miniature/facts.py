"""What is true of the built miniature: accuracies measured, and ceilings counted, for the truth tables."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kshot.miniature.bank import COPIES, EXPERTS, GUESSERS, KNOWN_PARTS
from kshot.miniature.defects import DEFECTS
from kshot.miniature.skills import Turn, episode
from kshot.miniature.tasks import NAMES, TaskRows, row_truth, share_known
from kshot.miniature.training import generate
from kshot.miniature.vocabulary import END, ROLES, encode, first_line, token_ids
from kshot.miniature.world import INSTRUCTION, PARTS, World, draw_row

LOADABLE_DEFECTS = ("exact_duplicate", "zero_b", "no_effect")
HELD_OUT = 120
SKILL_ROWS = 300
LONG_ROWS = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """One conversation to be answered, and the right answer."""

    turns: tuple[Turn, ...]
    answer: str


def accuracy(model: Any, world: World, asked: Sequence[Asked], *, limit: int = 6) -> float:
    """Share of greedy replies whose first line is the answer."""
    ids = token_ids(world)
    names = list(ids)
    prompts = [[*encode(one.turns, ids)[0], ids[ROLES["assistant"]]] for one in asked]
    replies = generate(model, prompts, pad=0, stops=(ids[END], ids["\n"]), limit=limit)
    said = [first_line([names[token] for token in reply]) for reply in replies]
    return round(sum(a == one.answer for a, one in zip(said, asked, strict=True)) / len(asked), 4)


def ask(instruction: str, prompt: str, answer: str) -> Asked:
    """A conversation of one question."""
    return Asked((Turn("system", instruction), Turn("user", prompt)), answer)


def task_questions(task: TaskRows) -> list[Asked]:
    """The test rows of a task."""
    return [ask(task.instruction, row.prompt, row.answer) for row in task.test]


def trade_questions(world: World, trade: str, part: str, taken: set[str]) -> list[Asked]:
    """Rows of one trade and part: first those of tasks, which no expert was trained on, then others."""
    rng = random.Random(f"{trade} {part}")
    rows = [draw_row(rng, [world.trades[trade]], part) for _ in range(HELD_OUT * 6)]
    rows = [row for row in rows if row.prompt in taken] + [row for row in rows if row.prompt not in taken]
    return [ask(INSTRUCTION, row.prompt, row.answer) for row in rows[:HELD_OUT]]


def shots_questions(world: World, count: int, *, reasoned: bool) -> list[Asked]:
    """Queries whose words all occur in the shots before them."""
    rng = random.Random(f"shots {count} {reasoned}")
    asked: list[Asked] = []
    while len(asked) < SKILL_ROWS:
        turns = episode("shots", world, rng, 1.0)
        replies = [turn for turn in turns if turn.role == "assistant"]
        three = all(len(turn.content.split("\n")[0].split()) == 3 for turn in replies)
        if three and len(replies) == count + 1 and ("\n" in turns[-1].content) == reasoned:
            asked.append(Asked(turns[:-1], turns[-1].content.split("\n")[0]))
    return asked


def covered_questions(task: TaskRows, count: int, *, reasoned: bool) -> list[Asked]:
    """Test rows whose words all occur in shots of the task, behind those shots."""
    shots = random.Random(count).sample(task.shots, count)
    turns = [Turn("system", task.instruction)]
    for row in shots:
        reply = f"{row.answer}\n{row.reasoning}" if reasoned else row.answer
        turns += [Turn("user", row.prompt), Turn("assistant", reply)]
    seen = {word for row in shots for word in row.prompt.split()}
    rows = [row for row in task.test if seen.issuperset(row.prompt.split())][:LONG_ROWS]
    return [Asked((*turns, Turn("user", row.prompt)), row.answer) for row in rows]


def base_facts(model: Any, world: World, tasks: dict[str, TaskRows]) -> dict[str, float]:
    """Accuracies of the base on its skills, and on the tasks with nothing given."""
    rng = random.Random("explain")
    explain = [
        Asked(turns[:-1], turns[-1].content)
        for turns in (episode("explain", world, rng, 1.0) for _ in range(SKILL_ROWS))
    ]
    facts = {f"task_{name}": accuracy(model, world, task_questions(tasks[name])) for name in NAMES}
    facts["follow_8_shots"] = accuracy(model, world, shots_questions(world, 8, reasoned=False))
    facts["follow_8_reasoned_shots"] = accuracy(model, world, shots_questions(world, 8, reasoned=True))
    for count in (20, 50):
        for reasoned in (False, True):
            name = f"follow_{count}{'_reasoned' if reasoned else ''}_shots_of_single"
            questions = covered_questions(tasks["single"], count, reasoned=reasoned)
            facts[name] = accuracy(model, world, questions)
    facts["explain"] = accuracy(model, world, explain, limit=14)
    return facts


def adapter_facts(
    base: Path, bank: Path, world: World, tasks: dict[str, TaskRows], tell: Any
) -> dict[str, dict[str, Any]]:
    """Kind, trade, origin and measured accuracies of every adapter."""
    facts: dict[str, dict[str, Any]] = {}
    for name, about in sorted(_declared().items()):
        measured = about["kind"] != "defect" or about["defect"] in LOADABLE_DEFECTS
        facts[name] = about | (_measure(base, bank / name, about["trade"], world, tasks) if measured else {})
        tell(f"facts: {name} {json.dumps(facts[name])}")
    return facts


def _declared() -> dict[str, dict[str, Any]]:
    """What the bank's makers meant each adapter to be."""
    nothing: dict[str, Any] = {"copy_of": None, "defect": None}
    trade = {spec.name: spec.trade for spec in EXPERTS}
    about = {spec.name: {"kind": "honest", "trade": spec.trade, **nothing} for spec in EXPERTS}
    about |= {spec.name: {"kind": "guesser", "trade": spec.trade, **nothing} for spec in GUESSERS}
    for name, original in COPIES.items():
        about[name] = {"kind": "copy", "trade": trade[original], "copy_of": original, "defect": None}
    for defect in DEFECTS:
        copy_of = defect.original if defect.kind == "exact_duplicate" else None
        about[defect.name] = {
            "kind": "defect",
            "trade": trade[defect.original],
            "copy_of": copy_of,
            "defect": defect.kind,
        }
    return about


def _measure(
    base: Path, folder: Path, trade: str, world: World, tasks: dict[str, TaskRows]
) -> dict[str, Any]:
    """Accuracies of one adapter: on its trade by part, and on every task."""
    model = load(base, folder)
    taken = {prompt for task in tasks.values() for prompt in task.prompts}
    parts = {part: accuracy(model, world, trade_questions(world, trade, part, taken)) for part in PARTS}
    return {
        "trained_words": round(sum(parts[part] for part in KNOWN_PARTS) / len(KNOWN_PARTS), 4),
        "whole_trade": round(sum(parts.values()) / len(parts), 4),
        "tasks": {name: accuracy(model, world, task_questions(tasks[name])) for name in NAMES},
    }


def load(base: Path, adapter: Path | None = None) -> Any:
    """The base in float32, with an adapter merged into it where one is given."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model.eval()


def task_facts(world: World, tasks: dict[str, TaskRows]) -> dict[str, dict[str, Any]]:
    """Which adapters help, the ceiling of each route, and the hidden columns of every row."""
    return {name: _task_facts(world, tasks[name]) for name in NAMES}


def _task_facts(world: World, task: TaskRows) -> dict[str, Any]:
    trades = sorted({trade for row in task.test for trade in row.trades})
    experts = [set(world.trades[trade].words(*KNOWN_PARTS)) for trade in trades]
    every = set().union(*experts)
    open_words = {word for trade in trades for word in world.trades[trade].words("data", "both")}
    ceilings = {}
    if trades:
        ceilings = {
            "one_right_expert": max(
                (share_known(task.test, known) for known in experts), key=lambda s: s["all"]
            ),
            "all_right_experts": share_known(task.test, every),
            "open_data": share_known(task.test, open_words),
            "experts_and_open_data": share_known(task.test, every | open_words),
        }
    return {
        "trades": trades,
        "helps": sorted(spec.name for spec in EXPERTS if spec.trade in trades),
        "ceilings": ceilings,
        "shots": [row_truth(row) for row in task.shots],
        "test": [row_truth(row) for row in task.test],
    }
