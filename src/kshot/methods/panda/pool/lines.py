"""The lines of a pool's ``insights.jsonl``: written one at a time, read with their place in every message."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from kshot.errors import DataError, collected
from kshot.methods.panda.records import Counters, Heuristic, Insight, Spent

_TEXTS: Final = ("key", "insight", "opening", "template", "model", "finish_reason", "source", "created")
_HEURISTICS: Final = get_args(Heuristic)


@dataclass(frozen=True, slots=True)
class Lines:
    """What a file of insights holds.

    Attributes:
        insights: In the order of the file.
        numbers: The line of each, from 1.
        whole: Bytes up to the end of the last whole line.
        unfinished: Bytes behind it that are no whole record: a process was killed while it wrote.
        open_end: Whether the last record lacks its line end.
    """

    insights: tuple[Insight, ...]
    numbers: tuple[int, ...]
    whole: int
    unfinished: int = 0
    open_end: bool = False


def line_of(insight: Insight) -> bytes:
    r"""One record as a line of JSON, UTF-8; half characters are written as escapes.

    Raises:
        DataError: A value is of no type that the file can hold (NaN, a text that is none).

    >>> line_of(Insight(0, "a", "b"))[-1:]
    b'\n'
    """
    try:
        plain = insight.to_json()
        problem = wrong_record(plain)
        if problem:
            raise DataError(f"an insight (row {insight.row!r}): {problem}")
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"an insight (row {insight.row!r}) cannot be written as JSON ({error})") from error
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(plain, separators=(",", ":")).encode() + b"\n"


def read_lines(path: Path) -> Lines:
    """All records of a file. A last line without an end that is no JSON counts as never written.

    Raises:
        DataError: The file cannot be read, or a line is no insight; three are named, and the count.
    """
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    whole = content.rfind(b"\n") + 1
    lines = content[:whole].split(b"\n")[:-1]
    open_end = _is_json(content[whole:])  # a record that was cut anywhere is none
    if open_end:
        lines.append(content[whole:])
        whole = len(content)
    insights, numbers, errors = [], [], []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                insights.append(_insight(line))
                numbers.append(number)
            except DataError as error:
                errors.append(f"{path}:{number}: {error}")
    if errors:
        raise DataError(collected(errors))
    return Lines(tuple(insights), tuple(numbers), whole, len(content) - whole, open_end)


def wrong_record(plain: Mapping[str, Any]) -> str:
    """What is wrong with the fields of a record; empty where nothing is.

    >>> wrong_record({"row": "3", "key": "a", "insight": "b"})
    "row is '3', expected a whole number, 0 or more"
    """
    if not _count(plain.get("row")):
        return f"row is {plain.get('row')!r}, expected a whole number, 0 or more"
    for name in _TEXTS:
        if (name in plain or name in ("key", "insight")) and not isinstance(plain.get(name), str):
            return f"{name} is {_short(plain.get(name))}, expected text"
    if plain.get("heuristic", "top2") not in _HEURISTICS:
        return f"heuristic is {_short(plain['heuristic'])}, expected one of {', '.join(_HEURISTICS)}"
    if not _texts(plain.get("flags", ())):
        return f"flags is {_short(plain['flags'])}, expected a list of texts"
    for name, kind in (("counters", Counters), ("spent", Spent)):
        found = plain.get(name, {})
        if not isinstance(found, Mapping) or not all(_number(value) for value in found.values()):
            return f"{name} is {_short(found)}, expected an object of numbers"
        if not set(found) <= set(kind.__dataclass_fields__):
            return f"{name} is {_short(found)}, expected {', '.join(kind.__dataclass_fields__)}"
    if not isinstance(plain.get("origin"), Mapping | None):
        return f"origin is {_short(plain['origin'])}, expected an object or null"
    return _wrong_preference(plain.get("preference"))


def _wrong_preference(plain: Any) -> str:
    if plain is None:
        return ""
    if not isinstance(plain, Mapping) or not isinstance(plain.get("text"), str):
        return f"preference is {_short(plain)}, expected an object with text, candidates and expert"
    candidates = plain.get("candidates")
    if not isinstance(candidates, list | tuple) or not candidates:
        return f"preference.candidates is {_short(candidates)}, expected at least one"
    for place, found in enumerate(candidates):
        if not isinstance(found, Mapping) or not isinstance(found.get("answer"), str):
            return f"preference.candidates[{place}] is {_short(found)}, expected an object with an answer"
        chance = found.get("probability")
        if not isinstance(found.get("name", ""), str) or not (chance is None or _number(chance, most=1.0)):
            return f"preference.candidates[{place}] is {_short(found)}, expected a probability from 0 to 1"
    expert = plain.get("expert")
    if not isinstance(expert, Mapping) or not all(isinstance(value, str) for value in expert.values()):
        return f"preference.expert is {_short(expert)}, expected an object with kind and id"
    if not isinstance(plain.get("gold"), str | None):
        return f"preference.gold is {_short(plain['gold'])}, expected text or null"
    if not isinstance(plain.get("source", ""), str) or not _texts(plain.get("flags", ())):
        return "preference.source or preference.flags is of another type, expected text, and texts"
    return ""


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True


def _insight(line: bytes) -> Insight:
    try:
        plain = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is no JSON in UTF-8 ({error}); mend or delete the line") from error
    if not isinstance(plain, dict):
        raise DataError(f"holds {type(plain).__name__}, expected an object")
    problem = wrong_record(plain)
    if problem:
        raise DataError(problem)
    try:
        return Insight.from_json(plain)
    except (KeyError, TypeError) as error:
        raise DataError(f"is no insight ({error})") from error


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number(value: Any, *, most: float = math.inf) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and math.isfinite(value) and 0 <= value <= most


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 60 else f"{told[:57]}..."
