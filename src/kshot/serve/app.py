"""The proxy as an ASGI application: chat requests get insights, everything else is passed through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, final
from urllib.parse import unquote

from kshot.errors import InputError, KshotError
from kshot.methods.panda.seams import Retrieved
from kshot.models.endpoint.address import checked_address, key_from
from kshot.serve.chat import Adapted, NoChatError, adapted
from kshot.serve.exchange import (
    GoneError,
    Receive,
    Scope,
    Send,
    TooLargeError,
    read_body,
    relay,
    send_error,
    send_json,
    unless_gone,
)
from kshot.serve.guard import LocalOnly
from kshot.serve.options import ProxyOptions
from kshot.serve.upstream import Upstream, UpstreamError

if TYPE_CHECKING:
    from fastapi import FastAPI

PoolReader = Callable[[str], Retrieved]
CHAT = "/chat/completions"


def make_app(pool_reader: PoolReader, upstream: str, *, options: ProxyOptions | None = None) -> FastAPI:
    """The proxy; serve it with uvicorn.

    Args:
        pool_reader: A query's text to the insights that go with it; called from several threads at once.
        upstream: Base URL of an OpenAI-compatible server, up to ``/v1``.
        options: How requests are adapted and forwarded.

    Raises:
        InputError: The upstream is no address, the key's variable is not set, or a package is missing.

    Example::

        app = make_app(lambda text: retriever.nearest(text), "http://127.0.0.1:8000/v1")
        uvicorn.run(app, host="127.0.0.1", port=8383)
    """
    options = options or ProxyOptions()
    base, key = checked_address(upstream, what="--upstream"), key_from(options.api_key_env)
    try:
        import httpx2  # noqa: F401 - the client of the upstream
        from fastapi import FastAPI
        from starlette.routing import Route
    except ImportError as error:
        raise InputError(f"a package is missing ({error}); pip install 'kshot[serve]'") from error

    proxy = Proxy(pool_reader, options)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        proxy.upstream = Upstream(base, key=key, patience_s=options.patience_s)
        yield
        await proxy.upstream.close()

    # newer FastAPI can report requests to a collector; nothing of a client's goes anywhere but upstream
    silent: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, telemetry=silent)
    app.router.routes.append(Route("/{path:path}", endpoint=proxy))
    if options.local_only:
        app.add_middleware(LocalOnly)
    return app


@final
class Proxy:
    """The ASGI endpoint behind every address; ``upstream`` is set when the server starts."""

    def __init__(self, pool_reader: PoolReader, options: ProxyOptions) -> None:
        self._pool_reader = pool_reader
        self._options = options
        self.upstream: Upstream | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        method, path = scope["method"], _raw_path(scope)
        if (method, path) in (("GET", "/healthz"), ("HEAD", "/healthz")):
            await send_json(send, 200, {"status": "ok"})
            return
        if not path.startswith("/v1/") or _climbs(path):
            await send_error(send, 404, "unknown address; this server has /v1/... and /healthz")
            return
        most = int(self._options.largest_mb * 1e6)
        try:
            body = await read_body(receive, most=most)
        except GoneError:
            return
        except TooLargeError:
            await send_error(send, 413, f"the body is above this server's {self._options.largest_mb:g} MB")
            return
        await unless_gone(receive, self._answer(scope, body, send))

    async def _answer(self, scope: Scope, body: bytes, send: Send) -> None:
        path = _raw_path(scope).removeprefix("/v1")
        chat: Adapted | None = None
        try:
            if scope["method"] == "POST" and _is_chat(path):
                chat = await asyncio.to_thread(adapted, body, self._pool_reader, self._options)
                body = chat.body
                self._trace(chat)
            await self._forward(scope, path, body, send, chat.shown if chat else None)
        except NoChatError as error:
            await send_error(send, 400, str(error))
        except UpstreamError as error:
            await send_error(send, error.status, str(error), kind="upstream_error")
        except KshotError as error:  # of the encoder or the pool: nothing is forwarded without insights
            self._options.say(f"a request failed: {error}")
            await send_error(send, 500, f"the insights could not be read: {error}", kind="server_error")

    async def _forward(self, scope: Scope, path: str, body: bytes, send: Send, insights: int | None) -> None:
        assert self.upstream is not None  # set before the first request
        query = scope["query_string"].decode("latin-1")
        address = f"{path}?{query}" if query else path
        response = await self.upstream.send(scope["method"], address, scope["headers"], body)
        if not await relay(response, send, insights=insights):
            self._options.say("the upstream broke off in the middle of a reply")

    def _trace(self, chat: Adapted) -> None:
        if self._options.trace:
            chosen = ", ".join(f"{c.insight.id} {c.score:.4f}" for c in chat.retrieved.chosen)
            self._options.say(f"insights: {chat.shown}{f' ({chosen})' if chosen else ''}")


def _raw_path(scope: Scope) -> str:
    """The path as the client spelled it, escapes included."""
    raw: Any = scope.get("raw_path")
    return raw.decode("latin-1").partition("?")[0] if raw else str(scope["path"])


def _is_chat(path: str) -> bool:
    """Whether this is the chat's address, however it is spelled: no request slips by without insights.

    >>> _is_chat("/chat/completions"), _is_chat("//chat%2Fcompletions/"), _is_chat("/completions")
    (True, True, False)
    """
    return [part for part in unquote(path).split("/") if part] == CHAT.strip("/").split("/")


def _climbs(path: str) -> bool:
    """Whether a path leaves ``/v1`` by its dots, however they are spelled."""
    plain = path.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace("\\", "/")
    return any(part in (".", "..") for part in plain.split("/"))
