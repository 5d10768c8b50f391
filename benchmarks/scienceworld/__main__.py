"""``python -m benchmarks.scienceworld [--variations N] [--out FILE]``: gold paths, speed, a whole run.

Needs the package scienceworld and a Java runtime; about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.scienceworld.gold_paths import Replay, package_environment, replay, speeds
from benchmarks.scienceworld.whole_run import WholeRun, whole_run
from kshot.agents.scienceworld import PAPER_TASKS, why_absent

LEARNT, TIMED = (6, 7, 12, 17, 29), (2, 6, 12, 25)


def main() -> None:
    """Prints the tables as they fill, and writes them where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variations", type=int, default=1, help="gold paths of each task")
    parser.add_argument("--learn-from", type=int, default=3, help="train variations of the whole run")
    parser.add_argument("--episodes", type=int, default=4, help="test variations of the whole run")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if reason := why_absent():
        print(f"left out: {reason}")
        return
    lines = []
    for line in _lines(options):
        print(line, flush=True)
        lines.append(line)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(options: argparse.Namespace) -> Iterator[str]:
    with package_environment() as package:
        yield from _replays(package, options.variations)
        yield from ("", *_speeds(package))
    yield from ("", "Simulated model: the figures show that the parts work, nothing more.", "")
    yield "| task | insights | episodes | with insights | without | difference | 95 % | steps | peak MB | s |"
    yield "|---|--:|--:|--:|--:|--:|---|--:|--:|--:|"
    with tempfile.TemporaryDirectory() as work:
        for number in LEARNT:
            run = whole_run(number, Path(work), learn_from=options.learn_from, episodes=options.episodes)
            yield _run_row(run)


def _replays(package: Any, variations: int) -> Iterator[str]:
    yield "| path | task | steps | raw score | loop score | ended | scores at every step |"
    yield "|---|---|--:|--:|--:|---|---|"
    found: list[Replay] = []
    for number in PAPER_TASKS:
        for one in replay(package, number, variations=variations):
            found.append(one)
            scores = f"{len(one.raw_scores) - 1} | {one.raw_scores[-1]} | {one.loop_scores[-1]}"
            yield f"| {one.label} | {one.task} | {scores} | {one.ended} | {one.told} |"
    whole = [one for one in found if one.raw_scores[-1] == 100]
    solved = sum(one.loop_scores[-1] == 100 for one in whole)
    yield ""
    yield f"{solved} of {len(whole)} gold paths that reach 100 raw reach it through the loop."


def _speeds(package: Any) -> Iterator[str]:
    yield "| task | raw ms a step | environment | loop | package's step | loop / raw | package / loop |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for number in TIMED:
        ms = speeds(package, number)
        times = " | ".join(f"{ms[way]:.1f}" for way in ("raw", "environment", "loop", "package"))
        ratios = f"{ms['loop'] / ms['raw']:.2f} | {ms['package'] / ms['loop']:.1f}"
        yield f"| {number} | {times} | {ratios} |"


def _run_row(run: WholeRun) -> str:
    ours, none = run.with_insights.evaluation, run.without.evaluation
    between = run.difference.interval
    cells = [
        run.task, run.insights, ours.episodes + none.episodes, f"{ours.score:.1f}", f"{none.score:.1f}",
        f"{run.difference.value:+.1f}", f"[{between[0]:.1f}, {between[1]:.1f}]" if between else "",
        f"{ours.steps:.0f} / {none.steps:.0f}", f"{max(ours.peak_bytes, none.peak_bytes) / 1e6:.0f}",
        f"{run.seconds:.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
