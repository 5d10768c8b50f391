"""One exchange between a client and the upstream: the body in, the bytes out, and a client that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

from kshot.serve.upstream import Headers, end_to_end

if TYPE_CHECKING:
    import httpx2

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
DRAINED = 5  # times the limit: so much of a body that is refused is read, so that the client sees why


class TooLargeError(Exception):
    """The request's body is above the limit."""


class GoneError(Exception):
    """The client hung up before its request was whole."""


async def read_body(receive: Receive, *, most: int) -> bytes:
    """The whole body.

    Raises:
        TooLargeError: It has more than ``most`` bytes; the rest was read and dropped, up to a few times that.
        GoneError: The client went away.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise GoneError
        part = event.get("body", b"")
        size += len(part)
        if size <= most:
            parts.append(part)
        elif size > DRAINED * most:
            raise TooLargeError
        if not event.get("more_body", False):
            break
    if size > most:
        raise TooLargeError
    return b"".join(parts)


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Does the work, or drops it when the client hangs up; gives whether it was done."""
    doing = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
            return True
        return False
    finally:
        for task in (doing, watching):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def relay(response: httpx2.Response, send: Send, *, insights: int | None = None) -> bool:
    """Passes status, headers and bytes on as they come, and closes the upstream's side in any case.

    Gives whether the body came to its end. Where it did not, the response is left unfinished, so that the
    connection breaks for the client as it broke for us.
    """
    import httpx2

    try:
        headers = end_to_end(response.headers.raw)
        if insights is not None:
            headers.append((b"x-kshot-insights", str(insights).encode()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        try:
            async for part in response.aiter_raw():
                await send({"type": "http.response.body", "body": part, "more_body": True})
        except httpx2.TransportError:
            return False
        await send({"type": "http.response.body", "body": b""})
        return True
    finally:
        await response.aclose()


async def send_error(send: Send, status: int, message: str, *, kind: str = "invalid_request_error") -> None:
    """An error in OpenAI's shape."""
    found = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    await send_json(send, status, found)


async def send_json(send: Send, status: int, value: Any) -> None:
    """A JSON response."""
    body = json.dumps(value).encode()
    headers: Headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
