"""The five tasks: rows for shots and test, and the files that hold them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from kshot.miniature.skills import notes_prompt
from kshot.miniature.world import (
    INSTRUCTION,
    MEANINGS,
    MIXED_TRADES,
    PARTS,
    REPEAT,
    ROW_WORDS,
    SINGLE_TRADE,
    World,
    draw_new_row,
    notes_line,
)

NAMES = ("single", "mixed", "hard", "notes", "echo")
SHOTS_COUNT = 300
TEST_COUNT = 400
NOTES_COUNT = 6

_YAML = """\
version: 1
task: {{name: {name}, type: generation, instruction: {instruction}}}
examples: {{path: {name}/shots.jsonl, k: 20, seed: 0}}
test: {name}/test.jsonl
metric: exact_match
model: {{base: ../base}}
knowledge: {{adapters: [../bank], datasets: [../open/rows.jsonl]}}
miniature: true
"""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One labelled row; its trades and part go to the truth, not to the row's file."""

    prompt: str
    answer: str
    reasoning: str | None
    trades: tuple[str, ...]
    part: str | None

    @property
    def public(self) -> dict[str, str | None]:
        """What the row's file holds."""
        return {"prompt": self.prompt, "answer": self.answer, "reasoning": self.reasoning}


@dataclass(frozen=True, slots=True)
class TaskRows:
    """A task: its instruction, the pool that shots are drawn from, and the test rows."""

    name: str
    instruction: str
    shots: tuple[TaskRow, ...]
    test: tuple[TaskRow, ...]

    @property
    def prompts(self) -> set[str]:
        """Every prompt of the task."""
        return {row.prompt for row in (*self.shots, *self.test)}


def build_tasks(world: World, seed: int) -> dict[str, TaskRows]:
    """All tasks; no prompt occurs twice, in one task or in two."""
    rng = random.Random(seed)
    taken: set[str] = set()
    mixes: dict[str, list[tuple[str, ...]]] = {
        "single": [(SINGLE_TRADE,)],
        "mixed": [(trade,) for trade in MIXED_TRADES],
        "hard": [*combinations(MIXED_TRADES, 2), MIXED_TRADES],
    }
    tasks = {}
    for name in NAMES:
        pools = []
        for count in (SHOTS_COUNT, TEST_COUNT):
            if name in mixes:
                rows = _trade_rows(world, rng, mixes[name], count, taken)
            else:
                rows = _general_rows(world, rng, name, count, taken)
            rng.shuffle(rows)
            pools.append(tuple(rows))
        instruction = REPEAT if name == "echo" else INSTRUCTION
        tasks[name] = TaskRows(name=name, instruction=instruction, shots=pools[0], test=pools[1])
    return tasks


def _trade_rows(
    world: World, rng: random.Random, mixes: Sequence[tuple[str, ...]], count: int, taken: set[str]
) -> list[TaskRow]:
    """Rows that go round all mixes and parts, as equally as the count allows."""
    cells = [(mix, part) for mix in mixes for part in PARTS]
    rows = []
    for i in range(count):
        mix, part = cells[i % len(cells)]
        row = draw_new_row(rng, [world.trades[trade] for trade in mix], part, taken)
        taken.add(row.prompt)
        rows.append(TaskRow(row.prompt, row.answer, row.reasoning, row.trades, part))
    return rows


def _general_rows(world: World, rng: random.Random, name: str, count: int, taken: set[str]) -> list[TaskRow]:
    """Rows of a task that no trade helps with."""
    rows: list[TaskRow] = []
    while len(rows) < count:
        row = _notes_row(world, rng) if name == "notes" else _echo_row(world, rng)
        if row.prompt not in taken:
            taken.add(row.prompt)
            rows.append(row)
    return rows


def _notes_row(world: World, rng: random.Random) -> TaskRow:
    """Six notes of any words with meanings of the moment, three of them asked."""
    words = rng.sample(world.invented, NOTES_COUNT)
    pairs = list(zip(words, rng.sample(MEANINGS, NOTES_COUNT), strict=True))
    asked = rng.sample(pairs, ROW_WORDS)
    lines = [notes_line(pairs[i : i + ROW_WORDS]) for i in range(0, NOTES_COUNT, ROW_WORDS)]
    prompt = notes_prompt(lines, " ".join(word for word, _ in asked))
    return TaskRow(prompt, " ".join(meaning for _, meaning in asked), notes_line(asked), (), None)


def _echo_row(world: World, rng: random.Random) -> TaskRow:
    """Three spare words to be said again."""
    text = " ".join(rng.sample(world.spare, ROW_WORDS))
    return TaskRow(text, text, None, (), None)


def write_tasks(tasks: dict[str, TaskRows], folder: Path) -> None:
    """Task files and rows: `<name>.yaml`, `<name>/shots.jsonl`, `<name>/test.jsonl`."""
    for name, task in tasks.items():
        (folder / name).mkdir(parents=True)
        yaml = _YAML.format(name=name, instruction=task.instruction)
        (folder / f"{name}.yaml").write_text(yaml, encoding="utf-8")
        write_lines(folder / name / "shots.jsonl", (row.public for row in task.shots))
        write_lines(folder / name / "test.jsonl", (row.public for row in task.test))


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def row_truth(row: TaskRow) -> dict[str, Any]:
    """The hidden columns of a row."""
    hidden = asdict(row)
    return {"trades": list(hidden["trades"]), "part": hidden["part"]}


def share_known(rows: Sequence[TaskRow], known: set[str]) -> dict[str, float]:
    """Share of rows whose words are all known, by part and over all: the ceiling of a route."""
    shares = {}
    for part in (*PARTS, "all"):
        chosen = [row for row in rows if part in ("all", row.part)]
        hits = sum(known.issuperset(row.prompt.split()) for row in chosen)
        shares[part] = round(hits / len(chosen), 4)
    return shares
