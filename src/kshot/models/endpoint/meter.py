"""What an endpoint has spent, by step, and what its budget still allows."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from typing import final

from kshot.errors import InputError
from kshot.models.base import Reply
from kshot.models.endpoint.options import Budget
from kshot.models.journal.call import Prices


@dataclass(frozen=True, slots=True)
class StepUsage:
    """What one step asked and spent.

    Attributes:
        step: ``learn``, ``answer``, ``judge`` ...
        calls: Requests that were, or may have been, paid: those whose reply was lost count.
        cached: Replies from the journal; they cost nothing.
        failed: Questions without a usable reply.
        prompt_tokens: As the endpoint counts them; where a reply was lost or counts nothing, estimated.
        completion_tokens: The same; a lost reply counts none here, and its whole limit in the budget.
        usd: Of these tokens; 0 without prices.
        seconds: Sum of the times of all requests; they run side by side, so this is no wall time.
        estimated: Of the calls, those with estimated tokens.
    """

    step: str
    calls: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    estimated: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """One request's cost, or what one may cost at most."""

    calls: int = 1
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def usd(self, prices: Prices | None) -> float:
        """At these prices; 0 without."""
        if prices is None:
            return 0.0
        return (self.prompt_tokens * prices.prompt + self.completion_tokens * prices.completion) / 1e6


@final
class Meter:
    """Reserves before a request, settles after it, and keeps the counts of every step. Safe for threads.

    Raises:
        InputError: A limit in USD without prices.

    >>> meter = Meter(Budget(tokens=100))
    >>> meter.reserve(Spent(1, 40, 50)), meter.reserve(Spent(1, 10, 10))
    (True, False)
    >>> meter.settle(Spent(1, 40, 50), Spent(1, 38, 5), step="answer")
    >>> meter.reserve(Spent(1, 10, 10))
    True
    """

    def __init__(self, budget: Budget | None = None, *, prices: Prices | None = None) -> None:
        self.budget = budget or Budget()
        self.prices = prices
        if self.budget.usd is not None and prices is None:
            raise InputError(
                "budget: a limit in USD needs the model's prices (USD per million tokens); "
                "give them, or limit calls or tokens"
            )
        self._lock = threading.Lock()
        self._spent = Spent(0)
        self._reserved: list[Spent] = []
        self._steps: dict[str, StepUsage] = {}

    @property
    def waiting(self) -> int:
        """Reservations that are not settled yet."""
        return len(self._reserved)

    def reserve(self, need: Spent) -> bool:
        """Whether the request may be sent; it counts as spent until it is settled."""
        with self._lock:
            if not self._fits(_sum([self._spent, *self._reserved, need])):
                return False
            self._reserved.append(need)
            return True

    def settle(self, need: Spent, paid: Spent | None, *, step: str, lost: bool = False) -> None:
        """Puts what was paid in place of what was reserved; None: nothing was.

        A ``lost`` reply may have been paid to its limit: the budget keeps all that was reserved for it.
        """
        with self._lock:
            self._reserved.remove(need)
            if paid is not None:
                self._spent = _sum([self._spent, need if lost else paid])
                row = self._row(step)
                self._steps[step] = replace(
                    row,
                    calls=row.calls + paid.calls,
                    prompt_tokens=row.prompt_tokens + paid.prompt_tokens,
                    completion_tokens=row.completion_tokens + paid.completion_tokens,
                    usd=row.usd + paid.usd(self.prices),
                )

    def count(self, reply: Reply, *, step: str, seconds: float = 0.0, estimated: int = 0) -> None:
        """Counts one question's end."""
        with self._lock:
            row = self._row(step)
            self._steps[step] = replace(
                row,
                cached=row.cached + reply.cached,
                failed=row.failed + (reply.finish_reason == "error"),
                seconds=row.seconds + seconds,
                estimated=row.estimated + estimated,
            )

    def usage(self) -> tuple[StepUsage, ...]:
        """Every step, in the order of their first questions."""
        with self._lock:
            return tuple(self._steps.values())

    def told(self) -> str:
        """What was spent and what was allowed, in words."""
        spent, budget = self._spent, self.budget
        tokens = spent.prompt_tokens + spent.completion_tokens
        parts = [_told(spent.calls, budget.calls, "calls"), _told(tokens, budget.tokens, "tokens")]
        if self.prices is not None:
            parts.append(_told(spent.usd(self.prices), budget.usd, "USD"))
        return ", ".join(parts)

    def after_fork(self) -> None:
        """A lock of its own for a child process, with nothing reserved."""
        self._lock = threading.Lock()
        self._reserved = []

    def _fits(self, total: Spent) -> bool:
        budget = self.budget
        return (
            total.calls <= (math.inf if budget.calls is None else budget.calls)
            and total.prompt_tokens + total.completion_tokens
            <= (math.inf if budget.tokens is None else budget.tokens)
            and total.usd(self.prices) <= (math.inf if budget.usd is None else budget.usd)
        )

    def _row(self, step: str) -> StepUsage:
        return self._steps.setdefault(step, StepUsage(step))


def _sum(parts: list[Spent]) -> Spent:
    return Spent(
        sum(part.calls for part in parts),
        sum(part.prompt_tokens for part in parts),
        sum(part.completion_tokens for part in parts),
    )


def _told(spent: float, limit: float | None, unit: str) -> str:
    shown = f"{spent:.4f}" if unit == "USD" else f"{spent:,}"
    if limit is None:
        return f"{shown} {unit}"
    return f"{shown} of {limit:.4f} {unit}" if unit == "USD" else f"{shown} of {limit:,} {unit}"
