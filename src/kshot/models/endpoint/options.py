"""What an endpoint is told beside its address: limits on cost, prices, patience, the name of its key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.errors import InputError
from kshot.models.journal import Mode
from kshot.models.journal.call import Prices

Recovery: TypeAlias = Literal["round_trip", "reply"]
Watch: TypeAlias = Callable[[float, int, int], None]


@dataclass(frozen=True, slots=True)
class Budget:
    """Hard limits of an endpoint, over all its steps; None is no limit.

    A request is sent only where its estimated prompt and its whole ``max_new_tokens`` still fit. The estimate
    may be too low for unusual text, so tokens and money may end slightly above the limit; calls never do.

    Attributes:
        calls: Requests that are, or may have been, paid.
        tokens: Of prompts and replies together.
        usd: Needs the model's prices.

    >>> Budget(calls=100).tokens is None
    True
    """

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "usd"):
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:
                raise InputError(f"budget: {name} is {limit}; expected 0 or more, or none")


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """How an endpoint is asked.

    Attributes:
        api_key_env: Name of the environment variable that holds the key; None: no key is sent.
        timeout_s: Seconds for one attempt, from sending it to the last byte.
        retries: How often one question is sent again after a server error, a lost or a malformed reply.
        patience_s: How long an endpoint may answer nothing but 429, or ask to be left alone, before the run
            stops.
        prices: USD per million tokens; without them money is unknown and ``Budget.usd`` is refused.
        most_failed: Share of failed questions above which a run stops; judged from the 20th reply on.
        first_backoff_s: The first wait is drawn from 0 to this, each further one from twice as much.
        longest_backoff_s: The most that is drawn from.
        seed: Added to each question's own, where the endpoint honours seeds.
        recovery: After a 429 halved the bound, it grows by one with each ``reply``, or by one with each
            ``round_trip`` of replies: gentler, and very slow where 429s come at any load.
        journal_mode: How a journal that is given by its file is opened; see ``Journal``.
        watch: Told the time (``time.monotonic``), the bound and the requests in flight at each change.
    """

    api_key_env: str | None = None
    timeout_s: float = 120.0
    retries: int = 6
    patience_s: float = 600.0
    prices: Prices | None = None
    most_failed: float = 0.5
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 30.0
    seed: int = 0
    recovery: Recovery = "reply"
    journal_mode: Mode = "use"
    watch: Watch | None = None

    def __post_init__(self) -> None:
        checks = {
            "timeout_s": self.timeout_s > 0,
            "retries": self.retries >= 0,
            "patience_s": self.patience_s >= 0,
            "most_failed": 0 <= self.most_failed <= 1,
            "first_backoff_s": self.first_backoff_s >= 0,
            "longest_backoff_s": self.longest_backoff_s >= self.first_backoff_s,
            "recovery": self.recovery in ("round_trip", "reply"),
            "prices": self.prices is None or min(self.prices.prompt, self.prices.completion) >= 0,
        }
        for name, right in checks.items():
            if not right:
                raise InputError(f"endpoint: {name} is {getattr(self, name)}; see EndpointOptions")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What questions would cost, before any is asked.

    Attributes:
        questions: How many there are.
        cached: Of these, in the journal, or equal to an earlier one: free.
        calls: Requests, where each is answered at once.
        prompt_tokens: From the length of the text (``tokens_of``), rather too many than too few.
        completion_tokens: Upper bound: every reply as long as it may be.
        usd: Upper bound; None without prices.
    """

    questions: int
    cached: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
