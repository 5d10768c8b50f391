"""What a fake server remembers: every request and its outcome, what was paid, how many were in flight."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "api-key", "x-api-key"})
VOLATILE = frozenset({"stream", "stream_options"})


@dataclass(slots=True)
class Recorded:
    """One request as it was seen.

    Attributes:
        body: The parsed JSON; None where it was none.
        headers: Lower case; the values of those that hold secrets are left out.
        outcome: The fate, or ``refused`` (401, 400, 404), ``hung_up`` (the client went first); empty while
            it is in flight.
        arrived: Seconds of ``time.monotonic``.
        finished: The same, of the last byte; None while it is in flight.
        raw: The body's bytes as they came.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None
    headers: Mapping[str, str]
    arrived: float
    raw: bytes = b""
    outcome: str = ""
    status: int = 0
    finished: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A moment at which the number of requests in flight changed; ``what`` is ``arrived`` or the outcome."""

    time: float
    what: str
    in_flight: int


@dataclass(slots=True)
class _Counts:
    requests: list[Recorded] = field(default_factory=list)
    log: list[Event] = field(default_factory=list)
    paid: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    most_in_flight: int = 0


def canonical(body: Mapping[str, Any]) -> str:
    """The body as one text that is equal for equal questions; whether it streams does not count.

    >>> canonical({"b": 1, "a": 2, "stream": True})
    '{"a": 2, "b": 1}'
    """
    kept = {name: value for name, value in body.items() if name not in VOLATILE}
    return json.dumps(kept, sort_keys=True)


@final
class Ledger:
    """The memory of one server; safe to read from another thread while it writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = _Counts()
        self._in_flight = 0

    def open(self, recorded: Recorded) -> int:
        """A chat request came; gives how many are in flight with it."""
        with self._lock:
            self._in_flight += 1
            counts = self._counts
            counts.requests.append(recorded)
            counts.most_in_flight = max(counts.most_in_flight, self._in_flight)
            counts.log.append(Event(recorded.arrived, "arrived", self._in_flight))
            return self._in_flight

    def close(self, recorded: Recorded, outcome: str) -> None:
        """Its last byte was written, or its connection is gone. A second call does nothing."""
        with self._lock:
            if recorded.finished is not None:
                return
            recorded.finished, recorded.outcome = time.monotonic(), outcome
            self._in_flight -= 1
            self._counts.log.append(Event(recorded.finished, outcome, self._in_flight))

    def note(self, recorded: Recorded, outcome: str) -> None:
        """A request that is no chat; it does not count as in flight."""
        recorded.finished, recorded.outcome = time.monotonic(), outcome
        with self._lock:
            self._counts.requests.append(recorded)

    def pay(self, body: str) -> None:
        """A full reply to this canonical body was produced."""
        with self._lock:
            self._counts.paid[body] += 1

    def before(self, body: str) -> int:
        """How often this canonical body came before; counts it."""
        with self._lock:
            self._counts.seen[body] += 1
            return self._counts.seen[body] - 1

    def reset(self) -> None:
        """Forgets all but what is in flight."""
        with self._lock:
            self._counts = _Counts(most_in_flight=self._in_flight)

    @property
    def requests(self) -> list[Recorded]:
        """All requests so far, in the order of arrival."""
        with self._lock:
            return list(self._counts.requests)

    @property
    def log(self) -> list[Event]:
        """All changes of the number in flight, in order."""
        with self._lock:
            return list(self._counts.log)

    @property
    def paid(self) -> Counter[str]:
        """How often each canonical body was paid."""
        with self._lock:
            return Counter(self._counts.paid)

    @property
    def in_flight_now(self) -> int:
        """Chat requests that came and are not finished."""
        return self._in_flight

    @property
    def most_in_flight(self) -> int:
        """The most at any moment."""
        return self._counts.most_in_flight

    def stats(self) -> dict[str, Any]:
        """The counts as JSON values, for ``GET /stats``."""
        with self._lock:
            counts = self._counts
            return {
                "requests": len(counts.requests),
                "outcomes": dict(Counter(r.outcome or "in_flight" for r in counts.requests)),
                "paid": sum(counts.paid.values()),
                "paid_distinct": len(counts.paid),
                "paid_most_often": max(counts.paid.values(), default=0),
                "in_flight_now": self._in_flight,
                "most_in_flight": counts.most_in_flight,
            }
