"""Every paid call once, in one SQLite file: the cache, the resume after a kill, and the bill.

::

    request ── request_key ──▶ find ──▶ a finished reply: used, costs nothing
                                 └ none ─▶ claim ──▶ ours: ask, then settle, then use the reply
                                             └ somebody asks already: wait, find again, claim again
"""

from kshot.models.journal.call import Call, Prices, StepUsage, utc_now
from kshot.models.journal.journal import Journal, Mode
from kshot.models.journal.keys import request_key
from kshot.models.journal.place import default_journal, default_mode

__all__ = [
    "Call",
    "Journal",
    "Mode",
    "Prices",
    "StepUsage",
    "default_journal",
    "default_mode",
    "request_key",
    "utc_now",
]
