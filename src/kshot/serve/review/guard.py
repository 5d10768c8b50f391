"""Who may see and change votes: whoever has the address with its token, from this page alone.

A browser lets any page send requests to 127.0.0.1, and a name of that page's own may be made to point here.
So a request needs the token (a cookie after the first visit, or a header), ``Host`` must be this machine's
where only it may ask, and ``Origin`` and ``Sec-Fetch-Site`` must say that the request comes from this page.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Any, final
from urllib.parse import parse_qs, urlsplit

from kshot.models.endpoint.address import is_loopback
from kshot.serve.exchange import Event, Receive, Scope, Send

COOKIE, HEADER = "kshot_review", "x-kshot-token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
]


@final
class Guarded:
    """ASGI middleware: refuses with status 403, and puts the policy on every response."""

    def __init__(self, app: Any, *, token: str, local_only: bool) -> None:
        self._app = app
        self._token = token
        self._local_only = local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, refuses, or turns the token of the address into a cookie."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(event: Event) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [*event.get("headers", ()), *HEADERS]}
            await send(event)

        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if wrong := _foreign(headers, local_only=self._local_only):
            await _plain(guarded, 403, wrong)
            return
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[-1]
        if scope["path"] == "/" and self._fits(given):
            cookie = f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/"
            moved = [(b"location", b"/"), (b"set-cookie", cookie.encode())]
            await guarded({"type": "http.response.start", "status": 303, "headers": moved})
            await guarded({"type": "http.response.body", "body": b""})
            return
        if not (self._fits(headers.get(HEADER.encode(), "")) or self._fits(_cookie(headers))):
            await _plain(guarded, 403, "open the address that was printed at the start, with its token")
            return
        await self._app(scope, receive, guarded)

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())


def _foreign(headers: dict[bytes, str], *, local_only: bool) -> str:
    host = headers.get(b"host", "")
    if local_only and not is_loopback(_name(host)):
        return "this server answers requests to localhost only; see --allow-remote"
    origin = headers.get(b"origin")
    if origin is not None and urlsplit_netloc(origin) != host.lower():
        return "requests of other pages are refused"
    if headers.get(b"sec-fetch-site", "none") in ("cross-site", "same-site") and b"sec-fetch-mode" in headers:
        navigates = headers[b"sec-fetch-mode"] == "navigate"
        return "" if navigates else "requests of other pages are refused"
    return ""


def urlsplit_netloc(address: str) -> str:
    """Host and port of an origin, in small letters; a mark that fits no host where there is none.

    >>> urlsplit_netloc("http://LOCALHOST:80"), urlsplit_netloc("null")
    ('localhost:80', '?')
    """
    try:
        return urlsplit(address).netloc.lower() or "?"
    except ValueError:
        return "?"


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _cookie(headers: dict[bytes, str]) -> str:
    try:
        found = SimpleCookie(headers.get(b"cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


async def _plain(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
