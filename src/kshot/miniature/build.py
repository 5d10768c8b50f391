"""Rebuilds the miniature: `python -m kshot.miniature.build --out DIR`. Stages that are done are skipped.

The same seed gives the same rows, tasks and truth of rows; weights may differ by machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kshot.miniature import HASH_FILE, content_hash
from kshot.miniature.open_data import build_open, write_open
from kshot.miniature.tasks import TaskRows, build_tasks, write_tasks
from kshot.miniature.world import PARTS, SEED, World, build_world

WORKERS = 2


def main() -> None:
    """Parse, build, and print the content hash."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    parser = argparse.ArgumentParser(prog="python -m kshot.miniature.build", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to build in; what is there is kept")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    build(options.out, options.seed)


def build(out: Path, seed: int = SEED) -> str:
    """All stages in order; the content hash, also written to its file."""
    started = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - started:7.0f} s  {text}", flush=True)

    out.mkdir(parents=True, exist_ok=True)
    world = build_world(seed)
    tasks = build_tasks(world, seed)
    build_rows(out, world, tasks, seed)
    tell("rows are there")
    build_base(out, world, seed, tell)
    tell("base is there")
    build_bank(out, world, seed, tell)
    tell("bank is there")
    build_facts(out, world, tasks, tell)
    (out / HASH_FILE).write_text(content_hash(out) + "\n", encoding="utf-8")
    tell(f"done: {content_hash(out)}")
    return content_hash(out)


def build_rows(out: Path, world: World, tasks: dict[str, TaskRows], seed: int) -> None:
    """Tasks, open data, and the truth about words and open rows; quick, so always written anew."""
    for name in ("tasks", "open"):
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).mkdir()
    (out / "truth").mkdir(exist_ok=True)
    write_tasks(tasks, out / "tasks")
    write_open(build_open(world, tasks, seed), out / "open" / "rows.jsonl", out / "truth" / "rows.jsonl")
    trades = {
        trade.name: {
            word: {"part": part, "meaning": trade.meaning[word]}
            for part in PARTS
            for word in trade.parts[part]
        }
        for trade in world.trades.values()
    }
    write_json(out / "truth" / "trades.json", trades)


def build_base(out: Path, world: World, seed: int, tell: Callable[[str], None]) -> None:
    """The base model, unless it is there."""
    if not (out / "base").exists():
        from kshot.miniature.base import train_base

        train_base(world, out / "base", seed, tell)


def build_bank(out: Path, world: World, seed: int, tell: Callable[[str], None]) -> None:
    """Experts and guessers in two processes, then copies and defects; each unless it is there."""
    from kshot.miniature.bank import COPIES, EXPERTS, GUESSERS, write_copy
    from kshot.miniature.defects import DEFECTS, plant

    bank = out / "bank"
    bank.mkdir(exist_ok=True)
    missing = [spec for spec in (*EXPERTS, *GUESSERS) if not (bank / spec.name).exists()]
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        for told in pool.imap_unordered(_build_expert, [(out, spec, seed) for spec in missing]):
            tell(told)
        pool.close()
        pool.join()
    for name, original in COPIES.items():
        if not (bank / name).exists():
            write_copy(bank, name, original, seed)
    for defect in DEFECTS:
        if not (bank / defect.name).exists():
            plant(bank, defect)


def _build_expert(job: tuple[Path, Any, int]) -> str:
    """One adapter on one thread, in a process of its own."""
    import torch
    from transformers.utils import logging

    from kshot.miniature.bank import train_expert

    logging.disable_progress_bar()
    out, spec, seed = job
    torch.set_num_threads(1)
    losses = train_expert(build_world(seed), spec, out / "base", out / "bank" / spec.name, seed)
    return f"bank: {spec.name}, last loss {sum(losses[-20:]) / 20:.3f}"


def build_facts(out: Path, world: World, tasks: dict[str, TaskRows], tell: Callable[[str], None]) -> None:
    """Measured accuracies and counted ceilings, always anew."""
    from kshot.miniature.facts import adapter_facts, base_facts, load, task_facts

    folder = out / "truth"
    write_json(folder / "tasks.json", task_facts(world, tasks))
    skills = base_facts(load(out / "base"), world, tasks)
    tell(f"facts: base {json.dumps(skills)}")
    write_json(folder / "base.json", skills)
    write_json(folder / "adapters.json", adapter_facts(out / "base", out / "bank", world, tasks, tell))


def write_json(path: Path, value: Any) -> None:
    """One JSON document, lines as short as reading needs."""
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
