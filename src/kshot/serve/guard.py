"""Who may ask a proxy that listens on this machine only: programs, but no web page of another site.

A browser lets any page send a request to 127.0.0.1. With the server's own key behind the proxy, such a page
could spend it. Two headers that a page cannot forge tell: ``Origin``, and ``Host``, which gives away a name
of the page's own that was made to point here.
"""

from __future__ import annotations

from typing import Any, final
from urllib.parse import urlsplit

from kshot.models.endpoint.address import is_loopback
from kshot.serve.exchange import Receive, Scope, Send, send_error


@final
class LocalOnly:
    """ASGI middleware that refuses, with status 403, what a page of another site sends."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, or refuses."""
        if scope["type"] == "http" and (wrong := _foreign(scope)):
            await send_error(send, 403, wrong)
            return
        await self._app(scope, receive, send)


def _foreign(scope: Scope) -> str:
    headers = dict(scope["headers"])
    host = _name("//" + headers.get(b"host", b"").decode("latin-1"))
    if not is_loopback(host):
        return "this server answers requests to localhost only; see --allow-remote"
    origin = headers.get(b"origin")
    if origin is not None and not is_loopback(_name(origin.decode("latin-1"))):
        return "requests of web pages of other sites are refused"
    return ""


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
