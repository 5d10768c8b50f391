"""``python -m benchmarks.overlap [--data DIR] [--out FILE]``: the near-repeat filter, against its peers.

Times are processor time of one process, cutting texts into words included; the peers of a table take turns in
one run, and their kept lists must be equal to the last index. Memory is asked of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.overlap.made_up import instructions
from benchmarks.overlap.peers import by_cdist, by_loop, by_rouge_score, ours

DATA = Path(__file__).parents[3] / "shared" / "data"
SIZES = (8_000, 16_000, 32_000, 64_000)
Filter = Callable[[Sequence[str]], list[int]]


def demo(data: Path) -> list[str]:
    """The demo domain's instructions, levels in order; made-up ones where it is not at hand."""
    folder = data / "explore_demo"
    if not folder.is_dir():
        print(f"{folder} is not here: made-up instructions stand in", file=sys.stderr)
        return instructions(4433)
    meta = json.loads((folder / "tree_meta_info.json").read_text("utf-8"))
    files = [node["config_filename"] for node in (meta, *meta["children"])]
    return [
        row["instruction"]
        for file in files
        for row in json.loads((folder / file).read_text("utf-8"))["examples"]
    ]


def compared(texts: Sequence[str], peers: dict[str, Filter], rounds: dict[str, int]) -> list[str]:
    """One line a peer: seconds, and how many times as long as ours takes.

    Raises:
        SystemExit: Two of them keep other texts.
    """
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    kept: dict[str, list[int]] = {}
    for turn in range(max(rounds.values())):
        for name, peer in peers.items():
            if turn < rounds[name]:
                begun = time.process_time()
                kept[name] = peer(texts)
                seconds[name].append(time.process_time() - begun)
    first = next(iter(kept.values()))
    if any(other != first for other in kept.values()):
        raise SystemExit(f"decisions differ: { ({name: len(found) for name, found in kept.items()}) } kept")
    least = statistics.median(seconds["index (kshot)"])
    lines = [
        f"{len(texts):,} instructions, {len(first):,} kept by each.",
        "",
        "| filter | seconds | against ours |",
        "|---|--:|--:|",
    ]
    for name, taken in seconds.items():
        middle = statistics.median(taken)
        lines.append(f"| {name} | {middle:.3g} | {middle / least:,.1f} |")
    return [*lines, ""]


def alone(count: int) -> None:
    """Run in a process of its own: prints seconds, texts kept, and the most that was allocated, MiB."""
    texts = instructions(count)
    ours(texts[:100])  # imports
    begun = time.process_time()
    kept = ours(texts)
    seconds = time.process_time() - begun
    tracemalloc.start()
    ours(texts)  # once more: tracing takes time
    print(json.dumps([seconds, len(kept), tracemalloc.get_traced_memory()[1] / 1024**2]))


def grown() -> list[str]:
    """Time and memory by number of texts."""
    lines = [
        "| made-up instructions | kept | seconds | most memory | a kept text |",
        "|--:|--:|--:|--:|--:|",
    ]
    for count in SIZES:
        command = [sys.executable, "-m", "benchmarks.overlap", "--alone", str(count)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, kept, peak = json.loads(out)
        each = f"{peak * 1024 / kept:.2f} KiB"
        lines.append(f"| {count:,} | {kept:,} | {seconds:.2f} | {peak:.1f} MiB | {each} |")
    return [*lines, ""]


def main() -> None:
    """Prints each table when it is complete; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overlap")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--slow", action="store_true", help="cdist on 32,000 instructions too: minutes")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        alone(options.alone)
        return
    texts = demo(options.data)
    ours(texts[:100])  # imports
    index: dict[str, Filter] = {"index (kshot)": ours}
    quick: dict[str, Filter] = {"cdist, row by row": by_cdist, "LCSseq, a loop": by_loop}
    peers = index | quick | {"rouge_score, serial": by_rouge_score}
    rounds = dict.fromkeys(peers, 5) | {"rouge_score, serial": 1}
    lines = compared(texts[:2000], peers, rounds)
    lines += compared(texts, index | quick, rounds)
    if options.slow:
        last = index | {"cdist, row by row": by_cdist}
        lines += compared(instructions(32_000), last, dict.fromkeys(last, 1))
    lines += grown()
    text = "\n".join(lines)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
