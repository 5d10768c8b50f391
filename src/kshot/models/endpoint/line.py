"""What lives in an endpoint's event loop, and the thread that runs it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, final

from kshot.models.endpoint.client import Client
from kshot.models.endpoint.desk import Desk
from kshot.models.endpoint.gate import Gate
from kshot.models.endpoint.meter import Meter
from kshot.models.endpoint.options import EndpointOptions
from kshot.models.endpoint.sender import Sender
from kshot.models.journal import Journal

Result = TypeVar("Result")
CLOSE_S = 15.0


@final
class Line:
    """A thread with an event loop, and one endpoint's client, bound, journal and meter in it.

    Args:
        base_url: Checked.
        api_key: Held here and in the client alone.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str,
        concurrency: int,
        journal: Journal | None,
        meter: Meter,
        options: EndpointOptions,
    ) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="kshot-endpoint", daemon=True)
        self._thread.start()
        self.gate = Gate(concurrency, recovery=options.recovery, watch=options.watch)
        self.desk = Desk(journal)
        self._client = Client(base_url, api_key=api_key, timeout_s=options.timeout_s, concurrency=concurrency)
        self.sender = Sender(self._client, name=base_url, gate=self.gate, meter=meter, options=options)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs, in this process."""
        return self.pid == os.getpid() and self._thread.is_alive()

    def post(self, work: Callable[..., object], *arguments: object) -> None:
        """Has the loop do this soon."""
        self.loop.call_soon_threadsafe(work, *arguments)

    def wait_for(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Has the loop do this, and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(CLOSE_S)

    def close(self) -> None:
        """Ends everything; again, or in a forked child, does nothing."""
        if not self.is_alive:
            return
        if threading.current_thread() is self._thread:  # collected as garbage from within the loop
            self.loop.call_soon(self.loop.stop)
            return
        self.wait_for(self._closed())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _closed(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.desk.close()
        await self._client.close()
        await self.loop.shutdown_asyncgens()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
