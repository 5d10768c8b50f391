"""``python -m benchmarks.explore_miniature --work DIR``: explore, choose data, train, on the miniature.

The teacher is simulated, and asked over real HTTP. Every score is of one ``kshot run``; a second call goes on
where the first stopped. Each draw has its own shots, and its own ranks of the trades in the teacher's mind.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from benchmarks.explore_miniature.pools import Filled, Shares, filled, shares, task_file
from kshot.data.task import Task
from kshot.measure.statistics import compare
from kshot.miniature import open_rows
from kshot.pipeline.run import run_task

Similarity: TypeAlias = Literal["max", "random"]
DATA = "LoRA on shots and data"
ALONE = ("zero-shot", "LoRA on the shots")
FIRST = "explored, chosen by the shots"
SHIPPED = "the shipped open data, chosen by the shots"
POOLS: Mapping[str, tuple[str, Similarity]] = {  # method of exploring (none: open data), how rows are chosen
    FIRST: ("adaptive", "max"),
    "explored, drawn at random": ("adaptive", "random"),
    "fixed 8/6, chosen by the shots": ("fixed", "max"),
    "Self-Instruct, chosen by the shots": ("self_instruct", "max"),
    SHIPPED: ("", "max"),
}
TRAINED = (FIRST, "explored, drawn at random", "Self-Instruct, chosen by the shots")


@dataclass(frozen=True, slots=True)
class Cell:
    """A pool with the shots of one draw.

    Attributes:
        task: With the pool as its open data.
        made: How the pool came about; None of the shipped one.
        told: Its shares of the right trades.
        place: For the run.
    """

    task: Task
    made: Filled | None
    told: Shares
    place: Path


def cells(name: str, draws: int, *, calls: int, bias: float, work: Path) -> dict[str, list[Cell]]:
    """All pools of a task by label, one a draw."""
    found: dict[str, list[Cell]] = {}
    for seed in range(draws):
        for number, (label, (method, similarity)) in enumerate(POOLS.items()):
            made = filled(method, calls, seed, s=bias, work=work / "pools") if method else None
            place = work / "runs" / f"{name}-{calls}-{number}-{seed}"
            rows = made.rows if made else open_rows()
            file = task_file(name, rows, place.with_suffix(".yaml"), similarity=similarity)
            task = Task.load(file, k=20, seed=seed)
            told = shares(name, task, work / "stores")
            found.setdefault(label, []).append(Cell(task, made, told, place))
    return found


def share_table(found: Mapping[str, Sequence[Cell]]) -> list[str]:
    """One line a pool: means over the draws, with the lowest and highest share."""
    lines = [
        "| open data | calls | tasks | rows | of the right trades | kept out by the guard | chosen | "
        "of the right trades |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for label, draws in found.items():
        made = [cell.made for cell in draws if cell.made]
        told = [cell.told for cell in draws]
        calls = f"{np.mean([pool.calls for pool in made]):,.0f}" if made else ""
        tasks = f"{np.mean([pool.tasks for pool in made]):,.0f}" if made else ""
        counts = [
            f"{np.mean([getattr(one, key) for one in told]):,.0f}" for key in ("pool", "guarded", "chosen")
        ]
        spreads = [_spread([getattr(one, key) for one in told]) for key in ("pool_right", "chosen_right")]
        row = [label, calls, tasks, counts[0], spreads[0], counts[1], counts[2], spreads[1]]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def score_table(found: Mapping[str, Sequence[Cell]], draws: int) -> list[str]:
    """One line a system, exact match over the first draws; comparisons are paired over the test rows."""
    scores: dict[str, list[list[float]]] = {}
    for seed in range(draws):
        for label in TRAINED:
            cell = found[label][seed]
            systems = (DATA, *ALONE) if label == FIRST else (DATA,)
            report = run_task(
                cell.task.with_systems(systems), cell.place, listener=lambda *_, **__: None
            ).report
            for system in systems:
                name = f"{DATA}: {label}" if system == DATA else system
                scores.setdefault(name, []).append([row.scores[system] for row in report.rows])
            print(
                cell.place.name,
                {name: round(100 * np.mean(s[-1]), 1) for name, s in scores.items()},
                flush=True,
            )
    first, *others = scores
    best = np.mean(scores[first], axis=0)
    lines = ["| system | exact match | the first is better by | p |", "|---|--:|--:|--:|"]
    lines.append(f"| {first} | {100 * best.mean():.1f} |  |  |")
    for name in others:
        other = np.mean(scores[name], axis=0)
        told = compare(best, other, seed=0)
        low, high = told.interval
        versus = (
            f"{100 * told.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] | {max(told.p, 1e-4):.4f}"
        )
        lines.append(f"| {name} | {100 * other.mean():.1f} | {versus} |")
    return lines


def _spread(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f} % ({100 * min(values):.1f} to {100 * max(values):.1f})"


def main() -> None:
    """Prints each table when it is complete; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explore_miniature")
    parser.add_argument("--work", type=Path, required=True, help="pools and run folders are kept here")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--draws", type=int, default=3, help="of shots and of the teacher's ranks")
    parser.add_argument("--trained", type=int, default=3, help="draws for which models are trained")
    parser.add_argument("--bias", type=float, default=1.5, help="s of the teacher's recall")
    parser.add_argument("--tasks", nargs="+", default=["single", "mixed"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines: list[str] = []
    for name in options.tasks:
        found = cells(name, options.draws, calls=options.calls, bias=options.bias, work=options.work)
        title = f"## {name}, K = 20, {options.draws} draws; miniature, simulated teacher"
        lines += ["", title, "", *share_table(found)]
        print("\n".join(lines), flush=True)
        if options.trained:
            lines += ["", f"Exact match on 400 test rows, {options.trained} draws:", ""]
            lines += score_table(found, options.trained)
            print("\n".join(lines), flush=True)
    if options.out:
        options.out.write_text("\n".join(lines).lstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
