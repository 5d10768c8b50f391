"""One paid call: what was asked, what came back, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from kshot.errors import DataError
from kshot.models.journal.keys import check_address, key_bytes, without_secrets

Status: TypeAlias = Literal["done", "failed"]
Moment: TypeAlias = datetime | str
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime.fromtimestamp(0, UTC)


class Prices(NamedTuple):
    """USD for a million tokens.

    >>> Prices(0.15, 0.6).completion
    0.6
    """

    prompt: float
    completion: float


def utc_now() -> str:
    """The time of this moment, as calls hold it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class Call:
    """A request and its reply, or the reason why there is none.

    Attributes:
        key: ``request_key(request)``.
        model: As the endpoint calls it.
        endpoint: Its base URL, without credentials; or what stands in its place.
        step: What it was for: ``learn``, ``answer`` ...
        request: Without keys and headers; plain JSON values.
        finish_reason: The endpoint's: ``stop``, ``length`` ...; empty where nothing came.
        usd: What it cost; 0 where ``prices`` is None, as nobody knows.
        prices: The model's at that time; a pair will do.
        latency_s: Seconds from the first attempt to the reply.
        attempts: HTTP requests, the last one included.
        status: ``done`` is found again; ``failed`` is kept for the record and asked anew.
        error: Why it failed; what looks like an API key is cut out.
        logprobs: Of the likeliest first tokens, natural logarithms.
        created: UTC, ISO 8601 with microseconds; now, where nothing is given.

    Raises:
        DataError: A key, status, time or address that is none.

    >>> call = Call("0" * 32, model="m", request={"model": "m"}, text="yes", step="answer")
    >>> call.status, Call.from_json(call.to_json()) == call
    ('done', True)
    """

    key: str
    model: str
    endpoint: str = ""
    step: str = "ask"
    request: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    prices: Prices | None = None
    latency_s: float = 0.0
    attempts: int = 1
    status: Status = "done"
    error: str = ""
    logprobs: tuple[tuple[str, float], ...] = ()
    created: str = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        key_bytes(self.key)
        if self.status not in get_args(Status):
            raise DataError(f"status {self.status!r} of a call is none of {', '.join(get_args(Status))}")
        check_address(self.endpoint)
        moment = EPOCH + microseconds(self.created) * MICROSECOND
        object.__setattr__(self, "created", moment.isoformat(timespec="microseconds"))
        object.__setattr__(self, "error", without_secrets(self.error))
        if self.prices is not None:
            object.__setattr__(self, "prices", Prices(*self.prices))
        object.__setattr__(self, "logprobs", tuple((str(t), float(value)) for t, value in self.logprobs))

    def to_json(self) -> dict[str, Any]:
        """Plain values, every field."""
        return asdict(self) | {
            "prices": None if self.prices is None else list(self.prices),
            "logprobs": [list(pair) for pair in self.logprobs],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Call:
        """What ``to_json`` gave.

        Raises:
            DataError: A field is missing, unknown or of another kind.
        """
        try:
            logprobs = tuple((token, value) for token, value in plain["logprobs"])
            return cls(**{**plain, "logprobs": logprobs})
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"this is no call of a journal ({error})") from error


@dataclass(frozen=True, slots=True)
class StepUsage:
    """What one step paid one model.

    Attributes:
        calls: Paid or tried, ``failed`` among them.
        hits: How often a finished reply was used again, by runs that ended in good order.
        unpriced: Calls without a known price; ``usd`` does not count them.
        seconds: Sum of the latencies; calls run side by side, so this is no wall time.
        usd_saved: What the hits cost when they were first paid.
    """

    step: str
    model: str
    calls: int = 0
    failed: int = 0
    hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0
    usd_saved: float = 0.0


def microseconds(moment: Moment) -> int:
    """Since 1970, of a time with a zone.

    Raises:
        DataError: No such time.

    >>> microseconds("1970-01-01T01:00:01+01:00")
    1000000
    """
    try:
        found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError as error:
        raise DataError(f"{moment!r} is no time in ISO 8601, such as {utc_now()}") from error
    if found.tzinfo is None:
        raise DataError(f"the time {found.isoformat()} has no zone; write it as {utc_now()}")
    return (found - EPOCH) // MICROSECOND
