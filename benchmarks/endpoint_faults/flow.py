"""How well the bound on requests in flight was used, from what the endpoint and the server saw."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from kshot.models.fake import Event, Recorded


@dataclass
class Series:
    """What ``EndpointOptions.watch`` is told: times, bounds, requests in flight."""

    rows: list[tuple[float, int, int]] = field(default_factory=list)
    taken: float = float("inf")  # when the last question was taken: after it, places stay empty rightly

    def __call__(self, time: float, bound: int, in_flight: int) -> None:
        """One change."""
        self.rows.append((time, bound, in_flight))

    def halvings(self) -> list[float]:
        """When the bound fell."""
        pairs = itertools.pairwise(self.rows)
        return [after[0] for before, after in pairs if after[1] < before[1]]

    def used(self) -> float:
        """Share of the bound in force that was in flight, over time, while there were questions."""
        bound_s = flight_s = 0.0
        for (time, bound, in_flight), (after, _, _) in itertools.pairwise(self.rows):
            seconds = max(0.0, min(after, self.taken) - time)
            bound_s += bound * seconds
            flight_s += min(in_flight, bound) * seconds  # a bound that fell below what is in flight is full
        return flight_s / bound_s

    def used_at_server(self, log: list[Event]) -> float:
        """The same with the requests that the server had, which lack those on their way."""
        moments = [(time, 0, bound) for time, bound, _ in self.rows]
        moments += [(event.time, 1, event.in_flight) for event in log]
        moments.sort()
        bound_s = flight_s = 0.0
        values = [self.rows[0][1], 0]
        for (time, which, value), (after, _, _) in itertools.pairwise(moments):
            values[which] = value
            seconds = max(0.0, min(after, self.taken) - time)
            bound_s += values[0] * seconds
            flight_s += min(values) * seconds
        return flight_s / bound_s

    def too_early(self, requests: list[Recorded]) -> int:
        """Halvings without a 429 to a request that was sent after the halving before: should be 0."""
        limited = [(r.arrived, r.finished or 0.0) for r in requests if r.status == 429]
        moments = self.halvings()
        pairs = itertools.pairwise(moments)
        return sum(not any(a >= first and f <= second for a, f in limited) for first, second in pairs)
