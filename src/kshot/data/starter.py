"""A small task to start from: what ``kshot init`` writes."""

from __future__ import annotations

import json
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

    Raises:
        InputError: One of the three is there already, or the folder cannot be made.
    """
    texts = {
        "task.yaml": _TASK,
        "shots.jsonl": _rows(_SHOT_FRAMES, slice(0, 2)),
        "test.jsonl": _rows(_TEST_FRAMES, slice(2, 7)),
    }
    paths = [folder / name for name in texts]
    if there := [path for path in paths if path.exists()]:
        raise InputError(f"{there[0]}: is there already; choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return paths


def _rows(frames: tuple[str, ...], which: slice) -> str:
    rows = [
        {"text": frame.format(subject), "label": label}
        for frame in frames
        for label, subjects in _SUBJECTS.items()
        for subject in subjects[which]
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)
