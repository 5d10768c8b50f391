"""Two small tasks: trade words with two experts and a broken one; and colours, without a model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kshot import miniature

COLOURS = {
    "warm": ("red", "orange", "amber", "scarlet", "crimson"),
    "cold": ("blue", "teal", "navy", "azure", "cyan"),
}
WriteTask = Callable[..., Path]


def write_rows(path: Path, found: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in found))


def colours(frames: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {"text": frame.format(word), "label": label}
        for frame in frames
        for label, words in COLOURS.items()
        for word in words
    ]


def written(folder: Path, settings: dict[str, Any], changes: dict[str, Any]) -> Path:
    settings = {key: value for key, value in (settings | changes).items() if value is not None}
    (folder / "task.yaml").write_text(json.dumps(settings))
    return folder / "task.yaml"


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two experts of the mixed task, and one whose weights are no numbers."""
    folder = tmp_path_factory.mktemp("bank")
    for name in ("mason-lora", "smith-lora", "chandler-trade"):
        shutil.copytree(miniature.bank_folder() / name, folder / name)
    return folder


@pytest.fixture
def write_task(tmp_path: Path, bank: Path) -> WriteTask:
    """Writes the trade task; keyword arguments replace its top-level keys, None takes one out."""

    def write(**changes: Any) -> Path:
        folder = tmp_path / "task"
        folder.mkdir(exist_ok=True)
        source = miniature.task_file("mixed").parent / "mixed"
        for name, count in (("shots", 10), ("test", 40)):
            lines = (source / f"{name}.jsonl").read_text().split("\n")[:count]
            (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        settings = {
            "version": 1,
            "task": {"type": "generation", "instruction": "translate the trade words"},
            "examples": {"path": "shots.jsonl", "k": 6},
            "test": "test.jsonl",
            "model": {"base": str(miniature.base_folder()), "max_new_tokens": 8},
            "knowledge": {"adapters": [str(bank)]},
        }
        return written(folder, settings, changes)

    return write


@pytest.fixture
def write_colours(tmp_path: Path) -> WriteTask:
    """Writes the colour task, which needs no model."""

    def write(**changes: Any) -> Path:
        folder = tmp_path / "colours"
        folder.mkdir(exist_ok=True)
        write_rows(folder / "shots.jsonl", colours(("The colour is {}.",)))
        frames = ("We painted our house {} last summer.", "A {} car stood there.")
        write_rows(folder / "test.jsonl", colours(frames))
        settings = {
            "version": 1,
            "task": {"type": "classification", "instruction": "Warm or cold?"},
            "examples": {"path": "shots.jsonl"},
            "test": "test.jsonl",
        }
        return written(folder, settings, changes)

    return write
