"""The nearest known name to one that does not exist: what an error message proposes."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

ENTRIES_READ = 10_000
ALIKE = 0.6  # the least share of matching characters, of whole names and of names without their ending


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like ``name``, or None where none is alike. Case does not count; ties: the first.

    Never ``name`` itself. An ending in common alone (``a.jsonl``, ``b.jsonl``) makes no two names alike.

    >>> nearest("exampels", ["task", "examples"])
    'examples'
    >>> nearest("zzz", ["task", "examples"]) is None
    True
    """
    whole, stem = _matcher(name.casefold()), _matcher(_stem(name))
    best, most = None, 0.0
    for candidate in known:
        if candidate == name:
            continue
        likeness = _likeness(whole, candidate.casefold())
        if likeness > most and _likeness(stem, _stem(candidate)):
            best, most = candidate, likeness
    return best


def _matcher(name: str) -> difflib.SequenceMatcher[str]:
    matcher = difflib.SequenceMatcher[str]()
    matcher.set_seq2(name)  # the side whose index is kept
    return matcher


def _likeness(matcher: difflib.SequenceMatcher[str], candidate: str) -> float:
    """The ratio of matching characters; 0 where it is below ``ALIKE``."""
    matcher.set_seq1(candidate)
    bounds = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)  # ever dearer, ever closer
    return matcher.ratio() if all(bound() >= ALIKE for bound in bounds) else 0.0


def _stem(name: str) -> str:
    return os.path.splitext(name.casefold())[0]  # noqa: PTH122 - a name need be no path


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
