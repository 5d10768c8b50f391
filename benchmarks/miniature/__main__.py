"""``python -m benchmarks.miniature [--out FILE]``: the miniature's tasks through ``kshot run``, seed 0."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from kshot.data.task import Task
from kshot.miniature import task_file
from kshot.pipeline.run import run_task

CELLS = (
    ("mixed", 5),
    ("mixed", 20),
    ("mixed", 50),
    ("single", 20),
    ("hard", 20),
    ("notes", 20),
    ("echo", 20),
)
SYSTEMS = (
    "zero-shot",
    "shots in the prompt",
    "nearest shots in the prompt",
    "LoRA on the shots",
    "best adapter on the shots",
    "oracle: best adapter on the test",
)


def scores(task: str, k: int, out: Path) -> dict[str, dict[str, object]]:
    """One run of these systems and the single adapters; the systems of its report by name."""
    loaded = Task.load(task_file(task), k=k).with_systems((*SYSTEMS[:-1], "adapters"))
    run_task(loaded, out, listener=lambda *_, **__: None)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return {system["name"]: system for system in report["systems"]}


def cell(system: dict[str, object]) -> str:
    """Percent and its 95 % interval."""
    low, high = system["interval"]  # type: ignore[misc]
    return f"{100 * float(str(system['value'])):.1f} [{100 * low:.1f}, {100 * high:.1f}]"  # type: ignore[has-type]


def main() -> None:
    """Prints the table as it grows; writes it to --out at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.miniature")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [f"| task | K | {' | '.join(SYSTEMS)} |", "|---|--:|" + "--:|" * len(SYSTEMS)]
    with tempfile.TemporaryDirectory() as place:
        for task, k in CELLS:
            found = scores(task, k, Path(place) / f"{task}-{k}")
            lines.append(f"| {task} | {k} | {' | '.join(cell(found[name]) for name in SYSTEMS)} |")
            print(lines[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
