"""A task from Python: no task file, no model, no download; ``python examples/from_python.py`` runs it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import kshot
from kshot.pipeline.run import run_task

SHOTS = {
    "billing": (
        "My invoice shows the wrong amount",
        "Please refund the double card charge",
        "Where is my receipt?",
    ),
    "shipping": ("The parcel never arrived", "My tracking number does not work", "The box came damaged"),
}
TEST = {
    "billing": (
        "I was charged twice, please refund me",
        "I need the invoice again",
        "The amount on my receipt is wrong",
    ),
    "shipping": ("My parcel is late", "The courier left a damaged box", "No news from the tracking number"),
}


def quiet(event: str, **fields: Any) -> None:
    """Hears what happens and says nothing."""


def main() -> None:
    """Builds the systems, prints the leaderboard and where the report lies."""
    rows = {
        name: [kshot.Example(text, label) for label, texts in source.items() for text in texts]
        for name, source in (("shots", SHOTS), ("test", TEST))
    }
    settings = {
        "task": {"name": "tickets", "type": "classification", "labels": list(SHOTS)},
        "metric": "accuracy",
    }
    task = kshot.Task.from_examples(settings, rows["shots"], rows["test"])
    finished = run_task(task, Path(tempfile.mkdtemp()) / "run", listener=quiet)
    for system in finished.report.systems:
        low, high = system.interval
        print(f"{system.name:20} {system.value:.2f}  [{low:.2f}, {high:.2f}]  {system.verdict}")
    print(finished.html)


if __name__ == "__main__":
    main()
