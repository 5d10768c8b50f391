"""What goes wrong on purpose: which share of the requests meets which fate, drawn from a seed."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.errors import InputError

Fate: TypeAlias = Literal[
    "ok", "rate_limited", "malformed", "disconnected", "truncated", "cut_body", "server_error", "empty"
]
SHARES: tuple[Fate, ...] = (
    "rate_limited",
    "malformed",
    "disconnected",
    "truncated",
    "cut_body",
    "server_error",
    "empty",
)


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of the requests that go wrong, and how slow the others are.

    A fate depends on the seed, the request's body and how often that body came before, so that the order of
    arrival does not matter: the same questions meet the same fates in every run.

    Attributes:
        rate_limited: Share answered 429.
        retry_after: What a 429 says in ``Retry-After``: seconds, ``date`` for an HTTP date about a second
            ahead, or nothing.
        capacity: Requests beyond this many in flight are answered 429 too.
        malformed: Share whose body is no JSON, or JSON of another shape, with status 200; not paid.
        disconnected: Share whose connection is closed without a reply (in the middle, for a stream).
        after_paying: Whether a reply that is lost by ``disconnected`` or ``cut_body`` was paid.
        truncated: Share with half the words and ``finish_reason`` ``length``; paid.
        cut_body: Share whose ``Content-Length`` promises more than comes before the connection ends.
        server_error: Share answered 500 or 503.
        empty: Share with an empty text; paid.
        latency: Seconds, lowest and highest, drawn evenly. A refusal (429, 500, 503) takes the lowest.
        seed: Of all draws.

    Raises:
        InputError: A share is outside 0 to 1, all together are above 1, or a time makes no sense.

    >>> Faults(rate_limited=0.2).fate("body", 0) in ("ok", "rate_limited")
    True
    """

    rate_limited: float = 0.0
    retry_after: float | Literal["date"] | None = None
    capacity: int | None = None
    malformed: float = 0.0
    disconnected: float = 0.0
    after_paying: bool = False
    truncated: float = 0.0
    cut_body: float = 0.0
    server_error: float = 0.0
    empty: float = 0.0
    latency: tuple[float, float] = (0.0, 0.0)
    seed: int = 0

    def __post_init__(self) -> None:
        shares = {name: float(getattr(self, name)) for name in SHARES}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise InputError(f"Faults: {name} is {share}, expected a share from 0 to 1")
        if sum(shares.values()) > 1 + 1e-9:
            raise InputError(f"Faults: the shares add up to {sum(shares.values()):.3f}, expected at most 1")
        low, high = self.latency
        if not (0 <= low <= high and math.isfinite(high)):
            raise InputError(f"Faults: latency is {self.latency}, expected (lowest, highest) in seconds")
        if isinstance(self.retry_after, str) and self.retry_after != "date":
            raise InputError(
                f"Faults: retry_after is {self.retry_after!r}, expected seconds, 'date' or nothing"
            )

    def fate(self, body: str, before: int) -> Fate:
        """What happens to the request with this body that came ``before`` times already."""
        if not any(getattr(self, name) for name in SHARES):
            return "ok"
        drawn, up_to = self._uniform("fate", body, before), 0.0
        for name in SHARES:
            up_to += getattr(self, name)
            if drawn < up_to:
                return name
        return "ok"

    def seconds(self, body: str, before: int) -> float:
        """How long the reply to this request takes."""
        low, high = self.latency
        return low if low == high else low + (high - low) * self._uniform("latency", body, before)

    def coin(self, body: str, before: int) -> bool:
        """One of two forms of a fault."""
        return self._uniform("coin", body, before) < 0.5

    def _uniform(self, what: str, body: str, before: int) -> float:
        text = f"{self.seed}\n{what}\n{before}\n{body}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / (1 << 48)


NO_FAULTS = Faults()
