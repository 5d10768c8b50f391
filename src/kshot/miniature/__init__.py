"""A small closed world whose truth is known: base model, bank, open data, tasks; no download.

`python -m kshot.miniature` prints where it lies; `python -m kshot.miniature.build --out DIR` rebuilds it.
Scores on it say how a method works, not how well it does on real tasks: reports carry the word miniature.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.errors import InputError
from kshot.miniature.skills import explain_prompt, notes_prompt
from kshot.miniature.tasks import NAMES

__all__ = [
    "NAMES",
    "Truth",
    "bank_folder",
    "base_folder",
    "content_hash",
    "data_folder",
    "explain_prompt",
    "fixed_hash",
    "notes_prompt",
    "open_rows",
    "task_file",
    "truth",
]

HASH_FILE = "CONTENT_HASH"


@dataclass(frozen=True, slots=True)
class Truth:
    """What is hidden from methods and known to tests.

    Attributes:
        trades: by trade, its words: part and meaning of each.
        adapters: by adapter, kind (honest, copy, guesser, defect), trade, what it copies, accuracies.
        rows: by id of an open row, kind (row, repeat, paraphrase, junk, leak), trades, part, what it copies.
        tasks: by task, which adapters help, the ceiling of each route, trades and part of each row.
        base: measured accuracies of the base model's skills.
    """

    trades: dict[str, dict[str, dict[str, str]]]
    adapters: dict[str, dict[str, Any]]
    rows: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]
    base: dict[str, float]


def data_folder() -> Path:
    """The folder that holds all of the miniature."""
    return Path(__file__).parent / "data"


def task_file(name: str) -> Path:
    """The task file of one of `NAMES`.

    Raises:
        InputError: no such task.
    """
    if name not in NAMES:
        raise InputError(f"miniature task {name!r} does not exist; expected one of {', '.join(NAMES)}")
    return data_folder() / "tasks" / f"{name}.yaml"


def base_folder() -> Path:
    """The base model: a transformers folder."""
    return data_folder() / "base"


def bank_folder() -> Path:
    """The bank: one PEFT folder for each adapter, planted defects among them."""
    return data_folder() / "bank"


def open_rows() -> Path:
    """The open data: alpaca rows with an id."""
    return data_folder() / "open" / "rows.jsonl"


def truth() -> Truth:
    """All that is known about the miniature and told to no method."""
    folder = data_folder() / "truth"
    lines = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {row.pop("id"): row for row in map(json.loads, lines)}
    return Truth(rows=rows, **{name: _read(folder, name) for name in ("trades", "adapters", "tasks", "base")})


def _read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def content_hash(folder: Path | None = None) -> str:
    """SHA-256 over paths and bytes of all data files in sorted order, the file of the fixed hash left out."""
    folder = folder or data_folder()
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(set(files) - {HASH_FILE}):
        content = files[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def fixed_hash() -> str:
    """The hash that was fixed before any method was tried."""
    return (data_folder() / HASH_FILE).read_text(encoding="utf-8").strip()
