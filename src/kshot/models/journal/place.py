"""Where the journal stands unless another place is given."""

from __future__ import annotations

import os
from pathlib import Path


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
