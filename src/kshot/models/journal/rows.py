"""A call as the columns of a row, and back."""

from __future__ import annotations

import json
import zlib
from typing import Any

from kshot.models.journal.call import EPOCH, MICROSECOND, Call, Prices, microseconds
from kshot.models.journal.keys import canonical, key_bytes

# below this many characters compression costs more time than it saves room
SMALL = 512
COLUMNS = (
    "requests.key, calls.model, calls.endpoint, calls.step, requests.body, calls.text, calls.finish_reason,"
    " calls.prompt_tokens, calls.completion_tokens, calls.usd, calls.price_prompt, calls.price_completion,"
    " calls.latency_s, calls.attempts, calls.status, calls.error, calls.logprobs, calls.created"
)
SOURCE = "calls JOIN requests ON requests.id = calls.request"
INSERT = (
    "INSERT INTO calls (request, is_current, created, step, model, status, prompt_tokens, completion_tokens,"
    " usd, price_prompt, price_completion, latency_s, attempts, finish_reason, endpoint, error, logprobs,"
    " text)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def packed(text: str) -> str | bytes:
    """Text as it stands, or compressed: a BLOB is always compressed.

    So is a short text that is no valid UTF-8, as SQLite takes none (half an emoji, cut by a token limit).

    >>> packed("yes"), len(packed("again " * 1000)) < 100
    ('yes', True)
    """
    if len(text) < SMALL:
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 6)


def unpacked(stored: str | bytes) -> str:
    r"""What ``packed`` was given.

    >>> unpacked(packed("\ud83d" * 600)) == "\ud83d" * 600
    True
    """
    return stored if isinstance(stored, str) else zlib.decompress(stored).decode("utf-8", "surrogatepass")


def request_columns(call: Call) -> tuple[bytes, str | bytes]:
    """Key and body of the request."""
    return key_bytes(call.key), packed(canonical(call.request))


def call_columns(call: Call, request: int, *, is_current: bool) -> tuple[Any, ...]:
    """In the order of ``INSERT``."""
    prompt, completion = call.prices or (None, None)
    return (
        request, int(is_current), microseconds(call.created), call.step, call.model, call.status,
        call.prompt_tokens, call.completion_tokens, call.usd, prompt, completion, call.latency_s,
        call.attempts,
        call.finish_reason, packed(call.endpoint), packed(call.error),
        json.dumps(call.logprobs) if call.logprobs else None, packed(call.text),
    )  # fmt: skip


def call_of(row: tuple[Any, ...]) -> Call:
    """The call of a row of ``COLUMNS``."""
    (key, model, endpoint, step, body, text, finish_reason, prompt_tokens, completion_tokens, usd,
     price_prompt, price_completion, latency_s, attempts, status, error, logprobs, created) = row  # fmt: skip
    return Call(
        key=key.hex(),
        model=model,
        endpoint=unpacked(endpoint),
        step=step,
        request=json.loads(unpacked(body)),
        text=unpacked(text),
        finish_reason=finish_reason,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        usd=usd,
        prices=None if price_prompt is None else Prices(price_prompt, price_completion),
        latency_s=latency_s,
        attempts=attempts,
        status=status,
        error=unpacked(error),
        logprobs=json.loads(logprobs) if logprobs else (),
        created=(EPOCH + created * MICROSECOND).isoformat(timespec="microseconds"),
    )
