"""``python -m benchmarks.journal [--calls N] [--work DIR] [--out FILE]``: a journal of a million calls."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from itertools import islice
from pathlib import Path

from benchmarks.journal.made_up import calls
from benchmarks.journal.peers import LAYOUTS, fsync_us, jsonl, layout, memory_mib, timed
from kshot.models.journal import Journal, request_key

ASKED = 20_000
TIMES = "clock p50 | p99 | processor p50 | p99 | longest"


def fill(path: Path, count: int, lines: list[str]) -> list[str]:
    """Settles all calls; rates by the size of a batch. Gives the keys."""
    keys: list[str] = []
    stream = calls(count)
    with Journal(path) as journal:
        for batch, parts in ((1, 1_000), (32, 100), (1_000, count)):
            seconds, processor, settled = 0.0, 0.0, 0
            while settled < batch * parts and (part := list(islice(stream, batch))):
                keys += [call.key for call in part]
                begin, begin_processor = time.perf_counter(), time.thread_time()
                journal.settle_many(part)
                seconds += time.perf_counter() - begin
                processor += time.thread_time() - begin_processor
                settled += len(part)
            lines.append(
                f"| settle, {batch} a transaction | {settled / seconds:,.0f} calls a second | "
                f"{1e6 * processor / settled:,.0f} µs |"
            )
            print(lines[-1], flush=True)
    return keys


def look(path: Path, keys: list[str], lines: list[str]) -> None:
    """Latency of what a run asks, in a journal opened anew."""
    drawn = random.Random(1).sample(keys, min(ASKED, len(keys)))
    absent = [request_key({"absent": number}) for number in range(len(drawn))]
    with Journal(path) as journal, Journal(path, mode="refresh") as fresh:
        for name, ask, asked in (
            ("find, there", journal.find, drawn),
            ("find, absent", journal.find, absent),
            ("claim, absent", lambda key: journal.claim([key]), absent[:2_000]),
            ("release", lambda key: journal.release([key]), absent[:2_000]),
            ("claim, answered", lambda key: journal.claim([key]), drawn[:2_000]),
            ("find, in refresh", fresh.find, drawn[:2_000]),
        ):
            lines.append(f"| {name} | {timed(ask, asked)} |")
            print(lines[-1], flush=True)
        held = journal._file.reading()  # type: ignore[union-attr]
        with held as bare:
            ids = random.Random(2).sample(range(1, len(keys) + 1), len(drawn))
            cells = timed(
                lambda row: bare.execute("SELECT text FROM calls WHERE id = ?", [int(row)]).fetchone(),
                [str(number) for number in ids],
            )
        lines.append(f"| bare `SELECT` of one row by its number | {cells} |")
        print(lines[-1], flush=True)


def whole(path: Path, keys: list[str], lines: list[str]) -> None:
    """What goes over many calls."""
    drawn = random.Random(3).sample(keys, min(100_000, len(keys)))
    with Journal(path) as journal:
        for name, work in (
            (f"find_many of {len(drawn):,}", lambda: journal.find_many(drawn)),
            ("the last 20", lambda: list(journal.calls(limit=-20))),
            ("calls by the first digits of a key", lambda: journal.matching(keys[7][:12])),
            ("usage by step", journal.usage),
            ("100,000 calls in order", lambda: list(journal.calls(limit=100_000))),
            (f"clear {len(drawn) // 10:,} by key", lambda: journal.clear(keys=drawn[: len(drawn) // 10])),
        ):
            begin, begin_processor = time.perf_counter(), time.thread_time()
            work()
            taken = time.perf_counter() - begin, time.thread_time() - begin_processor
            lines.append(f"| {name} | {taken[0]:,.3g} s | {taken[1]:,.3g} s |")
            print(lines[-1], flush=True)


def main() -> None:
    """Prints the tables as they grow; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journal")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--peers", type=int, default=200_000, help="calls of the peers")
    parser.add_argument("--work", type=Path, help="a folder on the disk to measure; default: a temporary one")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as place:
        path = Path(place) / "calls.sqlite"
        lines = ["| settling | by the clock | processor, a call |", "|---|--:|--:|"]
        keys = fill(path, options.calls, lines)
        size = path.stat().st_size
        lines.append(
            f"| file of {len(keys):,} calls | {size / 1e6:,.0f} MB, {size / len(keys):,.0f} bytes a call | |"
        )
        lines.append(f"| this disk's fdatasync of 4 KiB, p50 | {fsync_us(Path(place)):,.0f} µs | |")
        lines += ["", f"| µs | {TIMES} |", "|---|--:|--:|--:|--:|--:|"]
        look(path, keys, lines)
        lines += ["", "| over all | by the clock | processor |", "|---|--:|--:|"]
        whole(path, keys, lines)
        lines.append(f"| most memory of this process, keys of all calls in it | {memory_mib():,.0f} MiB | |")
        path.unlink()
        lines += [
            "",
            f"| layout, {options.peers:,} calls; µs | rows a second | bytes a call | {TIMES} |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for name in LAYOUTS:
            lines.append(layout(name, Path(place), options.peers))
        lines += ["", "| a file of lines | start | memory | bytes a call |", "|---|--:|--:|--:|"]
        lines.append(jsonl(Path(place), options.peers))
    text = "\n".join(lines) + "\n"
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
