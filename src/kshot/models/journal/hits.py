"""How often finished replies were used again, and what that saved."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from typing import TypeAlias, final

from kshot.models.journal.call import Call

Counts: TypeAlias = dict[tuple[str, str], tuple[int, float]]


@final
class Hits:
    """Counted in memory by step and model, written with the next transaction.

    A killed process loses what it has counted since: that is a statistic, no money.

    >>> hits = Hits()
    >>> hits.add([Call("0" * 32, "m", step="answer", usd=0.5)] * 2)
    >>> hits.taken(), hits.taken()
    ({('answer', 'm'): (2, 1.0)}, {})
    """

    def __init__(self) -> None:
        self._counts: Counts = {}
        self._lock = threading.Lock()

    def add(self, calls: Iterable[Call]) -> None:
        """One hit for each call."""
        for call in calls:
            self.put_back({(call.step, call.model): (1, call.usd)})

    def taken(self) -> Counts:
        """What was counted, and begins anew."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return counts

    def put_back(self, counts: Counts) -> None:
        """Adds counts that could not be written."""
        with self._lock:
            for name, (count, usd) in counts.items():
                before = self._counts.get(name, (0, 0.0))
                self._counts[name] = (before[0] + count, before[1] + usd)


def write_hits(connection: sqlite3.Connection, counts: Counts) -> None:
    """Adds counts to those in the file."""
    connection.executemany(
        "INSERT INTO hits (step, model, count, usd) VALUES (?, ?, ?, ?) ON CONFLICT (step, model)"
        " DO UPDATE SET count = count + excluded.count, usd = usd + excluded.usd",
        ((step, model, count, usd) for (step, model), (count, usd) in counts.items()),
    )
