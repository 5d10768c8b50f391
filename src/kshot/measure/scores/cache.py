"""Scores of experts on shots, kept in a file that only grows: one JSON line for each expert and shot."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import RunError

# raise it when the meaning of a score changes; older records are then measured anew
VERSION = 3


@dataclass(frozen=True, slots=True)
class ShotScore:
    """One expert on one shot: whether it is right, and nats per token (``reasoning``: NaN where none is)."""

    right: bool
    answer: float
    reasoning: float
    target: float


def score_key(model_id: str, shot: Example, template: Template, *, how: Mapping[str, object]) -> str:
    """32 hexadecimal digits over everything that a score depends on; ``how`` the model was asked included."""
    parts = [VERSION, model_id, shot.id, asdict(template), dict(how)]
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@final
class ScoreCache:
    """Key to score. A line that is no record, as a killed process leaves at the end, is passed over.

    Args:
        file: Made at the first ``add``; None keeps scores in memory alone.

    Raises:
        RunError: The file cannot be read.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._scores: dict[str, ShotScore] = {}
        try:
            data = file.read_bytes() if file and file.exists() else b""
        except OSError as error:
            raise RunError(f"{file}: cannot be read ({error.strerror}); expected a file of scores") from error
        self._torn = bool(data) and not data.endswith(b"\n")
        for line in data.splitlines():
            if found := _record(line):
                self._scores[found[0]] = found[1]

    def __contains__(self, key: str) -> bool:
        return key in self._scores

    def __getitem__(self, key: str) -> ShotScore:
        return self._scores[key]

    def add(self, scores: Mapping[str, ShotScore]) -> None:
        """Keep scores; they are on the disk when this returns.

        Raises:
            RunError: The file cannot be written.
        """
        self._scores.update(scores)
        if self._file is None or not scores:
            return
        lines = "".join(json.dumps({"key": key, **_coded(score)}) + "\n" for key, score in scores.items())
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                file.write(b"\n" * self._torn + lines.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RunError(f"{self._file}: cannot be written ({error.strerror})") from error
        self._torn = False


def _coded(score: ShotScore) -> dict[str, Any]:
    return {
        key: value if not isinstance(value, float) or math.isfinite(value) else str(value)
        for key, value in asdict(score).items()
    }


def _record(line: bytes) -> tuple[str, ShotScore] | None:
    try:
        row = json.loads(line)
        if not isinstance(row["key"], str) or not isinstance(row["right"], bool):
            return None
        return row["key"], ShotScore(
            row["right"], *(float(row[name]) for name in ("answer", "reasoning", "target"))
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
