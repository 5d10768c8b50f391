"""Where the journal stands, and how it is used, unless something else is said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast, get_args

from kshot.errors import InputError
from kshot.models.journal.journal import Mode


def default_journal() -> Path:
    """``KSHOT_JOURNAL`` where it is set, else ``kshot/calls.sqlite`` in the user's cache folder.

    >>> default_journal().name != ""
    True
    """
    given = os.environ.get("KSHOT_JOURNAL")
    if given:
        return Path(given).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))  # a relative one is to be ignored, says its standard
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "kshot" / "calls.sqlite"


def default_mode() -> Mode:
    """``KSHOT_JOURNAL_MODE`` where it is set, else ``use``; see ``Journal`` for what each does.

    Raises:
        InputError: There is no such mode.

    >>> default_mode() in ("use", "refresh", "read_only", "off")
    True
    """
    given = os.environ.get("KSHOT_JOURNAL_MODE") or "use"
    if given not in get_args(Mode):
        raise InputError(f"KSHOT_JOURNAL_MODE is {given!r}, expected one of {', '.join(get_args(Mode))}")
    return cast(Mode, given)
