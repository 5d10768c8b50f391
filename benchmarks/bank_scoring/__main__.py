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
    answer: int = 12
    reply: int = 16
    every: bool = True


CELLS = (
    Cell("miniature base (3 x 128), short rows"),
    Cell("miniature base (3 x 128), long rows", prompt=60),
    Cell("Llama 4 x 512, short rows", width=512, layers=4),
    Cell("Llama 4 x 512, long rows", width=512, layers=4, prompt=60),
    Cell("Llama 4 x 512, long rows, q and v only", width=512, layers=4, prompt=60, every=False),
    Cell("Llama 8 x 1024, 16 long rows", width=1024, layers=8, prompt=60, rows=16, experts=20),
)
QUICK = tuple(Cell(cell.name, cell.width, cell.layers, 12, 8, cell.prompt) for cell in CELLS[:3])


def ways(cell: Cell, place: Path) -> dict[str, Ask]:
    """Every way over the same adapters and rows."""
    folder = save_base(place / "base", width=cell.width, layers=cell.layers)
    base, second = HfModel.load(folder, device="cpu"), HfModel.load(folder, device="cpu")
    bank = save_bank(base, place / "bank", count=cell.experts, every=cell.every)
    asked = shots(cell.rows, prompt=cell.prompt, answer=cell.answer, reply=cell.reply)
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
        for part in PARTS:
            seconds(found, chunks[0], part, 0)
            times = [seconds(found, which, part, turn) for turn, which in enumerate(chunks)]
            ratios = {
                name: [line[name] / line["kshot, groups"] for line in times]
                for name in found
                if name != "kshot, groups"
            }
            ours = sum(line["kshot, groups"] for line in times)
            shown = [
                f"{statistics.median(each):.2f} ({min(each):.2f}-{max(each):.2f})" for each in ratios.values()
            ]
            lines.append(f"| {cell.name} | {part} | {ours:.1f} s | {' | '.join(shown)} |")
            print(lines[-1], flush=True)
    return lines


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
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    others = ("set_adapter", "adapter_names", "base alone", "one by one")
    lines = [
        f"| base and rows | asked | groups | {' | '.join(others)} |",
        "|---|---|--:|" + "--:|" * len(others),
    ]
    for cell in QUICK if options.quick else CELLS:
        lines += measured(cell)
    lines += ["", *memory_table(quick=options.quick)]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
