"""The nearest known name to one that does not exist: what an error message proposes."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

ENTRIES_READ = 10_000


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None where none is alike. Case does not count; ties: the first.

    >>> nearest("exampels", ["task", "examples"])
    'examples'
    >>> nearest("zzz", ["task", "examples"]) is None
    True
    """
    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(candidate.casefold(), candidate)
    found = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def proposal(name: str, known: Iterable[str]) -> str:
    """The end of a sentence: ``; did you mean 'examples'?``, or nothing."""
    found = nearest(name, known)
    return f"; did you mean {found!r}?" if found is not None else ""


def no_such_path(path: Path) -> str:
    """Says of a path that does not exist which part of it is missing and what is there instead."""
    parent = path.parent
    try:
        inner = parent
        while not parent.exists() and not inner.parent.exists() and inner != inner.parent:
            inner = inner.parent
        if not parent.exists():
            return f"there is no such file, as there is no folder {inner}{_there(inner)}"
    except OSError as error:
        return f"there can be no such file ({error.strerror or error})"
    if not parent.is_dir():
        return f"there is no such file, as {parent} is no folder"
    return f"there is no such file or folder{_there(path)}"


def _there(missing: Path) -> str:
    try:
        with os.scandir(missing.parent) as entries:
            names = sorted(entry.name for entry in islice(entries, ENTRIES_READ))
    except OSError:
        return ""
    return proposal(missing.name, names)
