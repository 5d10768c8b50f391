"""Texts and JSON of trees in and out: strict, with the line of every fault, whole files only."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from kshot.data.atomic import write_atomically
from kshot.data.nearest import no_such_path
from kshot.errors import DataError

_HALVES = re.compile("[\ud800-\udfff]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        DataError: The file is missing, empty, binary or no UTF-8, or cannot be read.
    """
    try:
        if not path.exists():
            raise DataError(f"{path}: {no_such_path(path)}")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: the file cannot be read ({reason})") from None
    if data.startswith(_UTF16):
        raise DataError(f"{path}: the file is UTF-16; save it as UTF-8")
    if b"\0" in data:
        raise DataError(f"{path}: this is a binary file; expected text (UTF-8)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: the bytes are no UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise DataError(f"{path}: the file is empty; expected a tree of tasks")
    return text


def read_json(path: Path) -> Any:
    """The value of a JSON file; no key twice in one object, no NaN.

    Raises:
        DataError: As ``read_text``, or it is no JSON; with the line.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: this is no valid JSON ({error.msg}, column {error.colno})"
        ) from None
    except RecursionError:
        raise DataError(f"{path}: lists or objects are nested too deep; expected a tree of tasks") from None
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def json_text(value: Any, *, indent: int | None = None) -> str:
    r"""JSON that any UTF-8 file can hold: letters as they are, half characters escaped.

    >>> json_text(["é", "\ud800"])
    '["é", "\\ud800"]'
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def write_file(path: Path, text: str) -> None:
    """Writes a text as UTF-8; the file appears whole or not at all.

    Raises:
        DataError: It cannot be written.
    """
    try:
        write_atomically(path, text.encode("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} stands twice in one object; keep one of them")
    return found


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value; write a number, a text or null")
