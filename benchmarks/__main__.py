"""``make bench``: every benchmark whose data is at hand."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data"


def main() -> None:
    """Runs each benchmark in turn; says which are left out and why."""
    sys.argv = ["benchmarks.miniature"]
    runpy.run_module("benchmarks.miniature", run_name="__main__")
    if (DATA / "tweeteval").is_dir():
        sys.argv = ["benchmarks.tweets", "--data", str(DATA)]
        runpy.run_module("benchmarks.tweets", run_name="__main__")
    else:
        print("benchmarks.tweets left out: give its data with `python -m benchmarks.tweets --data DIR`")


if __name__ == "__main__":
    main()
