"""A small task to start from: what ``kshot init`` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from kshot.errors import InputError

_TASK = """\
version: 1
task:
  name: support-tickets
  type: classification          # classification, choice, generation or extraction
  instruction: Which team should handle this message?
  labels: [billing, shipping, technical]
examples: {path: shots.jsonl, seed: 0}      # k: 20 draws 20 of the rows
test: test.jsonl                            # leave it out: repeated k-fold over the rows above
# model: {base: path/to/a/model}            # a folder or a hub id; without it, systems that need none run
# embedder: path/to/a/sentence-transformers/folder
# knowledge: {adapters: [path/to/adapters]}
"""
_SUBJECTS = {
    "billing": ("invoice", "refund", "card charge", "monthly fee", "receipt", "tax number", "payment"),
    "shipping": (
        "parcel",
        "courier",
        "tracking number",
        "delivery date",
        "damaged box",
        "address",
        "return label",
    ),
    "technical": (
        "login page",
        "app crash",
        "error code",
        "password reset",
        "update",
        "sync",
        "settings screen",
    ),
}
_SHOT_FRAMES = ("My {} is wrong, can you check?", "I have a question about the {}.")
_TEST_FRAMES = (
    "Something happened with a {} again today and nobody answers.",
    "Please help me, the {} never came right.",
)


def write_starter(folder: Path) -> list[Path]:
    """Writes ``task.yaml``, ``shots.jsonl`` (12 rows) and ``test.jsonl`` (30 rows); returns their paths.

    All three appear or none: what was written is removed where the disk is full.

    Raises:
        InputError: One of the three is there already, or the folder cannot be written.
    """
    texts = {
        "task.yaml": _TASK,
        "shots.jsonl": _rows(_SHOT_FRAMES, slice(0, 2)),
        "test.jsonl": _rows(_TEST_FRAMES, slice(2, 7)),
    }
    paths = [folder / name for name in texts]
    if there := [path for path in paths if os.path.lexists(path)]:
        raise InputError(f"{there[0]}: is there already; choose another folder")
    try:
        _write(folder, texts)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return paths


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    new = [path for path in (folder, *folder.parents) if not path.exists()]  # innermost first
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            written.append(_part(folder, name))
            with written[-1].open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        for name in texts:
            _part(folder, name).replace(folder / name)
            written.append(folder / name)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        for path in new:
            with suppress(OSError):
                path.rmdir()
        raise


def _part(folder: Path, name: str) -> Path:
    return folder / f".{name}.{os.getpid()}.part"


def _rows(frames: tuple[str, ...], which: slice) -> str:
    rows = [
        {"text": frame.format(subject), "label": label}
        for frame in frames
        for label, subjects in _SUBJECTS.items()
        for subject in subjects[which]
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)
