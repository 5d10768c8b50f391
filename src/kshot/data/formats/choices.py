"""Multiple choice: where the choices stand in a row, and which of them is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kshot.data.example import LETTERS
from kshot.data.formats.fields import answer_text, kind
from kshot.errors import DataError

LISTS = ("choices", "options")
KEYS = ("answerKey", "answer_key")
_PREFIXES = ("", "option_", "choice_", "option", "choice")


def flattened(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """ARC's own rows keep question and choices one level down: ``question: {stem, choices}``."""
    question = values.get("question")
    if isinstance(question, Mapping) and "stem" in question and "choices" in question:
        return {**values, "question": question["stem"], "choices": question["choices"]}
    return values


def choice_columns(keys: Sequence[str]) -> tuple[str, ...]:
    """Columns that hold one choice each, from the first letter on: A, B, ..., or option_a, option_b, ...

    >>> choice_columns(["question", "option_a", "option_b", "answer"])
    ('option_a', 'option_b')
    """
    for prefix in _PREFIXES:
        for letters in (LETTERS, LETTERS.lower()) if prefix else (LETTERS,):
            columns = []
            for letter in letters:
                if prefix + letter not in keys:
                    break
                columns.append(prefix + letter)
            if len(columns) > 1:
                return tuple(columns)
    return ()


def read_choices(
    values: Mapping[str, Any], key: str, *, columns: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """The texts of the choices, and their own labels where the row has them (ARC: A to D, or 1 to 4).

    Raises:
        DataError: The choices are missing, no texts, or have a gap.
    """
    if columns:
        texts = [answer_text(values.get(column), column) for column in columns]
        while texts and not texts[-1]:
            texts.pop()
        if "" in texts:
            raise DataError(f"field {columns[texts.index('')]!r} is empty, but a later choice is not")
        return tuple(texts), None
    found = values.get(key)
    if isinstance(found, Mapping) and {"text", "label"} <= found.keys():
        return _paired(_texts(found["text"], key), _texts(found["label"], key), key)
    if isinstance(found, Mapping):
        return _texts(list(found.values()), key), _texts(list(found), key)
    if isinstance(found, list) and found and all(isinstance(entry, Mapping) for entry in found):
        labels = _texts([entry.get("label") for entry in found], key)
        return _paired(_texts([entry.get("text") for entry in found], key), labels, key)
    return _texts(found, key), None


def right_choice(
    value: Any, key: str, *, choices: Sequence[str], labels: Sequence[str] | None, own: bool
) -> str:
    """The text of the choice that an answer names; nothing becomes the empty text.

    An answer is, in this order: one of the row's own labels; the text of a choice; a letter; a position,
    counted from 0 (from 1 in a column ``answerKey``). A number that is no text is always a position.
    Where two readings differ the row is refused, unless it is kshot's ``own``, whose answers are texts.

    >>> right_choice("B", "answer", choices=("Rome", "Paris"), labels=None, own=False)
    'Paris'

    Raises:
        DataError: The answer names no choice, or could name two.
    """
    answer = answer_text(value, key)
    if not answer:
        return ""
    if labels is not None and answer in labels:
        return choices[labels.index(answer)]
    if own and isinstance(value, str) and answer in choices:
        return answer
    readings = [] if isinstance(value, int) else _by_text(answer, choices)
    readings += _by_position(answer, choices, first=1 if key in KEYS else 0)
    if not readings:
        names = ", ".join(LETTERS[: len(choices)])
        where = "1" if key in KEYS else "0"
        expected = f"expected one of {names}, the text of a choice, or its position from {where}"
        raise DataError(
            f"field {key!r} is {answer[:80]!r}, which names none of the {len(choices)} choices; {expected}"
        )
    if len(set(readings)) > 1:
        first, second = (choices[index] for index in readings[:2])
        hint = "write the text of the choice with prompt, choices, answer"
        raise DataError(
            f"field {key!r} is {answer!r}, which may be the choice {first!r} or {second!r}; {hint}"
        )
    return choices[readings[0]]


def _by_text(answer: str, choices: Sequence[str]) -> list[int]:
    letters = LETTERS[: len(choices)]
    found = [choices.index(answer)] if answer in choices else []
    if len(answer) == 1 and answer.upper() in letters:
        found.append(letters.index(answer.upper()))
    return found


def _by_position(answer: str, choices: Sequence[str], *, first: int) -> list[int]:
    if not (answer.isascii() and answer.isdigit() and len(answer) < 4):
        return []
    index = int(answer) - first
    return [index] if 0 <= index < len(choices) else []


def _texts(found: Any, key: str) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise DataError(f"field {key!r} is {kind(found)}, expected a list of choices")
    return tuple(answer_text(entry, f"{key}[{index}]") for index, entry in enumerate(found))


def _paired(
    texts: tuple[str, ...], labels: tuple[str, ...], key: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if len(texts) != len(labels):
        raise DataError(f"field {key!r} has {len(texts)} texts and {len(labels)} labels; expected one each")
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise DataError(f"field {key!r} has two choices with the label {twice!r}; every label must differ")
    return texts, labels
