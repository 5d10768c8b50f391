"""Predictions files read back and compared: what a report claims can be computed anew from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from kshot.errors import DataError, collected
from kshot.measure.statistics import Comparison, compare_predictions, holm, score_interval

Key: TypeAlias = int | str  # a row's place, or its id
_SHAPE = "expected an object with id, prediction and answer"


@dataclass(frozen=True, slots=True)
class PredictionsFile:
    """Predictions by repeat, rows by their place, or where they have none in the order of first appearance.

    Attributes:
        ids: (N,) row ids; the same one may stand at several places.
        answers: (N,) what the metric compares with.
        predictions: (R, N) stated answers, None where a reply states none.
        rows: (N,) places of the rows within a repeat, from 0; None where the file does not say them.
    """

    path: Path
    ids: tuple[str, ...]
    answers: tuple[str, ...]
    predictions: tuple[tuple[str | None, ...], ...]
    rows: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a file, checked."""

    number: int
    repeat: int
    row: int | None
    id: str
    prediction: str | None
    answer: str


def read_predictions(path: Path) -> PredictionsFile:
    """Reads JSONL rows of ``id``, ``prediction``, ``answer`` and optionally ``repeat`` and ``row``.

    Rows are told apart by ``row``, their place from 0 within a repeat, where all lines have one, else by
    ``id``. Numbers stand for their text.

    Raises:
        DataError: The file is missing or empty, a field is missing or wrong, a row is there twice or not in
            every repeat, or it has another id or answer in another repeat.
    """
    lines = _checked_lines(path)
    by_place = all(line.row is not None for line in lines)
    firsts: dict[Key, _Line] = {}
    repeats: dict[int, dict[Key, str | None]] = {}
    errors: list[str] = []
    for line in lines:
        key = line.row if by_place and line.row is not None else line.id
        first = firsts.setdefault(key, line)
        said = repeats.setdefault(line.repeat, {})
        if wrong := _clash(line, first, key, twice=key in said):
            errors.append(f"{path}:{line.number}: {wrong}")
        said[key] = line.prediction
    errors += [
        f"{path}: repeat {r} lacks {len(firsts) - len(said)} rows that others have"
        for r, said in sorted(repeats.items())
        if len(said) < len(firsts)
    ]
    if errors:
        raise DataError(collected(errors))
    kept = sorted(firsts.items(), key=lambda item: item[1].row or 0) if by_place else list(firsts.items())
    return PredictionsFile(
        path,
        ids=tuple(line.id for _, line in kept),
        answers=tuple(line.answer for _, line in kept),
        predictions=tuple(tuple(repeats[r][key] for key, _ in kept) for r in sorted(repeats)),
        rows=tuple(line.row or 0 for _, line in kept) if by_place else None,
    )


def _clash(line: _Line, first: _Line, key: Key, *, twice: bool) -> str | None:
    """What a line says against the first line about the same row, if anything."""
    if twice:
        hint = "" if isinstance(key, int) else "; give every line its place as 'row'"
        return f"{_named(key)} is there twice in one repeat{hint}"
    for field, mine, other in (("id", line.id, first.id), ("answer", line.answer, first.answer)):
        if mine != other:
            return f"{_named(key)} has {field} {mine!r}, and {other!r} in another repeat"
    return None


def compare_files(
    paths: Sequence[Path],
    *,
    metric: str,
    labels: Sequence[str] | None = None,
    margin: float = 0.02,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """One row a file: value, interval, and the paired comparison with the first file (Holm over the others).

    Files may hold their rows in any order. They are paired by place where both say places, else by id.
    ``labels`` are the task's, for metrics over classes: macro-F1 counts a label that no row has too.

    Raises:
        DataError: Fewer than two files, or files that are not about the same rows and answers.
        MetricError: As ``metrics.evaluate``.

    Example::

        compare_files([run / "zero-shot.jsonl", run / "majority.jsonl"], metric="macro_f1", labels=["a", "b"])
    """
    if len(paths) < 2:
        raise DataError("give at least two predictions files")
    reference = read_predictions(paths[0])
    files = [reference, *(_aligned(read_predictions(path), reference) for path in paths[1:])]
    answers = list(reference.answers)
    said = [[list(repeat) for repeat in file.predictions] for file in files]
    duels = [
        compare_predictions(metric, one, said[0], answers, labels=labels, margin=margin, seed=seed)
        for one in said[1:]
    ]
    adjusted = holm([duel.p for duel in duels])
    rows = []
    for at, file in enumerate(files):
        value, interval = score_interval(metric, said[at], answers, labels=labels, seed=seed)
        row = {"file": str(file.path), "n": len(answers), "value": value, "interval": interval}
        rows.append(row | _compared(duels[at - 1] if at else None, float(adjusted[at - 1]) if at else 1.0))
    return rows


def _compared(duel: Comparison | None, p_holm: float) -> dict[str, Any]:
    """The columns of a comparison; of the reference there is none."""
    return {
        "difference": duel.difference if duel else None,
        "difference_interval": duel.interval if duel else None,
        "p": duel.p if duel else None,
        "p_holm": p_holm if duel else None,
        "verdict": duel.with_p(p_holm).verdict if duel else "reference",
    }


def _checked_lines(path: Path) -> list[_Line]:
    try:
        texts = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    lines: list[_Line] = []
    errors: list[str] = []
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        try:
            lines.append(_checked(text, number))
        except DataError as error:
            errors.append(f"{path}:{number}: {error}")
    if not lines and not errors:
        errors.append(f"{path}: the file has no rows")
    if errors:
        raise DataError(collected(errors))
    return lines


def _checked(text: str, number: int) -> _Line:
    try:
        row = json.loads(text)
        given = {name: row[name] for name in ("id", "prediction", "answer")}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(_SHAPE) from None
    texts = {name: _text(name, value) for name, value in given.items() if value is not None}
    for name in ("id", "answer"):
        if name not in texts:
            raise DataError(f"field {name!r} is null, expected text")
    place = _whole("row", row["row"]) if "row" in row else None
    repeat = _whole("repeat", row.get("repeat", 0))
    return _Line(number, repeat, place, texts["id"], texts.get("prediction"), texts["answer"])


def _text(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        expected = "text or null" if name == "prediction" else "text"
        raise DataError(f"field {name!r} is {json.dumps(value)}, expected {expected}")
    return str(value)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DataError(f"field {name!r} is {json.dumps(value)}, expected a whole number from 0")
    return value


def _aligned(file: PredictionsFile, reference: PredictionsFile) -> PredictionsFile:
    """The file with its rows in the reference's order."""
    by_place = file.rows is not None and reference.rows is not None
    mine, theirs = (_keys(one, other, by_place) for one, other in ((file, reference), (reference, file)))
    if only := set(mine) ^ set(theirs):
        example = _named(min(only, key=lambda key: (isinstance(key, str), key)))
        raise DataError(
            f"{file.path}: not the same rows as {reference.path}; {len(only)} differ, such as {example}"
        )
    order = [mine[key] for key in theirs]
    for at, key in zip(order, theirs, strict=True):
        if file.ids[at] != (expected := reference.ids[theirs[key]]):
            found = f"{_named(key)} has id {file.ids[at]!r}, and {expected!r} in {reference.path}"
            raise DataError(f"{file.path}: {found}; expected files about the same rows")
    answers = tuple(file.answers[at] for at in order)
    if answers != reference.answers:
        raise DataError(f"{file.path}: the answers differ from those in {reference.path}")
    predictions = tuple(tuple(repeat[at] for at in order) for repeat in file.predictions)
    return PredictionsFile(file.path, reference.ids, answers, predictions, reference.rows)


def _keys(file: PredictionsFile, other: PredictionsFile, by_place: bool) -> dict[Key, int]:
    """Where each row of a file stands in it, in the file's order."""
    names: Sequence[Key] = file.rows if by_place and file.rows is not None else file.ids
    keys = {key: at for at, key in enumerate(names)}
    if len(keys) < len(names):
        twice = next(key for at, key in enumerate(names) if keys[key] != at)
        where = f"{file.path}: {_named(twice)} stands at several rows"
        raise DataError(f"{where}, and {other.path} has no 'row' to tell them apart")
    return keys


def _named(key: Key) -> str:
    return f"row {key}" if isinstance(key, int) else f"id {key!r}"
