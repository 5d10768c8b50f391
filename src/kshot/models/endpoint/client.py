"""One HTTP request to an endpoint, through the openai client, and what came of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

from kshot.models.endpoint.address import is_own
from kshot.models.endpoint.reading import Received, Trouble, read_reply, read_status

if TYPE_CHECKING:
    import httpx2

CONNECT_S = 15.0
MOST_BYTES = 16_000_000  # of one reply: an endpoint that heeds max_tokens sends thousands
# nothing that the environment adds to openai's requests goes to a server it was not meant for
SENT = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "transfer-encoding"}
)


@final
class Client:
    """Sends requests to one base URL; lives in one event loop.

    Retries and waits are not its business. Of the environment only the proxies count, and never for an
    address of this machine; a redirect is not followed, as the key would travel with it.
    """

    def __init__(self, base_url: str, *, api_key: str, timeout_s: float, concurrency: int) -> None:
        import httpx2
        import openai

        self._key = api_key
        self._timeout_s = timeout_s
        self._response = httpx2.Response
        self._errors = openai
        self._unsent = (
            httpx2.ConnectError,
            httpx2.ConnectTimeout,
            httpx2.ProxyError,
            httpx2.UnsupportedProtocol,
        )
        http = httpx2.AsyncClient(
            trust_env=not is_own(base_url),
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S)),
            event_hooks={"request": [self._only_ours]},
        )
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key, max_retries=0, http_client=http, timeout=http.timeout
        )

    async def send(self, body: dict[str, Any]) -> Received | Trouble:
        """One attempt at ``/chat/completions``; every way in which it may end is a value."""
        errors = self._errors
        body = sendable(body)
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.post(
                    "/chat/completions", body=body, cast_to=self._response, options={"max_retries": 0}
                )
        except (TimeoutError, errors.APITimeoutError) as error:
            if isinstance(error.__cause__, self._unsent):
                return Trouble("unsent", f"no connection within {CONNECT_S:g} s")
            return Trouble("lost", f"no reply within {self._timeout_s:g} s")
        except errors.APIConnectionError as error:
            told = self._plain(f"{type(error.__cause__).__name__}: {error.__cause__}")
            return Trouble("unsent" if isinstance(error.__cause__, self._unsent) else "lost", told)
        except errors.APIStatusError as error:
            found = error.response
            return self._clean(read_status(found.status_code, found.headers, found.content))
        if response.status_code != 200:
            return self._clean(read_status(response.status_code, response.headers, response.content))
        if len(response.content) > MOST_BYTES:
            told = f"the reply has {len(response.content) / 1e6:.0f} MB, more than {MOST_BYTES / 1e6:.0f}"
            return Trouble("refused", told, status=200, code="too_long")
        return self._clean(read_reply(response.content, body.get("stop", ())))

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.close()

    async def _only_ours(self, request: httpx2.Request) -> None:
        for name in list(request.headers):
            if name not in SENT:
                del request.headers[name]
        request.headers["user-agent"] = "kshot"
        request.headers["authorization"] = f"Bearer {self._key}"

    def _clean(self, found: Received | Trouble) -> Received | Trouble:
        """Words of the endpoint without the key, which some repeat; they are kept, and the key is not."""
        if isinstance(found, Received):
            return replace(found, text=self._plain(found.text)) if self._key in found.text else found
        if self._key not in found.told:
            return found
        return Trouble(
            found.kind, self._plain(found.told), found.wait_s, found.status, found.code, found.tokens
        )

    def _plain(self, text: str) -> str:
        return text if self._key == "none" else text.replace(self._key, "[secret]")


def sendable(body: dict[str, Any]) -> dict[str, Any]:
    r"""A body that can travel as UTF-8: half characters, which no UTF-8 has, become the replacement mark.

    They come from an endpoint that cut an emoji in two, and from bytes on a command line.

    >>> sendable({"content": "half \ud83d"})["content"] == "half \ufffd"
    True
    """
    text = json.dumps(body, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        whole: dict[str, Any] = json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
        return whole
    return body
