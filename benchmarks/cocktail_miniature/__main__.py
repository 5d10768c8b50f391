"""``python -m benchmarks.cocktail_miniature --work DIR``: mixes by the shots, several draws, two sizes.

Every cell is one ``kshot run``; a second call goes on where the first stopped. Comparisons are paired over
the test rows, each row's score averaged over the draws of the shots.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from kshot.data.task import Task
from kshot.measure.statistics import compare, holm
from kshot.miniature import task_file
from kshot.pipeline.run import run_task
from kshot.report.result import RunReport

SYSTEMS = (
    "zero-shot",
    "best adapter on the shots",
    "uniform soup",
    "cocktail, temperature 5",
    "cocktail",
    "greedy soup",
    "searched soup",
)
REFERENCE = "uniform soup"


def finished(task: str, k: int, seed: int, work: Path) -> RunReport:
    """One run with all systems."""
    loaded = Task.load(task_file(task), k=k, seed=seed).with_systems(SYSTEMS)
    out = work / f"{task}-{k}-{seed}"
    report = run_task(loaded, out, listener=lambda *_, **__: None).report
    (out / "refused.json").write_text(json.dumps([[r.name, r.reason] for r in report.refused]))
    return report


def told(report: RunReport, name: str) -> dict[str, Any]:
    """Temperature, weight of the base and losses of one mix."""
    mixes = report.cocktail.mixes if report.cocktail else ()
    mix = next((mix for mix in mixes if mix.system == name), None)
    if mix is None:
        return {}
    return {"temperature": mix.temperature, "base": mix.weight_of("base"), "loss": mix.loss}


def table(reports: list[RunReport]) -> list[str]:
    """One line a system: score over draws, paired difference to the uniform soup, loss of the mix."""
    rows = {n: np.array([[row.scores[n] for row in r.rows] for r in reports]) for n in SYSTEMS}  # (D, T)
    versus = {
        name: compare(rows[name].mean(axis=0), rows[REFERENCE].mean(axis=0), seed=0)
        for name in SYSTEMS
        if name != REFERENCE
    }
    adjusted = dict(zip(versus, holm([found.p for found in versus.values()]), strict=True))
    lines = [
        "| system | exact match | lowest to highest | against the uniform soup | p (Holm) | "
        "loss on the shots | weight of the base | temperature |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name in sorted(SYSTEMS, key=lambda n: -rows[n].mean()):
        each = 100 * rows[name].mean(axis=1)
        facts = [found for report in reports if (found := told(report, name))]
        cells = [name, f"{each.mean():.1f}", f"{each.min():.1f} to {each.max():.1f}"]
        if name in versus:
            low, high = versus[name].interval
            difference = f"{100 * versus[name].difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
            cells += [difference, f"{adjusted[name]:.4f}"]
        else:
            cells += ["", ""]
        for key in ("loss", "base"):
            known = [found[key] for found in facts if found[key] is not None]
            cells.append(f"{np.mean(known):.2f}" if known else "")
        heats = [found["temperature"] for found in facts if found["temperature"] is not None]
        cells.append(", ".join(f"{heat:g}" for heat in heats))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Prints each table when it is complete; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cocktail_miniature")
    parser.add_argument("--work", type=Path, required=True, help="run folders are kept here")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--task", default="mixed")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--shots", type=int, nargs="+", default=[5, 20])
    options = parser.parse_args()
    lines: list[str] = []
    for k in options.shots:
        found = []
        for seed in range(options.draws):
            found.append(finished(options.task, k, seed, options.work))
            print(f"K = {k}, draw {seed} done", flush=True)
        rows = len(found[0].rows)
        lines += [
            "",
            f"## {options.task}, K = {k}, {rows} test rows, {options.draws} draws",
            "",
            *table(found),
        ]
        print("\n".join(lines), flush=True)
    if options.out:
        options.out.write_text("\n".join(lines).lstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
