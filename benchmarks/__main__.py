"""``make bench``: every benchmark whose data is at hand."""

from __future__ import annotations

import runpy
import shutil
import sys
import tempfile
from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data"


def main() -> None:
    """Runs each benchmark in turn; says which are left out and why."""
    for name in ("miniature", "expert_choice", "data_selection", "bank_scoring", "mixture"):
        _run(name)
    with tempfile.TemporaryDirectory() as work:
        _run("open_knowledge", "--work", work)
    with tempfile.TemporaryDirectory() as work:
        _run("cocktail_miniature", "--work", work)
    _run("elastic")
    for name in ("panda_miniature", "panda_retrieval", "journal", "endpoint_faults"):
        _run(name)
    for name in ("overlap", "explore_throughput", "explore_coverage"):  # the last: hours
        _run(name)
    with tempfile.TemporaryDirectory() as work:
        _run("explore_miniature", "--work", work)
    if shutil.which("java"):
        _run("scienceworld")
    else:
        print("benchmarks.scienceworld left out: it needs Java")
    if (DATA / "tweeteval").is_dir():
        _run("tweets", "--data", str(DATA))
        _run("panda_experts", "--data", str(DATA))
        with tempfile.TemporaryDirectory() as work:
            _run("cocktail_encoder", "--data", str(DATA), "--work", work)
    else:
        left = "benchmarks.tweets, panda_experts and cocktail_encoder left out"
        print(f"{left}: give their data with --data DIR")
    print("benchmarks.cocktail_engine needs its peers: python -m benchmarks.cocktail_engine --peers PYTHON")


def _run(name: str, *arguments: str) -> None:
    sys.argv = [f"benchmarks.{name}", *arguments]
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
