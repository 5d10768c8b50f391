"""The journal behind an event loop: look-ups, claims and replies go to a thread of their own, in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar, final

from kshot.errors import InputError, RunError
from kshot.models.journal import Call, Journal

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST = 256
FIRST_LOOK_S, LONGEST_LOOK_S = 0.05, 1.0
RENEW_S = 60.0  # a tenth of a journal's usual lease


@final
class Batch(Generic[Item, Result]):
    """Calls of one function, gathered while an earlier batch is under way, and done together."""

    def __init__(self, work: Callable[[list[Item]], Sequence[Result]], thread: ThreadPoolExecutor) -> None:
        self._work = work
        self._thread = thread
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        """The function's result for this item."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, place))
        if self._task is None:
            self._task = loop.create_task(self._run())
        return await place

    async def idle(self) -> None:
        """Waits until nothing is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            places = [place for _, place in batch]
            try:
                results = await loop.run_in_executor(self._thread, self._work, [item for item, _ in batch])
            except Exception as error:  # told to everybody who waits for it
                for place in places:
                    if not place.done():
                        place.set_exception(error)
            else:
                for place, result in zip(places, results, strict=True):
                    if not place.done():
                        place.set_result(result)
        self._task = None


@final
class Desk:
    """Which questions are answered already, which are ours to ask, and where replies are written.

    Without a journal, or with one that is off, every question is ours.
    """

    def __init__(self, journal: Journal | None) -> None:
        self.journal = journal if journal is not None and journal.mode != "off" else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kshot-journal")
        self._find: Batch[str, Call | None] = Batch(self._find_many, self._thread)
        self._claim: Batch[str, bool] = Batch(self._claim_many, self._thread)
        self._settle: Batch[Call, None] = Batch(self._settle_many, self._thread)
        self._release: Batch[str, None] = Batch(self._release_many, self._thread)
        self._ours: dict[str, asyncio.Future[None]] = {}
        self._renewing: asyncio.Task[None] | None = None

    async def taken(self, key: str, waits: Callable[[bool], None]) -> Call | None:
        """The finished call of this key; None where it is now ours to ask.

        A key that this process or another one is asking for is waited for. ``waits`` is told when that
        begins (True) and ends (False).

        Raises:
            InputError: The journal is read-only and holds no such call.
        """
        if self.journal is None:
            return None
        found = await self._find(key)
        if found is not None:
            return found
        if self.journal.mode == "read_only":
            raise InputError(
                f"{self.journal.path}: a reply is not in the journal, and its mode is read_only; open it "
                "with mode use to ask for what is missing"
            )
        if await self._is_ours(key):
            return None
        waits(True)
        try:
            return await self._awaited(key)
        finally:
            waits(False)

    async def settled(self, call: Call) -> None:
        """Writes a call; it is durable when this returns."""
        if self.journal is not None:
            try:
                await self._settle(call)
            finally:
                self._done(call.key)

    async def released(self, key: str) -> None:
        """Gives up a key that was ours."""
        if self.journal is not None:
            try:
                await self._release(key)
            finally:
                self._done(key)

    async def idle(self) -> None:
        """Waits until everything is written and given up."""
        await self._settle.idle()
        await self._release.idle()

    async def close(self) -> None:
        """Ends its tasks; the journal stays open."""
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
        self._thread.shutdown(wait=False)

    async def _awaited(self, key: str) -> Call | None:
        pause = FIRST_LOOK_S
        while True:
            ours = self._ours.get(key)
            if ours is not None:
                await asyncio.wait([ours])
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_LOOK_S)
            found = await self._find(key)
            if found is not None or await self._is_ours(key):
                return found

    async def _is_ours(self, key: str) -> bool:
        """Claims a key. It may have been finished elsewhere since it was looked for: then it is not ours."""
        if key in self._ours:
            return False
        place = asyncio.get_running_loop().create_future()
        self._ours[key] = place
        claimed = False
        claim = asyncio.get_running_loop().create_task(self._claim(key))
        try:
            claimed = await asyncio.shield(claim)
        except asyncio.CancelledError:
            if await claim:  # on its way already: claimed all the same, so it is given up
                await self._release(key)
            raise
        finally:
            if not claimed:
                self._done(key)
        if claimed and self._renewing is None:
            self._renewing = asyncio.get_running_loop().create_task(self._renew())
        return claimed

    def _done(self, key: str) -> None:
        place = self._ours.pop(key, None)
        if place is not None and not place.done():
            place.set_result(None)

    async def _renew(self) -> None:
        """Keeps claims alive while their questions wait for their turn."""
        loop = asyncio.get_running_loop()
        while self._ours and self.journal is not None:
            await asyncio.sleep(RENEW_S)
            await loop.run_in_executor(self._thread, self.journal.renew, list(self._ours))
        self._renewing = None

    def _find_many(self, keys: list[str]) -> Sequence[Call | None]:
        found = self._open.find_many(keys)
        return [found.get(key) for key in keys]

    def _claim_many(self, keys: list[str]) -> Sequence[bool]:
        claimed = self._open.claim(keys)
        return [key in claimed for key in keys]

    def _settle_many(self, calls: list[Call]) -> Sequence[None]:
        self._open.settle_many(calls)
        return [None] * len(calls)

    def _release_many(self, keys: list[str]) -> Sequence[None]:
        self._open.release(keys)
        return [None] * len(keys)

    @property
    def _open(self) -> Journal:
        if self.journal is None:
            raise RunError("there is no journal to write to")
        return self.journal
