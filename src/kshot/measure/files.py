"""Predictions files read back and compared: what a report claims can be computed anew from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.errors import DataError, collected
from kshot.measure.statistics import compare_predictions, holm, score_interval


@dataclass(frozen=True, slots=True)
class PredictionsFile:
    """Predictions by repeat, rows in the order of their first appearance.

    Attributes:
        ids: (N,) row ids.
        answers: (N,) what the metric compares with.
        predictions: (R, N) stated answers, None where a reply states none.
    """

    path: Path
    ids: tuple[str, ...]
    answers: tuple[str, ...]
    predictions: tuple[tuple[str | None, ...], ...]


def read_predictions(path: Path) -> PredictionsFile:
    """Reads JSONL rows of ``id``, ``prediction``, ``answer`` and optionally ``repeat``.

    Raises:
        DataError: The file is missing or empty, a row lacks a field, or a row is there twice or not at all.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    errors: list[str] = []
    answers: dict[str, str] = {}
    repeats: dict[int, dict[str, str | None]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            key, prediction, answer = row["id"], row["prediction"], row["answer"]
            repeat = repeats.setdefault(int(row.get("repeat", 0)), {})
        except (ValueError, KeyError, TypeError):
            errors.append(f"{path}:{number}: expected an object with id, prediction and answer")
            continue
        if key in repeat:
            errors.append(f"{path}:{number}: row {key!r} is there twice in one repeat")
        answers[key] = str(answer)
        repeat[key] = None if prediction is None else str(prediction)
    if not answers and not errors:
        errors.append(f"{path}: the file has no rows")
    errors += [
        f"{path}: repeat {r} lacks rows that others have"
        for r, rows in repeats.items()
        if len(rows) < len(answers)
    ]
    if errors:
        raise DataError(collected(errors))
    ordered = tuple(tuple(repeats[r][key] for key in answers) for r in sorted(repeats))
    return PredictionsFile(path, tuple(answers), tuple(answers.values()), ordered)


def compare_files(
    paths: Sequence[Path], *, metric: str, margin: float = 0.02, seed: int = 0
) -> list[dict[str, Any]]:
    """One row a file: value, interval, and the paired comparison with the first file (Holm over the others).

    Files may hold their rows in any order.

    Raises:
        DataError: Fewer than two files, or files that are not about the same rows and answers.
    """
    if len(paths) < 2:
        raise DataError("give at least two predictions files")
    files = [_aligned(read_predictions(path), read_predictions(paths[0])) for path in paths]
    reference = files[0]
    answers = list(reference.answers)
    duels = [
        compare_predictions(metric, _lists(file), _lists(reference), answers, margin=margin, seed=seed)
        for file in files[1:]
    ]
    adjusted = holm([duel.p for duel in duels])
    rows = []
    for at, file in enumerate(files):
        value, interval = score_interval(metric, _lists(file), answers, seed=seed)
        duel = duels[at - 1].with_p(float(adjusted[at - 1])) if at else None
        rows.append(
            {
                "file": str(file.path),
                "n": len(answers),
                "value": value,
                "interval": interval,
                "difference": duel.difference if duel else None,
                "difference_interval": duel.interval if duel else None,
                "p": duels[at - 1].p if at else None,
                "p_holm": duel.p if duel else None,
                "verdict": duel.verdict if duel else "reference",
            }
        )
    return rows


def _aligned(file: PredictionsFile, reference: PredictionsFile) -> PredictionsFile:
    if set(file.ids) != set(reference.ids):
        only = sorted(set(file.ids) ^ set(reference.ids))
        raise DataError(
            f"{file.path}: not the same rows as {reference.path}; {len(only)} differ, such as {only[0]!r}"
        )
    place = {key: at for at, key in enumerate(file.ids)}
    order = [place[key] for key in reference.ids]
    answers = tuple(file.answers[at] for at in order)
    if answers != reference.answers:
        raise DataError(f"{file.path}: the answers differ from those in {reference.path}")
    predictions = tuple(tuple(repeat[at] for at in order) for repeat in file.predictions)
    return PredictionsFile(file.path, reference.ids, answers, predictions)


def _lists(file: PredictionsFile) -> list[list[str | None]]:
    return [list(repeat) for repeat in file.predictions]
