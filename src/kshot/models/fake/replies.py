"""What a fake model says: a text, or a reply with everything a test wants to set; and its JSON and chunks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class FakeReply:
    """One reply as it is to be sent; nothing is cut or counted anew.

    Attributes:
        text: The message's content; the error's message where ``status`` is no 200.
        finish_reason: ``stop``, ``length``, ``content_filter`` ...
        status: Of the HTTP response; above 399 an error in OpenAI's shape.
        headers: Added to the response's.
        logprobs: First token's alternatives and the natural logarithms of their probabilities.
        latency: Seconds before the first byte; None: as the faults draw it.
        between: Seconds between the chunks of a stream.
        prompt_tokens: None: the words of all messages.
        completion_tokens: None: the words of the text.
    """

    text: str
    finish_reason: str = "stop"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    logprobs: tuple[tuple[str, float], ...] = ()
    latency: float | None = None
    between: float = 0.0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


Script: TypeAlias = (
    Callable[[Mapping[str, Any]], str | FakeReply] | Mapping[str, str] | Sequence[str | FakeReply]
)


def request_text(body: Mapping[str, Any]) -> str:
    """The text of the last user message; parts of another kind than text are passed over.

    >>> request_text({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
    'hi'
    """
    for message in reversed(body.get("messages") or []):
        if isinstance(message, Mapping) and message.get("role") == "user":
            return content_text(message.get("content"))
    return ""


def content_text(content: Any) -> str:
    """The text of one message's content, which is a text, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    found = (part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text")
    return "\n".join(text for text in found if isinstance(text, str))


def spoken(text: str, body: Mapping[str, Any]) -> FakeReply:
    """A text as a model would give it: cut before a stop string, and at ``max_tokens`` words.

    >>> spoken("one two three", {"max_tokens": 2}).finish_reason
    'length'
    """
    stop = body.get("stop") or ()
    for ending in (stop,) if isinstance(stop, str) else stop:
        text = text.partition(ending)[0] if ending else text
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    ends = [word.end() for word in re.finditer(r"\S+", text)]
    if most and len(ends) > most:
        return FakeReply(text[: ends[most - 1]], "length")
    return FakeReply(text)


def completion(reply: FakeReply, body: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The JSON of a reply that is sent at once."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": reply.text, "refusal": None},
        "finish_reason": reply.finish_reason,
        "logprobs": _logprobs(reply),
    }
    return _frame(body, number, "chat.completion") | {"choices": [choice], "usage": usage(reply, body)}


def chunks(reply: FakeReply, body: Mapping[str, Any], number: int) -> Iterator[bytes]:
    """The server-sent events of a streamed reply, word by word."""
    frame = _frame(body, number, "chat.completion.chunk")
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    extra = {"usage": None} if with_usage else {}

    def of(delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
        return event(frame | {"choices": [choice]} | extra)

    yield of({"role": "assistant", "content": ""})
    for place, piece in enumerate(re.findall(r"\s*\S+\s*\Z|\s*\S+|\s+", reply.text)):
        yield of({"content": piece}, logprobs=_logprobs(reply) if place == 0 else None)
    yield of({}, reply.finish_reason)
    if with_usage:
        yield event(frame | {"choices": [], "usage": usage(reply, body)})
    yield b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: %b\n\n" % json.dumps(value).encode()


def usage(reply: FakeReply, body: Mapping[str, Any]) -> dict[str, int]:
    """Token counts; a token is a word here."""
    prompt = reply.prompt_tokens
    if prompt is None:
        messages = [m for m in body.get("messages") or [] if isinstance(m, Mapping)]
        prompt = sum(len(content_text(message.get("content")).split()) for message in messages)
    spent = len(reply.text.split()) if reply.completion_tokens is None else reply.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": spent, "total_tokens": prompt + spent}


def _frame(body: Mapping[str, Any], number: int, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-fake-{number}", "object": kind, "created": 0, "model": body.get("model", "fake")}


def _logprobs(reply: FakeReply) -> dict[str, Any] | None:
    if not reply.logprobs:
        return None
    ranked = [{"token": token, "logprob": value, "bytes": None} for token, value in reply.logprobs]
    return {"content": [ranked[0] | {"top_logprobs": ranked}], "refusal": None}
