"""The server behind the proxy: requests go there as they came, and what it sends comes back as it is."""

from __future__ import annotations

from collections.abc import Iterable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, TypeAlias, final

from kshot.models.endpoint.address import is_own

if TYPE_CHECKING:
    import httpx2

Headers: TypeAlias = list[tuple[bytes, bytes]]

# RFC 9110, section 7.6.1: these speak of one connection, not of the message
HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
        b"te", b"trailer", b"trailers", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
OURS = frozenset({b"host", b"content-length", b"expect"})  # the client library writes its own
CONNECT_S = 10.0


class UpstreamError(Exception):
    """The upstream gave no reply; ``status`` is what the client is told."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def end_to_end(headers: Iterable[tuple[bytes, bytes]], *, without: frozenset[bytes] = frozenset()) -> Headers:
    """The headers that a proxy passes on, in their order, repeated ones too.

    >>> end_to_end([(b"Connection", b"X-Hop, close"), (b"X-Hop", b"1"), (b"Accept", b"*/*")])
    [(b'Accept', b'*/*')]
    """
    found = [(name, value) for name, value in headers]
    named = {
        token.strip().lower()
        for name, value in found
        if name.lower() == b"connection"
        for token in value.split(b",")
    }
    dropped = HOP_BY_HOP | named | without
    return [(name, value) for name, value in found if name.lower() not in dropped]


@final
class Upstream:
    """Sends requests on. No cookie is kept, no redirect followed, no password file read.

    Args:
        base_url: As the OpenAI clients take it, up to ``/v1``.
        key: Replaces the clients' own, where it is given.
        patience_s: Seconds that the upstream may be silent.
    """

    def __init__(self, base_url: str, *, key: str | None = None, patience_s: float = 600.0) -> None:
        import httpx2

        self._base = base_url
        self._key = key
        # a cookie that one client is given is not kept, and so never sent for another
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx2.AsyncClient(
            cookies=cookies,
            follow_redirects=False,
            trust_env=not is_own(base_url),
            timeout=httpx2.Timeout(patience_s, connect=CONNECT_S),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def close(self) -> None:
        """Closes the connections that are open."""
        await self._client.aclose()

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> httpx2.Response:
        """The reply's head; its body is read by ``aiter_raw``, and ``aclose`` must follow.

        Args:
            method: Of the request.
            path: What follows ``/v1``, with its query.
            headers: The client's own.
            body: Its bytes.

        Raises:
            UpstreamError: The upstream cannot be reached, is silent for too long, or speaks no HTTP. The
                message holds nothing of the request.
        """
        import httpx2

        passed = end_to_end(headers, without=OURS)
        if self._key is not None:
            passed = [(name, value) for name, value in passed if name.lower() != b"authorization"]
            passed.append((b"authorization", f"Bearer {self._key}".encode("ascii")))
        try:
            request = httpx2.Request(method, self._base + path, headers=passed, content=body or None)
            return await self._client.send(request, stream=True)
        except (httpx2.ReadTimeout, httpx2.WriteTimeout):
            raise UpstreamError(504, "the upstream was silent for too long") from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            raise UpstreamError(502, "the upstream cannot be reached") from None
        except (httpx2.TransportError, httpx2.InvalidURL) as error:  # its text may quote a header
            raise UpstreamError(502, f"the upstream gave no reply ({type(error).__name__})") from None
