"""HTTP/1.1 by hand, as far as the fake server needs it: it must be able to break the rules on purpose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

LONGEST_HEAD = 64 * 1024
LONGEST_BODY = 64 * 1024 * 1024


class WireError(ValueError):
    """The client does not speak HTTP as it is understood here; ``status`` is the answer to give."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants the connection to stay open."""
        return self.headers.get("connection", "").lower() != "close"


def take_request(buffer: bytearray) -> HttpRequest | None:
    r"""The first whole request, taken out of the buffer; None where more bytes must come.

    Raises:
        WireError: What stands there is no request, is too long, or has no ``Content-Length``.

    >>> take_request(bytearray(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")).path
    '/v1/models'
    """
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > LONGEST_HEAD:
            raise WireError(431, "the head of the request is too long")
        return None
    method, path, headers = _head(bytes(buffer[:end]))
    size = _body_size(headers)
    if len(buffer) < end + 4 + size:
        return None
    body = bytes(buffer[end + 4 : end + 4 + size])
    del buffer[: end + 4 + size]
    return HttpRequest(method, path, headers, body)


def wants_continue(buffer: bytearray) -> bool:
    """Whether an unfinished request waits for ``100 Continue`` before it sends its body."""
    end = buffer.find(b"\r\n\r\n")
    return end == len(buffer) - 4 and b"\r\nexpect: 100-continue" in bytes(buffer[:end]).lower()


def _head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise WireError(400, "the first line is no HTTP/1.1 request line")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise WireError(400, "a header line has no colon")
        headers[name.strip().lower()] = value.strip()
    return parts[0], parts[1].partition("?")[0], headers


def _body_size(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise WireError(411, "send a Content-Length; chunked requests are not understood here")
    found = headers.get("content-length", "0")
    if not found.isdigit():
        raise WireError(400, "Content-Length is no number")
    if int(found) > LONGEST_BODY:
        raise WireError(413, "the body is too long")
    return int(found)


def response_bytes(
    status: int, body: bytes, *, headers: Mapping[str, str] | None = None, promised: int | None = None
) -> bytes:
    """A whole response; ``promised`` bytes in its ``Content-Length`` where that is to be a lie."""
    fields = {"content-type": "application/json"} | {k.lower(): v for k, v in (headers or {}).items()}
    fields["content-length"] = str(len(body) if promised is None else promised)
    return _status_and(status, fields) + body


def stream_head(status: int, headers: Mapping[str, str] | None = None) -> bytes:
    """The head of a response that comes in chunks."""
    fields = {"content-type": "text/event-stream", "cache-control": "no-cache"}
    fields |= {k.lower(): v for k, v in (headers or {}).items()}
    return _status_and(status, fields | {"transfer-encoding": "chunked"})


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def error_body(message: str, *, kind: str = "invalid_request_error", code: str | None = None) -> bytes:
    """An error in the shape that OpenAI's API gives it."""
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


def _status_and(status: int, fields: Mapping[str, Any]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
