"""One client's connection to the fake server: requests in, planned bytes out, one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, final

from kshot.models.fake.plans import Plan, refusal
from kshot.models.fake.wire import HttpRequest, WireError, take_request, wants_continue


class Exchange(Protocol):
    """One request under way: how it is answered, and how it ended."""

    @property
    def plan(self) -> Plan:
        """What to send."""
        ...

    def end(self, *, hung_up: bool) -> None:
        """All parts are written, or the client is gone."""
        ...


@final
class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive. Requests that wait in the buffer are answered in their order."""

    def __init__(
        self,
        answer: Callable[[HttpRequest], Exchange],
        opened: set[Connection],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._answer = answer
        self._opened = opened
        self._loop = loop
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._current: Exchange | None = None
        self._left: list[bytes] = []
        self._keep_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._opened.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over, by either side."""
        self._opened.discard(self)
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._current is not None:
            self._current.end(hung_up=True)
            self._current = None

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._buffer += data
        self._next()

    def abort(self) -> None:
        """Closes the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        while self._transport and self._current is None and not self._transport.is_closing():
            try:
                request = take_request(self._buffer)
            except WireError as error:
                self._transport.write(refusal(error.status, str(error)).parts[0])
                self._transport.close()
                return
            if request is None:
                if wants_continue(self._buffer):
                    self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            self._start(request)

    def _start(self, request: HttpRequest) -> None:
        exchange = self._answer(request)
        self._current = exchange
        self._keep_alive = request.keep_alive
        self._left = list(reversed(exchange.plan.parts))
        if exchange.plan.delay > 0:
            self._timer = self._loop.call_later(exchange.plan.delay, self._go_on)
        else:
            self._write()

    def _go_on(self) -> None:
        self._write()
        self._next()

    def _write(self) -> None:
        """Writes what is due; ends the exchange with the last part."""
        exchange, transport = self._current, self._transport
        if exchange is None or transport is None:
            return
        while self._left:
            if transport.is_closing():  # the client is gone: ``connection_lost`` follows and counts it
                return
            part = self._left.pop()
            if self._left and exchange.plan.between > 0:
                transport.write(part)
                self._timer = self._loop.call_later(exchange.plan.between, self._go_on)
                return
            if not self._left:
                # before the write: who has read the reply finds it in the counts
                self._current = None
                exchange.end(hung_up=False)
            transport.write(part)
        if self._current is not None:  # a plan without parts
            self._current = None
            exchange.end(hung_up=False)
        if exchange.plan.abort or not self._keep_alive:
            transport.close()
