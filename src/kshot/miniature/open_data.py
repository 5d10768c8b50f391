"""Open instruction data: rows of all trades, and what makes it hard: repeats, paraphrases, junk, leaks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kshot.miniature.tasks import TaskRow, TaskRows, write_lines
from kshot.miniature.world import FILLERS, INSTRUCTION, PLAIN, Row, World, draw_new_row

ROWS_PER_PART = 168
REPEATS = 250
PARAPHRASES = 250
JUNK = 400
TEST_LEAKS = {"single": 16, "mixed": 32, "hard": 12}
SHOT_LEAKS = {"mixed": 10}

_OPPOSITES = {
    "hot": "cold", "near": "far", "new": "old", "fast": "slow", "high": "low",
    "loud": "quiet", "up": "down", "day": "night", "morning": "evening", "summer": "winter",
    "black": "white", "big": "small", "long": "short",
}  # fmt: skip
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class OpenRow:
    """One row of open data with its hidden truth; `of` is what it copies: an index here, or a task's row."""

    instruction: str
    input: str
    output: str
    kind: str
    trades: tuple[str, ...] = ()
    part: str | None = None
    of: int | str | None = None


def build_open(world: World, tasks: dict[str, TaskRows], seed: int) -> list[OpenRow]:
    """All open rows in a shuffled order; no accidental copy of a task's row."""
    rng = random.Random(seed)
    taken = {prompt for task in tasks.values() for prompt in task.prompts}
    rows, drawn = _trade_rows(world, rng, taken)
    originals = list(range(len(rows)))
    for i in rng.sample(originals, REPEATS):
        rows.append(replace(rows[i], kind="repeat", of=i))
    for i in rng.sample(originals, PARAPHRASES):
        rows.append(_paraphrase(rng, rows[i], drawn[i], taken, i))
    rows += _junk(rng, taken)
    rows += _leaks(rng, tasks)
    return _shuffled(rng, rows)


def _trade_rows(world: World, rng: random.Random, taken: set[str]) -> tuple[list[OpenRow], list[Row]]:
    """Distinct rows of every trade, of the parts that open data holds."""
    drawn = []
    for trade in world.trades.values():
        for part in ("data", "both"):
            for _ in range(ROWS_PER_PART):
                row = draw_new_row(rng, [trade], part, taken)
                taken.add(row.prompt)
                drawn.append(row)
    rows = [
        OpenRow(INSTRUCTION, row.prompt, _output(rng, row), "row", row.trades[:1], row.part) for row in drawn
    ]
    return rows, drawn


def _output(rng: random.Random, row: Row | TaskRow) -> str:
    """The answer, half the time with its reasoning on the next line."""
    return f"{row.answer}\n{row.reasoning}" if rng.random() < 0.5 else row.answer


def _paraphrase(rng: random.Random, row: OpenRow, drawn: Row, taken: set[str], index: int) -> OpenRow:
    """The same words in an order not used elsewhere, or behind a filler word."""
    orders = list(range(len(drawn.words)))
    for _ in range(12 if rng.random() < 0.5 else 0):
        rng.shuffle(orders)
        words = tuple(drawn.words[i] for i in orders)
        if " ".join(words) not in taken:
            taken.add(" ".join(words))
            other = replace(drawn, words=words, meanings=tuple(drawn.meanings[i] for i in orders))
            return replace(row, input=other.prompt, output=_output(rng, other), kind="paraphrase", of=index)
    filled = f"{rng.choice(FILLERS)} {drawn.prompt}"
    return replace(row, input=filled, kind="paraphrase", of=index)


def _junk(rng: random.Random, taken: set[str]) -> list[OpenRow]:
    """Other tasks and meaningless rows, each input once."""
    rows: list[OpenRow] = []
    while len(rows) < JUNK:
        row = rng.choice((_sum, _opposite, _salad, _empty_talk))(rng)
        if row.input not in taken:
            taken.add(row.input)
            rows.append(row)
    return rows


def _sum(rng: random.Random) -> OpenRow:
    numbers = rng.choices(range(1, 6), k=2) if rng.random() < 0.5 else rng.choices(range(1, 4), k=3)
    said = " and ".join(_NUMBERS[number - 1] for number in numbers)
    return OpenRow("add the numbers", said, _NUMBERS[sum(numbers) - 1], "junk")


def _opposite(rng: random.Random) -> OpenRow:
    words = rng.sample(sorted(_OPPOSITES), 2)
    return OpenRow(
        "name the opposite", " and ".join(words), " and ".join(_OPPOSITES[w] for w in words), "junk"
    )


def _salad(rng: random.Random) -> OpenRow:
    asked, said = rng.choices(PLAIN, k=3), rng.choices(PLAIN, k=3)
    return OpenRow(INSTRUCTION, " ".join(asked), " ".join(said), "junk")


def _empty_talk(rng: random.Random) -> OpenRow:
    asked, said = rng.choices(PLAIN, k=rng.randint(4, 8)), rng.choices(PLAIN, k=rng.randint(4, 8))
    return OpenRow("answer the question", " ".join(asked), " ".join(said), "junk")


def _leaks(rng: random.Random, tasks: dict[str, TaskRows]) -> list[OpenRow]:
    """Planted copies of test rows and shots: two of three exact, the rest behind a filler word."""
    rows = []
    for pool, counts in (("test", TEST_LEAKS), ("shots", SHOT_LEAKS)):
        for name, count in counts.items():
            source: Sequence[TaskRow] = getattr(tasks[name], pool)
            for n, i in enumerate(rng.sample(range(len(source)), count)):
                row = source[i]
                asked = row.prompt if n % 3 else f"{rng.choice(FILLERS)} {row.prompt}"
                trades = tuple(dict.fromkeys(row.trades))
                of = f"{name}/{pool}:{i}"
                rows.append(OpenRow(INSTRUCTION, asked, _output(rng, row), "leak", trades, row.part, of))
    return rows


def _shuffled(rng: random.Random, rows: Sequence[OpenRow]) -> list[OpenRow]:
    """A new order; references by index follow their rows."""
    order = list(range(len(rows)))
    rng.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    return [replace(rows[i], of=place[of]) if isinstance(of := rows[i].of, int) else rows[i] for i in order]


def row_id(index: int) -> str:
    """The public id of the row at this place, from 0."""
    return f"open-{index:05d}"


def write_open(rows: Sequence[OpenRow], data: Path, truth: Path) -> None:
    """The public file, and the hidden columns by id in another."""
    write_lines(
        data,
        (
            {"id": row_id(i), "instruction": r.instruction, "input": r.input, "output": r.output}
            for i, r in enumerate(rows)
        ),
    )
    write_lines(truth, (_hidden(i, row) for i, row in enumerate(rows)))


def _hidden(index: int, row: OpenRow) -> dict[str, Any]:
    of = row_id(row.of) if isinstance(row.of, int) else row.of
    return {"id": row_id(index), "kind": row.kind, "trades": list(row.trades), "part": row.part, "of": of}
