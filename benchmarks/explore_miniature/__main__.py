"""``python -m benchmarks.explore_miniature --work DIR``: explore, choose data, train, on the miniature.

The teacher is simulated, and asked over real HTTP. Every score is of one ``kshot run``; a second call goes on
where the first stopped. Each draw has its own shots, and its own ranks of the trades in the teacher's mind.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.explore_miniature.pools import Filled, Shares, filled, shares, task_file
from kshot.data.task import Task
from kshot.measure.statistics import compare
from kshot.miniature import open_rows
from kshot.pipeline.run import run_task

DATA = "LoRA on shots and data"
ALONE = ("zero-shot", "LoRA on the shots")
POOLS = {  # name: method of exploring (None: the open data that ship), how rows are chosen
    "explored, chosen by the shots": ("adaptive", "max"),
    "explored, drawn at random": ("adaptive", "random"),
    "fixed 8/6, chosen by the shots": ("fixed", "max"),
    "Self-Instruct, chosen by the shots": ("self_instruct", "max"),
    "the shipped open data, chosen by the shots": (None, "max"),
}
FIRST = "explored, chosen by the shots"


def pool_rows(calls: int, draws: int, s: float, work: Path) -> dict[str, list[Filled | None]]:
    """Every pool of every draw."""
    made: dict[tuple[str | None, int], Filled | None] = {}
    for method, seed in {(method, seed) for method, _ in POOLS.values() for seed in range(draws)}:
        made[method, seed] = None if method is None else filled(method, calls, seed, s=s, work=work)
    return {name: [made[method, seed] for seed in range(draws)] for name, (method, _) in POOLS.items()}


def scored(task: Task, systems: Sequence[str], out: Path) -> dict[str, list[float]]:
    """Score of each test row, in order, by system."""
    report = run_task(task.with_systems(tuple(systems)), out, listener=lambda *_, **__: None).report
    return {name: [row.scores[name] for row in report.rows] for name in systems}


def table(name: str, pools: dict[str, list[Filled | None]], work: Path) -> list[str]:
    """One line a pool, and what the shots do alone; means over the draws, comparisons over test rows."""
    found: dict[str, list[list[float]]] = {}
    told: dict[str, list[Shares]] = {}
    for label, draws in pools.items():
        similarity = POOLS[label][1]
        for seed, pool in enumerate(draws):
            key = f"{name}-{list(POOLS).index(label)}-{seed}"
            file = task_file(
                name, pool.rows if pool else open_rows(), work / f"{key}.yaml", similarity=similarity
            )
            task = Task.load(file, k=20, seed=seed)
            told.setdefault(label, []).append(shares(name, task, work / "stores"))
            wanted = (DATA, *ALONE) if label == FIRST else (DATA,)
            for system, scores in scored(task, wanted, work / key).items():
                found.setdefault(label if system == DATA else system, []).append(scores)
            print(
                key, {label: round(100 * float(np.mean(s[-1])), 1) for label, s in found.items()}, flush=True
            )
    lines = [
        "| open data | calls | tasks | rows in the pool | of the right trades | chosen | "
        "of the right trades | kept out by the guard | exact match | explored is better by | p |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    best = np.mean(found[FIRST], axis=0)
    for label in (*POOLS, *ALONE):
        cells = [label, *_facts(pools.get(label, []), told.get(label, []))]
        cells.append(f"{100 * np.mean(found[label]):.1f}")
        if label == FIRST:
            cells += ["", ""]
        else:
            against = compare(best, np.mean(found[label], axis=0), seed=0)
            low, high = against.interval
            cells += [f"{100 * against.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"]
            cells += [f"{against.p:.4f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _facts(pools: Sequence[Filled | None], told: Sequence[Shares]) -> list[str]:
    if not told:
        return ["", "", "", "", "", "", ""]
    made = [pool for pool in pools if pool]
    calls = f"{np.mean([pool.calls for pool in made]):,.0f}" if made else ""
    tasks = f"{np.mean([pool.tasks for pool in made]):,.0f}" if made else ""
    right, chosen = ([getattr(one, key) for one in told] for key in ("pool_right", "chosen_right"))
    return [
        calls,
        tasks,
        f"{np.mean([one.pool for one in told]):,.0f}",
        f"{100 * np.mean(right):.1f} % ({100 * min(right):.1f} to {100 * max(right):.1f})",
        f"{np.mean([one.chosen for one in told]):,.0f}",
        f"{100 * np.mean(chosen):.1f} % ({100 * min(chosen):.1f} to {100 * max(chosen):.1f})",
        f"{np.mean([one.guarded for one in told]):,.0f}",
    ]


def main() -> None:
    """Prints each table when it is complete; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explore_miniature")
    parser.add_argument("--work", type=Path, required=True, help="pools and run folders are kept here")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--bias", type=float, default=1.5, help="s of the teacher's recall")
    parser.add_argument("--tasks", nargs="+", default=["single", "mixed"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    pools = pool_rows(options.calls, options.draws, options.bias, options.work / "pools")
    lines: list[str] = []
    for name in options.tasks:
        lines += [
            "",
            f"## {name}, K = 20, 400 test rows, {options.draws} draws; miniature, simulated teacher",
            "",
            *table(name, pools, options.work / "runs"),
        ]
        print("\n".join(lines), flush=True)
    if options.out:
        options.out.write_text("\n".join(lines).lstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
