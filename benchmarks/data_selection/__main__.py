"""``python -m benchmarks.data_selection [--rows N] [--rounds R] [--out FILE]``: choosing data, timed.

Peers take turns round by round, since other processes may share the cores; ratios are taken within a round,
and their median is told.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data_selection.right_rows import right_rows
from kshot.measure.similarity import drop_near_duplicates
from kshot.methods.select_data import rank_pool, select_data
from kshot.models.embed.rows import floats

WIDTH = 384
SHOTS = 50
BLOCK = 8192
CANDIDATES = 50_000
CDIST_ROWS = (1000, 2000, 5000)

Rows = NDArray[np.float16]


def write_rows(path: Path, count: int) -> Rows:
    """Unit rows around 2,000 centres, as texts of 2,000 topics lie; half precision."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2000, WIDTH)).astype(np.float32)
    rows = np.memmap(path, dtype=np.float16, mode="w+", shape=(count, WIDTH))
    for at in range(0, count, BLOCK):
        size = min(BLOCK, count - at)
        spread = rng.normal(size=(size, WIDTH)).astype(np.float32) * rng.uniform(0.2, 1.5, (size, 1))
        some = centres[rng.integers(0, len(centres), size)] + spread
        rows[at : at + size] = some / np.linalg.norm(some, axis=1, keepdims=True)
    rows.flush()
    os.sync()
    return np.memmap(path, dtype=np.float16, mode="r", shape=(count, WIDTH))


def bare_product(
    shots: NDArray[np.float32], rows: Rows, read: Callable[[Rows], NDArray[np.float32]]
) -> float:
    """All products, a block at a time, kept nowhere."""
    largest = -1.0
    for at in range(0, len(rows), BLOCK):
        largest = max(largest, float((read(rows[at : at + BLOCK]) @ shots.T)[0, 0]))
    return largest


def cold_read(path: Path) -> None:
    """Every byte once, with none of them in memory before."""
    forget(path)
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 22):
            pass


def forget(path: Path) -> None:
    """Takes the file out of the system's cache."""
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


def rounds_of(peers: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each peer in each round."""
    found: dict[str, list[float]] = {name: [] for name in peers}
    for number in range(rounds):
        for name, run in peers.items():
            begun = time.perf_counter()
            run()
            found[name].append(time.perf_counter() - begun)
        print(
            number, {name: round(times[-1], 2) for name, times in found.items()}, file=sys.stderr, flush=True
        )
    return found


def selection_table(path: Path, rows: Rows, rounds: int) -> list[str]:
    """Each way of choosing, in seconds and against the bare product."""
    shots = np.asarray(rows[:: len(rows) // SHOTS][:SHOTS], dtype=np.float32)

    def cold() -> None:
        forget(path)
        select_data(shots, rows)

    bare, quick = "bare product, `astype(float32)`", "bare product, rows read by `floats`"
    peers: dict[str, Callable[[], object]] = {
        bare: lambda: bare_product(shots, rows, lambda some: some.astype(np.float32)),
        quick: lambda: bare_product(shots, rows, floats),
        "`select_data`: max, near-duplicates dropped": lambda: select_data(shots, rows),
        "`rank_pool` max": lambda: rank_pool(shots, rows, count=1000),
        "`rank_pool` mean": lambda: rank_pool(shots, rows, similarity="mean", count=1000),
        "`rank_pool` round_robin": lambda: rank_pool(shots, rows, similarity="round_robin", count=1000),
        "`rank_pool` kde": lambda: rank_pool(shots, rows, similarity="kde", count=1000),
        "one cold read of the file": lambda: cold_read(path),
        "`select_data`, file cold": cold,
    }
    rounds_of({name: run for name, run in peers.items() if "cold" not in name}, 1)  # warm
    found = {name: np.array(times) for name, times in rounds_of(peers, rounds).items()}
    lines = ["| what | seconds | against the bare product | against it with `floats` | against a cold read |"]
    lines.append("|---|--:|--:|--:|--:|")
    for name, times in found.items():
        against = [times / found[peer] for peer in (bare, quick, "one cold read of the file")]
        cells = " | ".join(
            f"{np.median(ratio):.2f} ({ratio.min():.2f}-{ratio.max():.2f})" for ratio in against
        )
        lines.append(f"| {name} | {np.median(times):.2f} | {cells} |")
    return lines


def duplicates_alone(path: Path, count: int) -> None:
    """Run in a process of its own: prints seconds, rows kept and the peak of memory."""
    rows = np.memmap(path, dtype=np.float16, mode="r").reshape(-1, WIDTH)[:count]
    before = peak_memory()
    begun = time.perf_counter()
    kept = drop_near_duplicates(rows)
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "kept": len(kept), "before_mb": before, "peak_mb": peak_memory()}))


def peak_memory() -> float:
    """Most megabytes that this process has held, mapped files included.

    Not of ``resource``: there the peak of the process that started this one counts, too.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def duplicates_table(path: Path, rows: Rows, rounds: int) -> list[str]:
    """Near-duplicate removal in a process of its own, and against scipy's matrix of distances."""
    from scipy.spatial.distance import cdist

    command = [sys.executable, "-m", "benchmarks.data_selection", "--duplicates", str(path)]
    told = []
    for _ in range(rounds):
        done = subprocess.run([*command, str(CANDIDATES)], check=True, capture_output=True, text=True)
        told.append(json.loads(done.stdout))
    seconds = np.median([found["seconds"] for found in told])
    peak = max(found["peak_mb"] for found in told)
    lines = [
        f"{CANDIDATES:,} candidates: {seconds:.1f} s (median of {rounds}), {told[0]['kept']:,} kept, peak of "
        f"the process {peak:.0f} MB ({told[0]['before_mb']:.0f} MB before).",
        "",
        "| candidates | `drop_near_duplicates`, s | `cdist` alone, s | ratio | its matrix |",
        "|--:|--:|--:|--:|--:|",
    ]
    for count in CDIST_ROWS:
        some = rows[:count]
        doubles = some.astype(np.float64)

        def ours(some: Rows = some) -> object:
            return drop_near_duplicates(some)

        def theirs(doubles: NDArray[np.float64] = doubles) -> object:
            return cdist(doubles, doubles, "cosine") < 0.1

        found = rounds_of({"ours": ours, "cdist": theirs}, rounds)
        mine, others = np.array(found["ours"]), np.array(found["cdist"])
        size = f"{count * count * 8 / 1e6:,.0f} MB"
        ratio = np.median(mine / others)
        lines.append(
            f"| {count:,} | {np.median(mine):.3f} | {np.median(others):.3f} | {ratio:.3f} | {size} |"
        )
    return lines


def main() -> None:
    """Prints the tables; writes them to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_selection")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--duplicates", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.duplicates:
        duplicates_alone(Path(options.duplicates[0]), int(options.duplicates[1]))
        return
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "vectors.f16"
        rows = write_rows(path, options.rows)
        parts = [
            [f"## {options.rows:,} x {WIDTH} rows, {SHOTS} shots", ""],
            selection_table(path, rows, options.rounds),
            ["", "## Near-duplicates", ""],
            duplicates_table(path, rows, options.rounds),
            ["", "## The right rows", ""],
            right_rows(),
        ]
    text = "\n".join(line for part in parts for line in part) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
