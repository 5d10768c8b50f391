"""What SQLite refuses, in words: what was found, and what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kshot.errors import InputError, KshotError, RunError

ELSEWHERE = "choose another place (--journal PATH, or KSHOT_JOURNAL)"


def explained(path: Path, error: sqlite3.Error, *, waited_s: float) -> KshotError:
    """What SQLite refused, and what to do.

    >>> explained(Path("a.sqlite"), sqlite3.OperationalError("disk I/O error"), waited_s=1.0)
    RunError('a.sqlite: the journal cannot be used (disk I/O error)')
    """
    name = getattr(error, "sqlite_errorname", "") or ""
    words = {
        "SQLITE_BUSY": f"other processes held the journal for more than {waited_s:g} s; "
        "try again when they are done",
        "SQLITE_LOCKED": "the journal is locked from within this process; try again",
        "SQLITE_FULL": "the disk is full, the last replies were not written; make room and run the same "
        "again: what was written before is kept",
        "SQLITE_READONLY": f"the journal cannot be written to ({error}); {ELSEWHERE}",
        "SQLITE_CANTOPEN": f"the journal cannot be opened ({error}); {ELSEWHERE}",
        "SQLITE_PERM": f"the journal cannot be opened ({error}); {ELSEWHERE}",
        "SQLITE_IOERR": f"the disk refuses ({error}); what was written before is kept; make room, "
        f"or {ELSEWHERE}",
        "SQLITE_CORRUPT": f"the journal is damaged ({error}); `sqlite3 FILE .recover` may save what it "
        "holds, or move it away: its replies are then asked, and paid, anew",
    }
    if name.startswith("SQLITE_NOTADB"):
        return InputError(f"{path}: this is no SQLite file, so no journal; {ELSEWHERE}")
    for begin, said in words.items():
        if name.startswith(begin):
            return RunError(f"{path}: {said}")
    return RunError(f"{path}: the journal cannot be used ({error})")
