"""What the released TweetEval files say of the expert's ranking, and of the LLM's response."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kshot.errors import DataError, collected
from kshot.methods.panda.records import Candidate, ExpertFacts, Preference


def rankings_of(file: Path, content: Any, labels: Sequence[str] = ()) -> dict[str, Preference]:
    """Text to ranking, of an expert file: a list of objects with text and preferences.

    The ranking is written as a string there, and read as JSON. No probabilities are in it.

    Args:
        file: For messages.
        content: What it holds.
        labels: Class names by index; else the indices stand for the classes.

    Raises:
        DataError: An entry is something else, or one text has two rankings.

    >>> found = rankings_of(Path("e.json"), [{"text": "a", "preferences": "[1, 0]"}], ["no", "yes"])
    >>> [candidate.answer for candidate in found["a"].candidates]
    ['yes', 'no']
    """
    if not isinstance(content, list):
        raise DataError(f"{file}: holds {type(content).__name__}, expected a list of objects")
    found: dict[str, Preference] = {}
    errors = []
    for row, entry in enumerate(content):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("text"), str):
            errors.append(f"{file}: entry {row}: expected an object with text and preferences")
            continue
        try:
            indices = _indices(entry.get("preferences"), labels)
        except DataError as error:
            errors.append(f"{file}: entry {row}: {error}")
            continue
        named = tuple(Candidate(labels[index] if labels else str(index)) for index in indices)
        text, expert = entry["text"], ExpertFacts("imported", file.name)
        preference = Preference(text, named, expert, source=f"{file.name}:{row}")
        if found.setdefault(text, preference).candidates != named:
            errors.append(f"{file}: entry {row}: its text has another ranking before; keep one of them")
    if errors:
        raise DataError(collected(errors))
    return found


def response_text(stored: Any) -> tuple[str, str]:
    """Text and finish reason of an insight: a text, or the whole response that the release stored.

    Raises:
        DataError: It is neither.

    >>> response_text({"choices": [{"message": {"content": "Because."}, "finish_reason": "length"}]})
    ('Because.', 'length')
    """
    if isinstance(stored, str):
        return stored, "stop"
    try:
        choice = stored["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason") or "stop"
    except (KeyError, IndexError, TypeError, AttributeError):
        text, reason = None, ""
    if not isinstance(text, str):
        raise DataError(
            f"the insight is {type(stored).__name__}, expected text, or a response with "
            "choices[0].message.content"
        )
    return text, "length" if reason == "length" else "stop"


def _indices(stored: Any, labels: Sequence[str]) -> list[int]:
    try:
        indices: Any = json.loads(stored) if isinstance(stored, str) else stored
    except (ValueError, RecursionError) as error:
        raise DataError(f"preferences {stored[:60]!r} are no JSON list of class indices") from error
    plain = isinstance(indices, list) and all(type(index) is int and index >= 0 for index in indices)
    if not plain or not indices or len(set(indices)) < len(indices):
        raise DataError(f"preferences are {str(stored)[:60]}, expected different class indices, best first")
    if labels and max(indices) >= len(labels):
        raise DataError(f"preferences name class {max(indices)}, but there are {len(labels)} labels")
    return list(indices)
