"""One question until it is answered or given up: waits, retries, and what each attempt costs."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, final

from kshot.errors import BudgetError
from kshot.models.endpoint.gate import Gate
from kshot.models.endpoint.meter import Meter, Spent
from kshot.models.endpoint.options import EndpointOptions
from kshot.models.endpoint.reading import Received, Trouble
from kshot.models.endpoint.request import wire
from kshot.models.endpoint.verdicts import Health, stopped

NEWER_LIMIT = "max_completion_tokens"
NOTHING = Spent(0)


class Sends(Protocol):
    """Whoever makes one HTTP request; see ``Client``."""

    async def send(self, body: dict[str, Any]) -> Received | Trouble:
        """One attempt."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """How one question ended, and what all its attempts cost.

    Attributes:
        found: The reply, or why the question failed.
        spent: Of all attempts that were, or may have been, paid.
        attempts: HTTP requests.
        seconds: That they took, without the waits between them.
        estimated: Of the paid attempts, those whose tokens are estimates.
    """

    found: Received | Trouble
    spent: Spent = NOTHING
    attempts: int = 0
    seconds: float = 0.0
    estimated: int = 0


@dataclass(frozen=True, slots=True)
class Errand:
    """One question as the sender gets it.

    Attributes:
        request: The canonical one.
        need: What one attempt may cost.
        step: Under which it is counted.
        sending: Told True before a request is sent, and False where it is to be sent again.
        written: Writes a reply down. The request counts as in flight until that is done, so that a kill never
            loses more replies than there are places.
    """

    request: dict[str, Any]
    need: Spent
    step: str
    sending: Callable[[bool], None]
    written: Callable[[Result], Awaitable[None]]


@dataclass(slots=True)
class _Course:
    """What one question has been through."""

    errand: Errand
    began: float
    result: Result | None = None
    failures: int = 0
    limits: int = 0
    empties: int = 0


@final
class Sender:
    """Asks one endpoint. Lives in one event loop.

    Args:
        client: Makes the requests.
        name: The base URL, for messages.
    """

    def __init__(
        self, client: Sends, *, name: str, gate: Gate, meter: Meter, options: EndpointOptions
    ) -> None:
        self._client = client
        self._name = name
        self._gate = gate
        self._meter = meter
        self._options = options
        self._limit_name = "max_tokens"
        self._freed = asyncio.Event()
        self._random = random.Random()  # waits alone hang on it; two processes must not wait alike
        self._health = Health()

    async def call(self, errand: Errand) -> Result:
        """Asks until there is a reply, which is then written, or none is to be had.

        Raises:
            BudgetError: The next attempt does not fit the budget.
            ModelError: The endpoint cannot be used: nobody there, a key refused, no credit.
        """
        course = _Course(errand, time.monotonic())
        while True:
            used = self._limit_name
            found, result = await self._attempt(course)
            course.result = result
            if isinstance(found, Received):
                return result
            if found.status == 400 and NEWER_LIMIT in found.told and used != NEWER_LIMIT:
                self._limit_name = NEWER_LIMIT
                continue
            wait = self._wait(found, course)
            if wait is None:
                return result
            errand.sending(False)
            await asyncio.sleep(wait)

    async def _attempt(self, course: _Course) -> tuple[Received | Trouble, Result]:
        """One place, one reservation, one request."""
        errand, before = course.errand, course.result or Result(Trouble("unsent", ""))
        epoch = await self._gate.enter(first=before.attempts > 0)
        try:
            await self._reserved(errand.need)
            began = time.monotonic()
            found, paid = await self._sent(errand)
            seconds = time.monotonic() - began
            self._noted(found, epoch, seconds)
            estimated = _is_lost(found) or (isinstance(found, Received) and found.estimated)
            result = Result(
                found,
                _plus(before.spent, paid),
                before.attempts + 1,
                before.seconds + seconds,
                before.estimated + (paid is not None and estimated),
            )
            if isinstance(found, Received):
                await errand.written(result)
            return found, result
        finally:
            self._gate.leave()

    async def _sent(self, errand: Errand) -> tuple[Received | Trouble, Spent | None]:
        """The request, and what it cost; one that is cancelled counts as lost."""
        paid: Spent | None = replace(errand.need, completion_tokens=0)
        lost = True
        try:
            errand.sending(True)
            found = await self._client.send(wire(errand.request, limit_name=self._limit_name))
            paid, lost = _paid(found, errand.need), _is_lost(found)
            return found, paid
        finally:
            self._meter.settle(errand.need, paid, step=errand.step, lost=lost)
            self._freed.set()
            self._freed = asyncio.Event()

    async def _reserved(self, need: Spent) -> None:
        """Waits until the request fits the budget: those in flight may cost less than was reserved."""
        while not self._meter.reserve(need):
            if not self._meter.waiting:
                raise BudgetError(f"{self._name}: the budget is used up: {self._meter.told()}")
            await self._freed.wait()

    def _noted(self, found: Received | Trouble, epoch: int, seconds: float) -> None:
        """What an attempt tells of the endpoint."""
        if isinstance(found, Received) or found.kind in ("refused", "empty"):
            self._gate.answered(epoch, seconds)
            if isinstance(found, Received) or found.status != 404:  # 404 is no sign of a working address
                self._health.served()
            return
        if found.kind == "limited":
            self._gate.limited(epoch)
        if found.status:
            self._health.heard = True
        if found.wait_s is not None and found.wait_s <= self._options.patience_s:
            self._gate.pause(found.wait_s)

    def _wait(self, found: Trouble, course: _Course) -> float | None:
        """Seconds until the next attempt; None where the question has failed.

        Raises:
            ModelError: The run cannot go on.
        """
        options, health = self._options, self._health
        reason = health.verdict(found, began=course.began, failures=course.failures + 1, options=options)
        if reason:
            raise stopped(self._name, found, reason, options.api_key_env)
        if found.kind in ("refused", "stop"):
            return None
        if found.kind == "empty":
            course.empties += 1
            return 0.0 if course.empties == 1 else None
        if found.kind == "limited":
            course.limits += 1
            return 0.0 if found.wait_s is not None else self._backoff(course.limits)
        course.failures += 1
        return self._backoff(course.failures) if course.failures <= options.retries else None

    def _backoff(self, count: int) -> float:
        """Full jitter: anywhere between nothing and a span that doubles each time."""
        span = self._options.first_backoff_s * 2.0 ** min(count - 1, 30)
        return self._random.uniform(0.0, min(span, self._options.longest_backoff_s))


def _is_lost(found: Received | Trouble) -> bool:
    return isinstance(found, Trouble) and found.kind == "lost"


def _paid(found: Received | Trouble, need: Spent) -> Spent | None:
    """What an attempt cost; None where it was not served."""
    if isinstance(found, Received):
        prompt = need.prompt_tokens if found.estimated else found.prompt_tokens
        return Spent(1, prompt, found.completion_tokens)
    if found.tokens is not None:
        return Spent(1, *found.tokens)
    if found.kind in ("lost", "empty") or (found.kind == "refused" and found.status == 200):
        return replace(need, completion_tokens=0)
    return None


def _plus(spent: Spent, paid: Spent | None) -> Spent:
    if paid is None:
        return spent
    return Spent(
        spent.calls + paid.calls,
        spent.prompt_tokens + paid.prompt_tokens,
        spent.completion_tokens + paid.completion_tokens,
    )
