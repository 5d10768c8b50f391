"""``python -m benchmarks.cocktail_engine [--peers PYTHON] [--only PART] [--work DIR] ...``.

The parts are parity, operations and resources. The whole takes about 40 GB of disk and an hour.
``--work /dev/shm`` measures on a memory disk; ``--sizes 1`` leaves the models of four times the layers out.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.cocktail_engine.large_models import Shape
from benchmarks.cocktail_engine.parity import HEAD, OPERATION_HEAD, operation_rows, parity_rows
from benchmarks.cocktail_engine.peers import Peers
from benchmarks.cocktail_engine.resources import HEAD as RESOURCE_HEAD
from benchmarks.cocktail_engine.resources import Case, machine, models_of, resource_rows, resumed
from benchmarks.cocktail_engine.tiny_models import KINDS


def main() -> None:
    """Prints the tables as they grow."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cocktail_engine")
    parser.add_argument("--peers", type=Path, help="Python of an environment with mergekit and LM_Cocktail")
    parser.add_argument("--only", choices=("parity", "operations", "resources"))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, help="of the parity table")
    parser.add_argument("--work", type=Path, help="where models are made; a temporary folder unless given")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4], help="factors of 1.1 B parameters")
    parser.add_argument("--counts", type=int, nargs="+", default=[2, 3], help="how many models are mixed")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--layers", type=int, default=Shape.layers, help="of size 1; fewer for a quick look")
    options = parser.parse_args()
    peers = Peers(options.peers) if options.peers else None
    if peers is not None:
        say([f"Peers: {peers.versions()}"])
    if options.only in (None, "parity"):
        say(["", *HEAD])
        say(parity_rows(peers, options.kinds))
    if options.only in (None, "operations") and peers is not None:
        say(["", *OPERATION_HEAD])
        say(operation_rows(peers))
    if options.only in (None, "resources"):
        with tempfile.TemporaryDirectory(dir=options.work) as work:
            resources(options, peers, Path(work))


def resources(options: argparse.Namespace, peers: Peers | None, work: Path) -> None:
    """The timings of every size and count; a size's models go before the next is made."""
    say(["", machine(), "", *RESOURCE_HEAD])
    for size in options.sizes:
        for count in options.counts if size == min(options.sizes) else options.counts[:1]:
            folders = models_of(work, size, count, layers=options.layers)
            slow = 1 if size == min(options.sizes) else 0
            case = Case(size, count, options.runs, mergekit=2 * slow or 1, cocktail=slow)
            say(resource_rows(case, folders, work, peers))
        if size == min(options.sizes):
            say(["", *resumed(folders[:2], work), ""])
        for folder in work.glob(f"size-{size}-*"):
            shutil.rmtree(folder)
    say([machine()])


def say(lines: Iterable[str]) -> None:
    """Each line as soon as it is there."""
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
