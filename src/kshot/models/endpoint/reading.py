"""One HTTP response, or its failure, read: a reply, or what went wrong and what that means."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeAlias, TypeGuard

from kshot.models.endpoint.request import before_stop, text_tokens

MOST_TOKENS = 10**9  # no request has so many
# limited: told to slow down · busy: not served, not paid · lost: perhaps paid, nothing usable came ·
# unsent: nobody there · refused: this question fails · empty: paid, nothing said · stop: the run cannot go on
Kind: TypeAlias = Literal["limited", "busy", "lost", "unsent", "refused", "empty", "stop"]


@dataclass(frozen=True, slots=True)
class Received:
    """A usable reply.

    Attributes:
        estimated: Whether the endpoint counted no tokens, so that they are estimates; the prompt's are -1.
    """

    text: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False
    logprobs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """No usable reply.

    Attributes:
        wait_s: How long the endpoint asked to be left alone; None where it did not say.
        status: Of the HTTP response; 0 where none came.
        code: The endpoint's own word for it.
        tokens: Of prompt and reply, where it was paid all the same and counted.
    """

    kind: Kind
    told: str
    wait_s: float | None = None
    status: int = 0
    code: str = ""
    tokens: tuple[int, int] | None = None


def read_reply(content: bytes, stop: Sequence[str] = ()) -> Received | Trouble:
    """A body of ``/chat/completions`` with status 200.

    >>> read_reply(b'{"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}').text
    'yes'
    >>> read_reply(b'{"choices": [').kind
    'lost'
    """
    try:
        body = json.loads(content)
        if isinstance(body, dict) and body.get("error") and not body.get("choices"):
            told, code = _told(content)
            return Trouble("busy", f"an error in place of a reply: {told}", status=200, code=code)
        choice = body["choices"][0]
        message = choice["message"]
        text, refusal = _text(message.get("content")), message.get("refusal")
        reason = choice.get("finish_reason") or "stop"
        counts = _counts(body.get("usage"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        return Trouble("lost", f"the reply is malformed ({type(error).__name__})", status=200)
    if reason == "content_filter":
        return Trouble("refused", "the endpoint's content filter", status=200, code=reason, tokens=counts)
    if refusal:
        return Trouble("refused", f"refused: {str(refusal)[:200]}", status=200, code="refusal", tokens=counts)
    usable = before_stop(text, stop)
    if not usable.strip():
        told = "the limit of tokens was used up before any text" if reason == "length" else "an empty reply"
        return Trouble("refused" if reason == "length" else "empty", told, status=200, tokens=counts)
    return Received(
        usable,
        "length" if reason == "length" and len(usable) == len(text) else "stop",
        *(counts or (-1, text_tokens(text))),
        estimated=counts is None,
        logprobs=_logprobs(choice.get("logprobs")),
    )


def read_status(status: int, headers: Mapping[str, str], content: bytes) -> Trouble:
    """A response whose status is not 200.

    >>> read_status(429, {"retry-after": "2"}, b"").wait_s
    2.0
    """
    told, code = _told(content)
    wait = retry_after(headers)
    said = f"status {status}" + (f": {told}" if told else "")
    if status == 402 or code in ("insufficient_quota", "billing_hard_limit_reached"):
        return Trouble("stop", said, status=status, code=code or "no_credit")
    if status in (401, 403) or 300 <= status < 400:
        return Trouble("stop", said, status=status, code=headers.get("location", "").split("?")[0])
    if status == 429:
        return Trouble("limited", said, wait, status, code)
    if status in (408, 409, 425) or status >= 500:
        return Trouble("busy", said, wait, status, code)
    return Trouble("refused", said, wait, status, code)


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait, from ``retry-after-ms`` or ``Retry-After`` in seconds or as a date; None: not said.

    >>> retry_after({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, now=784111770.0)
    7.0
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        then = parsedate_to_datetime(headers.get("retry-after", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, then - (time.time() if now is None else now))


def _text(content: Any) -> str:
    """Content as text; some endpoints send parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part.get("type") == "text")


def _counts(usage: Any) -> tuple[int, int] | None:
    """Tokens of prompt and reply; None where they are not counted, or so that nobody can believe it.

    The reply is paid and good all the same, so wrong counts are no reason to ask again.
    """
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return (int(prompt), int(completion)) if _is_count(prompt) and _is_count(completion) else None


def _is_count(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS


def _logprobs(found: Any) -> tuple[tuple[str, float], ...]:
    """Alternatives of the first token; none where the endpoint gives none, or in another form."""
    try:
        first = found["content"][0]["top_logprobs"]
        return tuple((str(one["token"]), float(one["logprob"])) for one in first)
    except (KeyError, IndexError, TypeError, ValueError):
        return ()


def _told(content: bytes) -> tuple[str, str]:
    """The endpoint's message, one short line, and its code."""
    try:
        error = json.loads(content)["error"]
        told, code = (error.get("message"), error.get("code")) if isinstance(error, dict) else (error, "")
    except (ValueError, KeyError, TypeError):
        told, code = content[:200].decode("utf-8", "replace"), ""
    return " ".join(str(told or "").split())[:200], str(code or "")
