"""A real HTTP server that speaks the chat API, for tests and demonstrations: from a script, with faults."""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, final

from kshot.errors import RunError
from kshot.models.fake.connection import Connection
from kshot.models.fake.faults import NO_FAULTS, Faults
from kshot.models.fake.ledger import SECRET_HEADERS, Event, Ledger, Recorded, canonical
from kshot.models.fake.plans import Plan, plan, refusal, speaker
from kshot.models.fake.replies import Script
from kshot.models.fake.wire import HttpRequest, response_bytes

CHAT = "/v1/chat/completions"


@final
class FakeServer:
    """An OpenAI-compatible server on 127.0.0.1, in a thread of its own, for as long as the ``with`` block.

    It serves ``POST /v1/chat/completions`` (streaming too), ``GET /v1/models`` and ``GET /stats``; tokens are
    words. A ``str`` reply is cut at the request's ``stop`` and ``max_tokens``, a ``FakeReply`` is sent as is.

    Args:
        reply: A function of the request's body; a mapping by the last user message's text; or a list of
            replies in the order of arrival.
        faults: What goes wrong on purpose.
        models: Their names; a request for another one is answered 404.
        api_key: If given, a request without it is answered 401.
        port: 0 takes a free one.

    >>> with FakeServer(lambda body: "hello") as server:
    ...     server.base_url.startswith("http://127.0.0.1:"), server.requests
    (True, [])
    """

    def __init__(
        self,
        reply: Script,
        *,
        faults: Faults = NO_FAULTS,
        models: Sequence[str] = ("fake",),
        api_key: str | None = None,
        port: int = 0,
    ) -> None:
        self._say = speaker(reply)
        self._faults = faults
        self._models = tuple(models)
        self._api_key = api_key
        self._port = port
        self._ledger = Ledger()
        self._opened: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._address: tuple[str, int] | None = None

    def __enter__(self) -> FakeServer:
        """Listens from here on."""
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        failures: list[OSError] = []
        self._thread = threading.Thread(
            target=self._run, args=(self._loop, ready, failures), name="fake-server", daemon=True
        )
        self._thread.start()
        ready.wait()
        if failures:
            self.close()
            raise RunError(f"127.0.0.1:{self._port}: cannot be listened on ({failures[0].strerror})")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes every connection and stops listening."""
        self.close()

    def close(self) -> None:
        """What leaving the ``with`` block does; again does nothing."""
        if self._loop is not None and self._thread is not None:
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = self._thread = None

    @property
    def base_url(self) -> str:
        """What a client is given."""
        if self._address is None:
            raise RunError("the fake server is not running; use it in a `with` block")
        return f"http://127.0.0.1:{self._address[1]}/v1"

    @property
    def requests(self) -> list[Recorded]:
        """Every request so far."""
        return self._ledger.requests

    @property
    def paid(self) -> Counter[str]:
        """By canonical body, how often a full reply was produced."""
        return self._ledger.paid

    @property
    def log(self) -> list[Event]:
        """When chat requests came and went, and how many were in flight then."""
        return self._ledger.log

    @property
    def in_flight_now(self) -> int:
        """Chat requests that are not finished."""
        return self._ledger.in_flight_now

    @property
    def most_in_flight(self) -> int:
        """The most chat requests at once."""
        return self._ledger.most_in_flight

    def stats(self) -> dict[str, Any]:
        """Counts as JSON values; ``GET /stats`` gives the same."""
        return self._ledger.stats()

    def reset(self) -> None:
        """Forgets requests, log and what was paid."""
        self._ledger.reset()

    def _run(self, loop: asyncio.AbstractEventLoop, ready: threading.Event, failures: list[OSError]) -> None:
        asyncio.set_event_loop(loop)
        listening: asyncio.Server | None = None
        try:
            listening = loop.run_until_complete(
                loop.create_server(
                    lambda: Connection(self._exchange, self._opened, loop),
                    "127.0.0.1",
                    self._port,
                    backlog=2048,
                )
            )
            self._address = listening.sockets[0].getsockname()
        except OSError as error:
            failures.append(error)
        ready.set()
        if listening is not None:
            loop.run_forever()
            listening.close()
            for connection in list(self._opened):
                connection.abort()
            loop.run_until_complete(asyncio.sleep(0))  # their ends are counted
        loop.close()

    def _exchange(self, request: HttpRequest) -> _Exchange:
        headers = {
            name: "(kept secret)" if name in SECRET_HEADERS else v for name, v in request.headers.items()
        }
        recorded = Recorded(request.method, request.path, None, headers, time.monotonic(), request.body)
        if (request.method, request.path) == ("GET", "/stats"):
            return _Exchange(_json(self._ledger.stats()), recorded, self._ledger)
        if self._api_key is not None and not _has_key(request, self._api_key):
            return self._noted(recorded, refusal(401, "Incorrect API key provided.", code="invalid_api_key"))
        if (request.method, request.path) == ("GET", "/v1/models"):
            listed = [{"id": m, "object": "model", "created": 0, "owned_by": "fake"} for m in self._models]
            return self._noted(recorded, _json({"object": "list", "data": listed}))
        if (request.method, request.path) != ("POST", CHAT):
            return self._noted(recorded, refusal(404, f"unknown address: {request.method} {request.path}"))
        try:
            recorded.body = _chat(request.body)
        except ValueError as error:
            return self._noted(recorded, refusal(400, str(error)))
        if recorded.body.get("model") not in self._models:
            return self._noted(recorded, refusal(404, "the model does not exist", code="model_not_found"))
        return self._chat_exchange(recorded, recorded.body)

    def _chat_exchange(self, recorded: Recorded, body: Mapping[str, Any]) -> _Exchange:
        key = canonical(body)
        before, in_flight = self._ledger.before(key), self._ledger.open(recorded)
        found = plan(body, self._say, self._faults, key=key, before=before, in_flight=in_flight)
        recorded.status = found.status
        return _Exchange(found, recorded, self._ledger, key)

    def _noted(self, recorded: Recorded, found: Plan) -> _Exchange:
        recorded.status = found.status
        self._ledger.note(recorded, found.outcome)
        return _Exchange(found, recorded, self._ledger)


@final
class _Exchange:
    """A request, its plan, and where its end is written down; ``key`` is the body of a chat."""

    __slots__ = ("_key", "_ledger", "_recorded", "plan")

    def __init__(self, found: Plan, recorded: Recorded, ledger: Ledger, key: str | None = None) -> None:
        self.plan = found
        self._recorded = recorded
        self._ledger = ledger
        self._key = key

    def end(self, *, hung_up: bool) -> None:
        """Counts it; what a client does not wait for is paid all the same."""
        if self._key is None:
            return
        if self.plan.paid:
            self._ledger.pay(self._key)
        self._ledger.close(self._recorded, "hung_up" if hung_up else self.plan.outcome)
        self._key = None


def _json(value: Any) -> Plan:
    return Plan("ok", 200, (response_bytes(200, json.dumps(value).encode()),))


def _has_key(request: HttpRequest, key: str) -> bool:
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {key}".encode())


def _chat(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list) or not body["messages"]:
        raise ValueError("'messages' is missing or no list of messages")
    if body.get("n", 1) not in (1, None):
        raise ValueError("'n' must be 1 here")
    return body
