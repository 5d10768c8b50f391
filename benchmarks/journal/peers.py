"""What stands beside the journal: other layouts of the same file, and a JSONL file read into a dict."""

from __future__ import annotations

import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from benchmarks.journal.made_up import calls
from kshot.models.journal.keys import canonical
from kshot.models.journal.rows import packed

LAYOUTS = {
    "one table, rowid + index on the key": "CREATE TABLE t (key BLOB PRIMARY KEY, body, text)",
    "one table, WITHOUT ROWID": "CREATE TABLE t (key BLOB PRIMARY KEY, body, text) WITHOUT ROWID",
}
READS_JSONL = """
import json, re, sys, time
begin = time.perf_counter()
found = {}
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        row = json.loads(line)
        found[row["key"]] = row
seconds = time.perf_counter() - begin
# not ru_maxrss: a child begins with that of its parent
print(seconds, int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024)
"""


def timed(ask: Callable[[str], object], keys: Sequence[str]) -> str:
    """Cells in microseconds: p50 and p99 by the clock; p50, p99 and the longest of processor time."""
    by_clock, by_processor = [], []
    for key in keys:
        begin, begin_processor = time.perf_counter(), time.thread_time()
        ask(key)
        by_processor.append(time.thread_time() - begin_processor)
        by_clock.append(time.perf_counter() - begin)
    cells = [
        (by_clock, 0.5),
        (by_clock, 0.99),
        (by_processor, 0.5),
        (by_processor, 0.99),
        (by_processor, 1.0),
    ]
    return " | ".join(f"{1e6 * sorted(taken)[int(share * (len(taken) - 1))]:.0f}" for taken, share in cells)


def layout(name: str, place: Path, count: int) -> str:
    """A table row: rows a second, bytes a call, and one bare select by key."""
    path = place / "layout.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute(LAYOUTS[name])
    rows = ((bytes.fromhex(c.key), packed(canonical(c.request)), c.text) for c in calls(count))
    keys, seconds = [], 0.0
    while part := list(islice(rows, 1000)):
        keys += [key.hex() for key, _, _ in part]
        begin = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", part)
        connection.execute("COMMIT")
        seconds += time.perf_counter() - begin
    drawn = random.Random(1).sample(keys, min(10_000, len(keys)))

    def select(key: str) -> object:
        return connection.execute("SELECT body, text FROM t WHERE key = ?", [bytes.fromhex(key)]).fetchone()

    cells = timed(select, drawn)
    connection.close()
    size = path.stat().st_size / count
    path.unlink()
    return f"| {name} | {count / seconds:,.0f} | {size:,.0f} | {cells} |"


def jsonl(place: Path, count: int) -> str:
    """A table row: the start that a file of lines costs each process, and what it holds in memory."""
    path = place / "calls.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for call in calls(count):
            file.write(json.dumps(call.to_json(), ensure_ascii=False) + "\n")
    command = [sys.executable, "-c", READS_JSONL, str(path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, mebibytes = map(float, out.split())
    size = path.stat().st_size / count
    path.unlink()
    return (
        f"| JSONL read into a dict, {count:,} calls | {seconds:.1f} s | {mebibytes:,.0f} MiB | {size:,.0f} |"
    )


def fsync_us(place: Path) -> float:
    """Microseconds that the disk takes to make 4 KiB durable: the floor of one durable settle."""
    taken = []
    with (place / "fsync").open("wb") as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begin)
    return 1e6 * sorted(taken)[100]


def memory_mib() -> float:
    """The most that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
