"""``init``, ``doctor``, ``validate``, ``config-schema``: everything around a task file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if absent.")],
) -> None:
    """Write a small task to start from: task.yaml, shots.jsonl, test.jsonl."""
    from kshot.data.starter import write_starter

    for path in write_starter(folder):
        print(path)
    print(f"next: kshot validate {folder / 'task.yaml'}; kshot run {folder / 'task.yaml'}")


def validate(
    task: Annotated[Path, typer.Argument(metavar="TASK", help="A task file.")],
    k: Annotated[int | None, typer.Option(help="How many shots to draw.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the draw.")] = None,
) -> None:
    """Check a task file and its rows; show formats, notes, and the exact masked tokens of two samples."""
    from kshot.data.task import Task
    from kshot.pipeline.validate import describe

    for line in describe(Task.load(task, k=k, seed=seed)):
        print(line)


def config_schema() -> None:
    """Print the JSON Schema of the task file."""
    from kshot.data.taskfile import json_schema

    print(json.dumps(json_schema(), indent=1))


def doctor() -> None:
    """Say what this machine offers, and what is missing for which feature."""
    from kshot.pipeline.doctor import findings

    lines = findings()
    for mark, sentence in lines:
        print(f"{mark:4} {sentence}")
    if any(mark == "bad" for mark, _ in lines):
        sys.exit(1)
