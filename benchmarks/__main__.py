"""``make bench``: every benchmark whose data is at hand."""

from __future__ import annotations

import runpy
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
    if (DATA / "tweeteval").is_dir():
        _run("tweets", "--data", str(DATA))
    else:
        print("benchmarks.tweets left out: give its data with `python -m benchmarks.tweets --data DIR`")


def _run(name: str, *arguments: str) -> None:
    sys.argv = [f"benchmarks.{name}", *arguments]
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
