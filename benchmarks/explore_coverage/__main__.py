"""``python -m benchmarks.explore_coverage [--quick] [--cells FILE]``: how much of a domain is reached."""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.explore_coverage.cells import Cell, Over, cells, run_cell
from benchmarks.explore_coverage.table import report

HERE = Path(__file__).parent
EQUAL = ("sha", "leaf_recall", "calls", "spent_tokens", "tasks")


def main() -> None:
    """Runs the cells that are not there yet, two at a time, and prints the tables."""
    given = _parser().parse_args()
    parameters = json.loads(given.parameters.read_text(encoding="utf-8"))
    if given.quick:
        quick = dict(parameters["quick"])
        parameters |= {"seeds": quick.pop("seeds"), "families": {"quick": quick}}
    if given.family:
        parameters["families"] = {name: parameters["families"][name] for name in given.family}
    wanted = list(cells(parameters, seeds=given.seeds))
    if given.check_http:
        print(_http_equals_process(wanted))
        return
    rows = _kept(given.cells, wanted, processes=given.processes, over=given.over)
    print(report(rows, parameters))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", type=Path, default=HERE / "parameters.json")
    parser.add_argument("--quick", action="store_true", help="one world, three seeds, up to 300 calls")
    parser.add_argument("--family", action="append", help="only this family of the parameters; repeatable")
    parser.add_argument("--seeds", type=int, nargs="+", help="others than those of the parameters")
    parser.add_argument("--cells", type=Path, help="a JSON lines file: cells in it are not run again")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--over", choices=("http", "process"), default="process")
    parser.add_argument("--check-http", action="store_true", help="one cell of each world and way over both")
    return parser


def _kept(path: Path | None, wanted: list[Cell], *, processes: int, over: Over) -> list[dict[str, Any]]:
    """A row a wanted cell; each is written down as soon as it is there."""
    kept: dict[str, dict[str, Any]] = {}
    if path is not None and path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            kept[row.pop("key")] = row
    missing = [cell for cell in wanted if cell.key not in kept]
    began = time.monotonic()
    with ProcessPoolExecutor(processes) as pool:
        under_way = {pool.submit(run_cell, cell, over=over): cell for cell in missing}
        for number, future in enumerate(as_completed(under_way), start=1):
            cell, row = under_way[future], future.result()
            kept[cell.key] = row
            if path is not None:
                with path.open("a", encoding="utf-8") as out:
                    out.write(json.dumps({"key": cell.key} | row) + "\n")
            if number % 20 == 0:
                print(f"{number} of {len(missing)} cells, {time.monotonic() - began:.0f} s", flush=True)
    return [kept[cell.key] | {"family": cell.family} for cell in wanted]


def _http_equals_process(wanted: list[Cell]) -> str:
    """The first cell of each world and way, over HTTP and in process: are the rows the same?"""
    lines = [
        "| world | way | calls | rows | HTTP, s | in process, s | equal |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    chosen = {(cell.world, cell.way): cell for cell in reversed(wanted)}
    for cell in chosen.values():
        one, other = run_cell(cell, over="http"), run_cell(cell, over="process")
        is_equal = all(one[name] == other[name] for name in EQUAL)
        lines.append(
            f"| {cell.world} | {cell.way} | {one['calls']} | {one['rows']:,} | {one['seconds']:.1f} "
            f"| {other['seconds']:.1f} | {'yes' if is_equal else 'NO'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
