"""``python -m benchmarks.elastic [--trades brewer mason ...] [--seeds 0 1] [--rate 8e-5] [--out FILE]``.

The base of the miniature is fine-tuned in full on made rows of one trade and mixed back with alpha ``auto``.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kshot import miniature
from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.data.template import Template
from kshot.miniature.world import INSTRUCTION, PARTS, REPEAT, build_world, draw_new_row
from kshot.pipeline.elastic import ElasticJob, elastic

TRADES = ("brewer", "dyer", "mason", "potter", "smith")  # weaver was used to settle rows, epochs and rate
GENERAL = {"echo": REPEAT, "notes": INSTRUCTION}
TEST_ROWS, GENERAL_TEST_ROWS = 300, 200


def silent(event: str, **fields: Any) -> None:
    """Nobody listens."""


def trade_rows(trade: str, count: int, seed: int) -> tuple[list[Example], list[Example]]:
    """Rows to learn from and fresh rows of the same words to be judged by; no prompt occurs twice."""
    world, rng, taken = build_world(), random.Random(seed), set[str]()
    rows = []
    for at in range(count + TEST_ROWS):
        row = draw_new_row(rng, [world.trades[trade]], PARTS[at % len(PARTS)], taken)
        taken.add(row.prompt)
        rows.append(Example(row.prompt, row.answer))
    return rows[:count], rows[count:]


def general_rows(skills: Sequence[str], part: str, each: int) -> list[Example]:
    """Rows of what the base can do, each skill with its own instruction."""
    found = []
    for name in skills:
        instruction = GENERAL[name]
        rows = read_examples(miniature.data_folder() / "tasks" / name / f"{part}.jsonl").examples[:each]
        found += [replace(row, system=instruction, reasoning=None) for row in rows]
    return found


def run(trade: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One fine-tuning with alpha chosen by held-back rows, judged on fresh ones."""
    rows, test = trade_rows(trade, options.rows, seed)
    template = Template(instruction=INSTRUCTION)
    settings = {"epochs": options.epochs, "seed": seed, "batch_size": options.batch}
    if options.rate is not None:
        settings["learning_rate"] = options.rate
    with tempfile.TemporaryDirectory() as place:
        job = ElasticJob(
            str(miniature.base_folder()), rows, template, keep_general="auto", settings=settings,
            general=general_rows(options.skills, "shots", options.general), test=test,
            general_test=general_rows(options.skills, "test", GENERAL_TEST_ROWS), method=options.method,
            alphas=tuple(at / options.steps for at in range(options.steps + 1)), held_back=options.held_back,
        )  # fmt: skip
        return told(trade, seed, elastic(job, Path(place) / "mix", listener=silent).facts)


def told(trade: str, seed: int, facts: Any) -> dict[str, Any]:
    """What is reported of one run."""
    sets = {scored["rows"]: scored for scored in facts["scores"]}
    return {
        "trade": trade,
        "seed": seed,
        "alpha": facts["alpha"],
        "steps": facts["training"]["steps"],
        "target": {name: found["value"] for name, found in sets["test"]["models"].items()},
        "general": {name: found["value"] for name, found in sets["general test"]["models"].items()},
        "kept": sets["test"]["kept_gain"],
        "recovered": sets["general test"]["recovered_loss"],
        "curve": [
            {key: row[key] for key in ("alpha", "target", "general")} for row in facts["sweep"]["rows"]
        ],
    }


HEAD = [
    "| trade | seed | alpha | trade: base / tuned / mixed | kept of the gain | "
    "general: base / tuned / mixed | given back of the loss |",
    "|---|--:|--:|---|---|---|---|",
]


def line(found: dict[str, Any]) -> str:
    """A run as a row of the table."""
    models = ("base", "fine-tuned", "mixed")
    target, general = (
        " / ".join(f"{found[side][name]:.3f}" for name in models) for side in ("target", "general")
    )
    return (
        f"| {found['trade']} | {found['seed']} | {found['alpha']:g} | {target} | {share(found['kept'])} | "
        f"{general} | {share(found['recovered'])} |"
    )


def share(found: dict[str, Any]) -> str:
    """A share with its interval."""
    if found["share"] is None:
        return "nothing changed"
    if found["interval"] is None:
        return f"{found['share']:.1%}"
    low, high = found["interval"]
    return f"{found['share']:.1%} [{low:.1%}, {high:.1%}]"


def means(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Means over runs, runs drawn again with replacement for the intervals; and the mean curve."""
    lines = []
    for key in ("kept", "recovered"):
        values = np.array([found[key]["share"] for found in runs if found[key]["share"] is not None])
        if len(values):
            drawn = np.random.default_rng(0).integers(0, len(values), size=(10_000, len(values)))
            low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
            lines.append(f"{key}: mean {values.mean():.1%} [{low:.1%}, {high:.1%}], {len(values)} runs")
    lines += ["", "| alpha | trade, held-back rows | general rows |", "|--:|--:|--:|"]
    for points in zip(*(found["curve"] for found in runs), strict=True):
        target, general = (np.mean([point[name] for point in points]) for name in ("target", "general"))
        lines.append(f"| {points[0]['alpha']:g} | {target:.3f} | {general:.3f} |")
    return lines


def main() -> None:
    """Prints a row a run, then the means; writes everything to --out as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elastic")
    parser.add_argument("--trades", nargs="+", default=list(TRADES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--skills", nargs="+", choices=GENERAL, default=list(GENERAL))
    parser.add_argument("--held-back", type=float, default=0.1)
    parser.add_argument("--general", type=int, default=100, help="rows of each general skill to choose by")
    parser.add_argument("--epochs", type=float, default=10)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, help="learning rate; default: the product's")
    parser.add_argument("--steps", type=int, default=20, help="of the grid of alphas")
    parser.add_argument("--method", choices=("full", "lora"), default="full")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    print("\n".join(HEAD), flush=True)
    runs = []
    for trade in options.trades:
        for seed in options.seeds:
            runs.append(run(trade, seed, options))
            print(line(runs[-1]), flush=True)
    print("\n" + "\n".join(means(runs)))
    if options.out:
        options.out.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
