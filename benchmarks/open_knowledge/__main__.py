"""``python -m benchmarks.open_knowledge --work DIR``: five draws of the miniature, with ablations.

Every cell is one ``kshot run``; a second call goes on where the first stopped. Mean and spread are over draws
of the shots; comparisons are paired over the test rows, each row's score averaged over the draws.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from kshot.data.task import Task
from kshot.measure.statistics import compare
from kshot.miniature import task_file, truth
from kshot.pipeline.run import run_task

PARTS = ("expert", "data", "both")
MAIN = (
    "zero-shot",
    "best adapter on the shots",
    "uniform merge",
    "few-shot weights (LoraHub-like)",
    "Arrow, untrained",
    "LoRA on the shots",
    "LoRA on shots and data",
    "best expert, tuned on shots and data",
    "mixture without rehearsal",
    "mixture",
)
REST = (
    "fresh mixture (MixLoRA-like)",
    "soft mixture (SMEAR-like)",
    "gate vectors (PHATGOOSE-like)",
    "static mixture",
    "mixture, routers alone",
    "mixture of random experts",
    "mixture of one expert copied",
    "mixture, shots alone",
    "mixture, random data",
    "mixture, repeats kept",
)


def scores(task: str, seed: int, systems: tuple[str, ...], work: Path) -> dict[str, list[float]]:
    """Score of each test row, in order, by system."""
    loaded = Task.load(task_file(task), k=20, seed=seed).with_systems(systems)
    out = work / f"{task}-{seed}-{len(systems)}"
    report = run_task(loaded, out, listener=lambda *_, **__: None).report
    (out / "seconds.json").write_text(json.dumps({s.name: s.seconds for s in report.systems}))
    return {name: [row.scores[name] for row in report.rows] for name in systems}


def table(task: str, found: list[dict[str, list[float]]]) -> list[str]:
    """One line a system: score by part, mean and range over draws, and the mixture against it."""
    rows = truth().tasks[task]["test"]
    part = np.array([row["part"] for row in rows])
    names = list(dict.fromkeys(name for draw in found for name in draw))
    by_name = {n: np.array([draw[n] for draw in found if n in draw]) for n in names}
    lines = [
        "| system | draws | all | lowest to highest | expert | data | both | the mixture is better by | p |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name in sorted(names, key=lambda n: -by_name[n].mean()):
        each = by_name[name].mean(axis=1)  # (draws,)
        cells = [f"{100 * by_name[name][:, part == p].mean():.1f}" for p in PARTS]
        versus = ""
        if name != "mixture":
            draws = len(by_name[name])
            told = compare(by_name["mixture"][:draws].mean(axis=0), by_name[name].mean(axis=0), seed=0)
            low, high = told.interval
            versus = f"{100 * told.difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] | {told.p:.4f}"
        spread = f"{100 * each.min():.1f} to {100 * each.max():.1f}"
        mean = f"{100 * each.mean():.1f}"
        lines.append(f"| {' | '.join([name, str(len(each)), mean, spread, *cells, versus or ' | '])} |")
    return lines


def main() -> None:
    """Prints each table when it is complete; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_knowledge")
    parser.add_argument("--work", type=Path, required=True, help="run folders are kept here")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--rest", type=int, default=3, help="draws of the hard task and of further systems")
    options = parser.parse_args()
    lines: list[str] = []
    for task in ("mixed", "hard"):
        draws = options.draws if task == "mixed" else options.rest
        found = [scores(task, seed, MAIN, options.work) for seed in range(draws)]
        lines += ["", f"## {task}, K = 20, 400 test rows", "", *table(task, found)]
        print("\n".join(lines), flush=True)
    found = [scores("mixed", seed, MAIN, options.work) for seed in range(options.rest)]
    more = [scores("mixed", seed, REST, options.work) for seed in range(options.rest)]
    both = [one | other for one, other in zip(found, more, strict=True)]
    lines += ["", f"## mixed, everything, {options.rest} draws", "", *table("mixed", both)]
    print("\n".join(lines), flush=True)
    if options.out:
        options.out.write_text("\n".join(lines).lstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
