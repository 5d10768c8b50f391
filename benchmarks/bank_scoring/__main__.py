"""``python -m benchmarks.bank_scoring [--quick] [--out FILE]``: every way side by side, chunk by chunk."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bank_scoring.memory import memory_table
from benchmarks.bank_scoring.peers import (
    GROUP,
    Ask,
    adapter_names,
    all_loaded,
    base_alone,
    grouped,
    one_by_one,
    set_adapter,
)
from benchmarks.bank_scoring.world import save_bank, save_base, shots
from kshot.models.hf import HfModel

PARTS = {"losses": (True, False), "replies": (False, True), "both": (True, True)}


@dataclass(frozen=True, slots=True)
class Cell:
    """One base and one kind of rows; width 0 is the miniature's base."""

    name: str
    width: int = 0
    layers: int = 0
    experts: int = 32
    rows: int = 50
    prompt: int = 4
    reply: int = 16
    every: bool = True
    parts: tuple[str, ...] = tuple(PARTS)


CELLS = (
    Cell("miniature base (3 x 128), short prompts"),
    Cell("miniature base (3 x 128), long prompts", prompt=60),
    Cell("Llama 4 x 512, 20 experts", 512, 4, experts=20, prompt=24),
    Cell("Llama 4 x 512, 20 experts on q and v", 512, 4, experts=20, prompt=24, every=False, parts=("both",)),
    Cell("Llama 8 x 1024, 20 experts, 8 shots", 1024, 8, experts=20, rows=8, prompt=24, parts=("both",)),
)
QUICK = tuple(Cell(cell.name, cell.width, cell.layers, 12, 8, cell.prompt) for cell in CELLS[:3])
OTHERS = ("PEFT set_adapter", "PEFT adapter_names", "base alone", "kshot, one by one")


def ways(cell: Cell, place: Path) -> dict[str, Ask]:
    """Every way over the same adapters and rows."""
    folder = save_base(place / "base", width=cell.width, layers=cell.layers)
    base, second = HfModel.load(folder, device="cpu"), HfModel.load(folder, device="cpu")
    bank = save_bank(base, place / "bank", count=cell.experts, every=cell.every)
    asked = shots(cell.rows, prompt=cell.prompt, answer=12, reply=cell.reply)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = all_loaded(second, bank)
    return {
        "kshot, groups": grouped(base, bank, asked),
        "PEFT set_adapter": set_adapter(loaded, second, asked),
        "PEFT adapter_names": adapter_names(loaded, second, asked),
        "base alone": base_alone(base, asked),
        "kshot, one by one": one_by_one(base, bank, asked),
    }


def seconds(found: dict[str, Ask], which: Sequence[int], part: str, turn: int) -> dict[str, float]:
    """CPU time of each way on the same experts; who begins changes from chunk to chunk."""
    names = list(found)
    names = names[turn % len(names) :] + names[: turn % len(names)]
    times = {}
    for name in names:
        began = time.process_time()
        found[name](which, *PARTS[part])
        times[name] = time.process_time() - began
    return times


def measured(cell: Cell) -> list[str]:
    """The rows of the table for one cell; the first chunk warms up and is left out."""
    lines = []
    with tempfile.TemporaryDirectory() as place:
        found = ways(cell, Path(place))
        check(found, range(GROUP))
        chunks = [range(at, at + GROUP) for at in range(0, cell.experts, GROUP)]
        for part in cell.parts:
            seconds(found, chunks[0], part, 0)
            times = [seconds(found, which, part, turn) for turn, which in enumerate(chunks)]
            ours = [line["kshot, groups"] for line in times]
            shown = [shown_ratio([line[name] for line in times], ours) for name in OTHERS]
            lines.append(f"| {cell.name} | {part} | {sum(ours):.1f} s | {' | '.join(shown)} |")
            print(lines[-1], flush=True)
    return lines


def shown_ratio(theirs: Sequence[float], ours: Sequence[float]) -> str:
    """Median and range of their time over ours."""
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def check(found: dict[str, Ask], which: Sequence[int]) -> None:
    """Every way but the base gives the same losses and replies."""
    ours: Any = found["kshot, groups"](which, True, True)
    theirs: Any = found["PEFT set_adapter"](which, True, True)
    mixed: Any = found["PEFT adapter_names"](which, True, False)
    same, count = 0, 0
    for one, other, third in zip(ours, theirs, mixed, strict=True):
        for a, b, c in zip(one[0], other[0], third[0], strict=True):
            np.testing.assert_allclose(a.nats, b.nats, atol=1e-4, rtol=1e-5)
            np.testing.assert_allclose(a.nats, c, atol=1e-4, rtol=1e-5)
        same += sum(a.text == b.text for a, b in zip(one[1], other[1], strict=True))
        count += len(one[1])
    print(f"losses agree within 1e-4; {same} of {count} replies are the same", flush=True)


def main() -> None:
    """Prints the tables as they grow; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bank_scoring")
    parser.add_argument("--quick", action="store_true", help="a few minutes, smaller cells")
    parser.add_argument("--only", default="", help="cells whose name has this in it; none: memory alone")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)  # CPU time tells nothing where threads wait for one another
    head = f"| base and rows | asked | kshot, groups | {' | '.join(OTHERS)} |"
    lines = [head, "|---|---|--:|" + "--:|" * len(OTHERS)]
    for cell in QUICK if options.quick else CELLS:
        if options.only in cell.name:
            lines += measured(cell)
    if options.only in ("", "none"):
        lines += ["", *memory_table(quick=options.quick)]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
