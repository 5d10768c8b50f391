"""How many requests are in flight: a bound that halves on 429 and grows back by one."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from kshot.models.endpoint.options import Recovery, Watch

SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Flow:
    """How the bound on requests in flight went.

    Attributes:
        bound: In force now.
        in_flight: Now.
        halvings: How often a 429 halved the bound.
        lowest: The lowest bound there was.
        paused_s: Seconds that the endpoint asked to be left alone.
    """

    bound: int
    in_flight: int
    halvings: int
    lowest: int
    paused_s: float


@final
class Gate:
    """Lets requests through, ``bound`` at a time. Lives in one event loop.

    The bound starts at ``most``. A 429 halves it, unless that request was sent before the last halving, or
    the last halving is no longer ago than a usual reply takes (a refusal is often much faster): so it is
    halved at most once a round trip. Each reply lets it grow by one; or, in the gentler recovery, each round
    trip of replies to requests that were sent after the halving.

    >>> gate = Gate(8)
    >>> ticket = gate.epoch
    >>> gate.limited(ticket); gate.bound
    4
    >>> gate.limited(ticket); gate.bound
    4
    """

    def __init__(
        self,
        most: int,
        *,
        recovery: Recovery = "reply",
        watch: Watch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most = most
        self.bound = most
        self.in_flight = 0
        self.epoch = 0
        self._recovery = recovery
        self._watch = watch
        self._clock = clock
        self._credit = 0.0
        self._trip_s = 0.0  # a moving average of what replies take
        self._halved = float("-inf")
        self._lowest = most
        self._paused_until = 0.0
        self._paused_s = 0.0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, *, first: bool = False) -> int:
        """Waits for a place; returns the epoch to give back with the result. ``first``: before the others."""
        if self._open() and not self._waiters:
            return self._let_in()
        place = asyncio.get_running_loop().create_future()
        if first:
            self._waiters.appendleft(place)
        else:
            self._waiters.append(place)
        self._wake()
        try:
            await place
        except asyncio.CancelledError:
            if (
                place.done() and not place.cancelled()
            ):  # let in and cancelled at once: the place is given back
                self.leave()
            raise
        return self.epoch

    def leave(self) -> None:
        """Gives a place back."""
        self.in_flight -= 1
        self._told()
        self._wake()

    def limited(self, epoch: int) -> None:
        """A 429 to a request of this epoch."""
        if epoch != self.epoch or self._clock() - self._halved < self._trip_s:
            return
        self._halved = self._clock()
        self.bound = max(1, self.bound // 2)
        self._lowest = min(self._lowest, self.bound)
        self.epoch += 1
        self._credit = 0.0
        self._told()

    def answered(self, epoch: int, seconds: float = 0.0) -> None:
        """A reply to a request of this epoch, and how long it took."""
        self._trip_s += (seconds - self._trip_s) * (SHARE if self._trip_s else 1.0)
        is_old = self._recovery == "round_trip" and epoch != self.epoch
        if is_old or self.bound >= self.most:
            return
        self._credit += 1.0 if self._recovery == "reply" else 1.0 / self.bound
        if self._credit >= 1.0 - 1e-9:
            self._credit = 0.0
            self.bound += 1
            self._told()
            self._wake()

    def pause(self, seconds: float) -> None:
        """Nobody is let in for this long; the later of two ends counts."""
        now = self._clock()
        until = now + seconds
        if until > self._paused_until:
            self._paused_s += until - max(now, self._paused_until)
            self._paused_until = until
        self._wake()

    def flow(self) -> Flow:
        """The facts so far."""
        return Flow(self.bound, self.in_flight, self.epoch, self._lowest, self._paused_s)

    def _open(self) -> bool:
        return self.in_flight < self.bound and self._clock() >= self._paused_until

    def _let_in(self) -> int:
        self.in_flight += 1
        self._told()
        return self.epoch

    def _wake(self) -> None:
        while self._waiters and self._open():
            place = self._waiters.popleft()
            if not place.done():
                self._let_in()
                place.set_result(None)
        pause = self._paused_until - self._clock()
        if self._waiters and pause > 0:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(pause + 0.001, self._wake)

    def _told(self) -> None:
        if self._watch is not None:
            self._watch(self._clock(), self.bound, self.in_flight)
