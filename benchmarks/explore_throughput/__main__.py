"""``python -m benchmarks.explore_throughput [--calls N]``: requests in flight over places, while filling."""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kshot.methods.explore.fill import FillOptions, fill
from kshot.methods.explore.grow import GrowOptions, grow
from kshot.methods.explore.prompts import standard
from kshot.methods.explore.seams import Exploration
from kshot.methods.explore.spending import Limits
from kshot.methods.explore.tree import DomainTree
from kshot.models.endpoint import Endpoint, EndpointOptions

ONTOLOGY = "16x10x8:s=1,seed=0"
PLACES = 64
TARGET = 0.9


@dataclass
class Series:
    """What the endpoint's watch is told: times, bounds, requests in flight."""

    rows: list[tuple[float, int, int]] = field(default_factory=list)

    def __call__(self, moment: float, bound: int, in_flight: int) -> None:
        """One change."""
        self.rows.append((moment, bound, in_flight))

    def flight_seconds(self, began: float, ended: float) -> float:
        """Requests in flight, integrated over time, between two moments."""
        rows = [*self.rows, (ended, 0, 0)]
        total = 0.0
        for (moment, _, in_flight), (after, _, _) in itertools.pairwise(rows):
            total += in_flight * max(0.0, min(after, ended) - max(moment, began))
        return total


@contextmanager
def serving(latency: str) -> Iterator[str]:
    """The simulated model in a process of its own; gives its address."""
    command = [sys.executable, "-m", "kshot.models.fake", "--ontology", ONTOLOGY, "--latency", latency]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def filled(*, calls: int, places: int, latency: str, lanes: int) -> tuple[str, float]:
    """Grows a tree of 57 tasks, then fills it with so many calls; a row of the table, and seconds a call."""
    series = Series()
    found = Exploration(DomainTree.planted("everyday requests", "What people ask of an assistant."))
    prompts = standard("en")
    with tempfile.TemporaryDirectory() as folder, serving(latency) as address:
        journal = Path(folder) / "calls.sqlite"
        options = EndpointOptions(watch=series)
        with Endpoint(address, "fake", journal=journal, concurrency=places, options=options) as endpoint:
            if places > 1:
                for _ in grow(found, endpoint, prompts=prompts, options=GrowOptions(breadth=(8, 6))):
                    pass
            limits = Limits(calls=found.spent.calls + calls)
            filling = FillOptions(count=10 * calls, lanes=lanes, least_kept=0.0)
            before, processor, began = found.spent.calls, time.process_time(), time.monotonic()
            for _ in fill(found, endpoint, prompts=prompts, options=filling, limits=limits):
                pass
            ended, processor = time.monotonic(), time.process_time() - processor
    made, seconds = found.spent.calls - before, ended - began
    used = series.flight_seconds(began, ended) / (places * seconds)
    cells = [
        f"{latency} s",
        f"{places}",
        f"{lanes}",
        f"{made:,}",
        f"{len(found.rows):,}",
        f"{seconds:.1f}",
        f"{100 * used:.1f} %",
        f"{seconds / made:.4f}",
        f"{processor:.1f}",
    ]
    return "| " + " | ".join(cells) + " |", seconds / made


def main() -> None:
    """Prints the table, and the ratio of seconds a call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--serial-calls", type=int, default=100)
    parser.add_argument("--lanes", type=int, nargs="+", default=[64])
    parser.add_argument("--latency", nargs="+", default=["1", "0.5,1.5"])
    given = parser.parse_args()
    print("| latency | places | lanes | calls | rows | s | places in use | s a call | processor, s |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    fastest = float("inf")
    for latency, lanes in itertools.product(given.latency, given.lanes):
        line, seconds = filled(calls=given.calls, places=PLACES, latency=latency, lanes=lanes)
        print(line, flush=True)
        if latency == given.latency[0]:
            fastest = min(fastest, seconds)
    line, serial = filled(calls=given.serial_calls, places=1, latency=given.latency[0], lanes=1)
    print(line)
    print(f"\nstrictly serial over {PLACES} places, seconds a call: {serial / fastest:.1f} to 1")


if __name__ == "__main__":
    main()
