"""From a chat request to the bytes that answer it: what is sent, when, and whether the connection dies."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any

from kshot.errors import InputError
from kshot.models.fake.faults import Fate, Faults
from kshot.models.fake.replies import FakeReply, Script, chunks, completion, request_text, spoken
from kshot.models.fake.wire import chunk, error_body, response_bytes, stream_head

Say = Callable[[Mapping[str, Any]], FakeReply]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one request is answered.

    Attributes:
        outcome: As it is recorded.
        parts: Written one after another.
        delay: Seconds before the first part.
        between: Seconds between two parts.
        abort: Whether the connection is closed after the last part.
        paid: Whether it counts as a full reply that was produced.
    """

    outcome: str
    status: int
    parts: tuple[bytes, ...]
    delay: float = 0.0
    between: float = 0.0
    abort: bool = False
    paid: bool = False


def speaker(script: Script) -> Say:
    """One function from a request's body to a reply, whatever the script is.

    A list is used up reply by reply in the order of arrival; a mapping goes by the last user message's text.
    A request without a reply, or a function that raises, is answered with an error of status 400.
    """
    if callable(script):
        return lambda body: _as_reply(script(body), body)
    if isinstance(script, Mapping):
        return lambda body: _looked_up(script, body)
    if isinstance(script, str) or not isinstance(script, Sequence):
        raise InputError(
            f"a script is {type(script).__name__}, expected a function, a mapping or a list of replies"
        )
    left = iter(script)

    def next_one(body: Mapping[str, Any]) -> FakeReply:
        found = next(left, None)
        return FakeReply("the script is used up", status=400) if found is None else _as_reply(found, body)

    return next_one


def _as_reply(found: str | FakeReply, body: Mapping[str, Any]) -> FakeReply:
    return found if isinstance(found, FakeReply) else spoken(found, body)


def _looked_up(script: Mapping[str, str], body: Mapping[str, Any]) -> FakeReply:
    text = request_text(body)
    if text not in script:
        return FakeReply(f"the script has no reply to {text[:80]!r}", status=400)
    return _as_reply(script[text], body)


def refusal(status: int, message: str, *, code: str | None = None, kind: str = "") -> Plan:
    """A request that is answered with an error."""
    content = error_body(message, kind=kind or "invalid_request_error", code=code)
    return Plan("refused", status, (response_bytes(status, content),))


def plan(body: Mapping[str, Any], say: Say, faults: Faults, *, key: str, before: int, in_flight: int) -> Plan:
    """The answer to one chat request: its fate is drawn, and only a fate that needs one asks for a reply."""
    fate = faults.fate(key, before)
    if faults.capacity is not None and in_flight > faults.capacity:
        fate = "rate_limited"
    if fate in ("rate_limited", "server_error"):
        return _refused(fate, faults, faults.coin(key, before))
    delay = faults.seconds(key, before)
    if fate == "malformed":
        return _malformed(faults.coin(key, before), delay)
    try:
        reply = say(body)
    except Exception as error:  # a mistake in a test's function must reach the test, not end the server
        return replace(refusal(400, f"the reply function raised {error!r}"), outcome="failed")
    delay = delay if reply.latency is None else reply.latency
    if reply.status >= 400:
        content = error_body(reply.text)
        sent = response_bytes(reply.status, content, headers=reply.headers)
        return Plan("refused", reply.status, (sent,), delay)
    return _said(
        _changed(reply, fate), body, fate, delay=delay, lost_is_paid=faults.after_paying, number=before
    )


def _changed(reply: FakeReply, fate: Fate) -> FakeReply:
    if fate == "truncated":
        words = reply.text.split()
        return replace(reply, text=" ".join(words[: math.ceil(len(words) / 2)]), finish_reason="length")
    return replace(reply, text="") if fate == "empty" else reply


def _refused(fate: Fate, faults: Faults, coin: bool) -> Plan:
    if fate == "server_error":
        status = 500 if coin else 503
        content = error_body("the fake server fails on purpose", kind="server_error")
        return Plan(fate, status, (response_bytes(status, content),), faults.latency[0])
    content = error_body("the fake server limits the rate", kind="requests", code="rate_limit_exceeded")
    headers = {}
    if faults.retry_after == "date":
        headers["retry-after"] = formatdate(math.ceil(time.time()) + 1, usegmt=True)
    elif faults.retry_after is not None:
        headers["retry-after"] = f"{faults.retry_after:g}"
    return Plan(fate, 429, (response_bytes(429, content, headers=headers),), faults.latency[0])


def _malformed(coin: bool, delay: float) -> Plan:
    content = b"<html><body>Bad gateway" if coin else b'{"object": "chat.completion", "choices": 3}'
    return Plan("malformed", 200, (response_bytes(200, content),), delay)


def _said(
    reply: FakeReply, body: Mapping[str, Any], fate: Fate, *, delay: float, lost_is_paid: bool, number: int
) -> Plan:
    lost = fate in ("disconnected", "cut_body")
    if body.get("stream"):
        events = list(chunks(reply, body, number))
        kept = events[: len(events) // 2] if lost else events
        sent = [stream_head(200, reply.headers), *map(chunk, kept)]
        sent += [] if lost else [chunk(b"")]
    else:
        content = json.dumps(completion(reply, body, number)).encode()
        if fate == "disconnected":
            sent = []
        elif fate == "cut_body":
            half = content[: len(content) // 2]
            sent = [response_bytes(200, half, headers=reply.headers, promised=len(content))]
        else:
            sent = [response_bytes(200, content, headers=reply.headers)]
    return Plan(fate, 200, tuple(sent), delay, reply.between, abort=lost, paid=lost_is_paid if lost else True)
