"""One ``ask``: questions are taken as places become free, and replies given as they come."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sized
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, final

from kshot.errors import ModelError, RunError
from kshot.models.asking import Question
from kshot.models.base import Reply
from kshot.models.endpoint.answering import Answering
from kshot.models.endpoint.line import Line

LOOK_AHEAD, FARTHEST = 4, 64
JUDGED_FROM = 20
FILL_S = 0.05
Arrival = tuple[int, Reply | None]


@final
class Round:
    """The replies to one iterable of questions.

    The caller's thread takes questions and gives replies; the line's loop does the rest. No more than
    ``LOOK_AHEAD`` times the concurrency are taken and not yet given, so a slow reader holds up the asking;
    those that somebody else answers come on top, up to ``FARTHEST`` times.

    Args:
        most_failed: Share of failures above which the round stops.

    Attributes:
        error: Why it stops early.
        given: How many replies were given.
        dropped: How many questions were taken and not asked.
    """

    def __init__(self, line: Line, answering: Answering, *, concurrency: int, most_failed: float) -> None:
        self.error: BaseException | None = None
        self.given = 0
        self.dropped = 0
        self._line = line
        self._answering = answering
        self._concurrency = concurrency
        self._most_failed = most_failed
        self._arrived: SimpleQueue[Arrival | None] = SimpleQueue()
        self._open = 0
        self._taken = 0
        self._elsewhere = 0
        self._failures: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[Reply]] = set()
        self._sent: set[asyncio.Task[Any] | None] = set()

    def replies(self, questions: Iterable[Question | None]) -> Iterator[tuple[int, Reply]]:
        """Position and reply, as they come.

        Left early, it cancels what is in flight and gives up the claims; what had arrived is written.

        Raises:
            KshotError: ``error``, after the last reply.
        """
        stream = iter(questions)
        is_more = True
        try:
            while True:
                if is_more and self.error is None:
                    is_more = self._fill(stream)
                if not self._open and (self.error is not None or not is_more):
                    break
                arrival = self._next()
                if arrival is not None:
                    yield arrival
        finally:
            self._end()
        if self.error is not None:
            raise self.error

    def left(self, questions: Iterable[Question | None]) -> str:
        """How many questions were not answered, in words."""
        if isinstance(questions, Sized):
            return f"{len(questions) - self.given} of {len(questions)} questions are left to ask"
        return f"{self.given} questions were answered, {self.dropped} or more are left to ask"

    def _fill(self, stream: Iterator[Question | None]) -> bool:
        """Takes questions up to the look-ahead; whether there may be more."""
        began = time.monotonic()
        taken: list[tuple[int, Question]] = []
        is_more = True
        while self._has_room() and not self._is_time_to_give(began):
            try:
                question = next(stream)
            except StopIteration:
                is_more = False
                break
            if question is None:  # not known before another reply has been given
                self._check_progress()
                break
            self._open += 1
            taken.append((self._taken, question))
            self._taken += 1
            if time.monotonic() - began > FILL_S / 10:
                self._line.post(self._start, taken)
                taken = []
        if taken:
            self._line.post(self._start, taken)
        return is_more

    def _check_progress(self) -> None:
        if not self._open:
            raise ModelError("the next question waits for a reply, but none is under way")

    def _has_room(self) -> bool:
        most = LOOK_AHEAD * self._concurrency
        return self._open - self._elsewhere < most and self._open < FARTHEST * self._concurrency

    def _is_time_to_give(self, began: float) -> bool:
        if self._arrived.empty():
            return False
        return self._open >= 2 * self._concurrency or time.monotonic() - began > FILL_S

    def _next(self) -> tuple[int, Reply] | None:
        """The next reply; None where something else happened."""
        try:
            arrival = self._arrived.get(timeout=1.0)
        except Empty:
            if not self._line.is_alive:
                raise RunError("the endpoint was closed while questions were open") from None
            return None
        if arrival is None:
            return None
        self._open -= 1
        position, reply = arrival
        if reply is None:
            self.dropped += 1
            return None
        self.given += 1
        self._judge(reply)
        return position, reply

    def _judge(self, reply: Reply) -> None:
        """Stops the round where too large a share has failed."""
        if reply.finish_reason == "error":
            self._failures[reply.error] += 1
        failed = self._failures.total()
        if self.given < JUDGED_FROM or failed <= self._most_failed * self.given or self.error is not None:
            return
        reason, count = self._failures.most_common(1)[0]
        self.error = ModelError(
            f"{failed} of {self.given} questions failed, more than the share of {self._most_failed:g} that "
            f"is allowed (most_failed); the most frequent reason, {count} times: {reason}"
        )
        self._line.post(self._stop, self.error)

    def _end(self) -> None:
        if self._open and self._line.is_alive:
            self._line.wait_for(self._cancelled())

    # from here on: in the loop

    def _start(self, taken: list[tuple[int, Question]]) -> None:
        for position, question in taken:
            if self.error is not None:
                self._arrived.put((position, None))
                continue
            task = self._line.loop.create_task(
                self._answering.reply(question, sending=self._sending, elsewhere=self._is_elsewhere)
            )
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, position))

    def _ended(self, position: int, task: asyncio.Task[Reply]) -> None:
        """Also for a task that was cancelled before it began."""
        self._tasks.discard(task)
        self._sent.discard(task)
        reply = None  # dropped: the round stops, or was left
        if not task.cancelled():
            error = task.exception()
            if error is None:
                reply = task.result()
            else:  # a bug too is told to whoever asked
                self._stop(error)
        self._arrived.put((position, reply))

    def _sending(self, is_sent: bool) -> None:
        task = asyncio.current_task()
        if is_sent:
            self._sent.add(task)
            return
        self._sent.discard(task)
        if self.error is not None:
            raise asyncio.CancelledError  # no second attempt in a round that stops

    def _is_elsewhere(self, is_so: bool) -> None:
        self._elsewhere += 1 if is_so else -1
        self._arrived.put(None)

    def _stop(self, error: BaseException) -> None:
        """Nothing more is sent; what is in flight ends."""
        if self.error is None:
            self.error = error
        for task in self._tasks - self._sent:
            task.cancel()

    async def _cancelled(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._line.desk.idle()
