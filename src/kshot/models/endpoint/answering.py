"""A question to its reply: from the journal where it is there, else asked, written down, and then given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias, final

from kshot.models.asking import Question
from kshot.models.base import Reply
from kshot.models.endpoint.desk import Desk
from kshot.models.endpoint.meter import Meter
from kshot.models.endpoint.options import EndpointOptions
from kshot.models.endpoint.reading import Received
from kshot.models.endpoint.request import canonical, need_of
from kshot.models.endpoint.sender import Errand, Result, Sender
from kshot.models.journal import Call, request_key

Told: TypeAlias = Callable[[bool], None]


@final
class Answering:
    """The course of one question; lives in one event loop."""

    def __init__(
        self,
        desk: Desk,
        sender: Sender,
        *,
        names: tuple[str, str],
        meter: Meter,
        options: EndpointOptions,
    ) -> None:
        self._desk = desk
        self._sender = sender
        self._address, self._model = names
        self._meter = meter
        self._options = options

    async def reply(self, question: Question, *, sending: Told, elsewhere: Told) -> Reply:
        """The reply; it is in the journal when this returns.

        Args:
            question: Its ``check`` is not looked at.
            sending: Told True while the question must not be dropped: it is, or was, sent.
            elsewhere: Told True while another asker's reply is waited for.

        Raises:
            KshotError: No question can be answered any more: budget, key, endpoint, journal.
        """
        request = canonical(question, endpoint=self._address, model=self._model, seed=self._options.seed)
        key = request_key(request)
        found = await self._desk.taken(key, elsewhere)
        if found is not None:
            reply = cached_reply(found)
            self._meter.count(reply, step=question.step)
            return reply
        calls: list[Call] = []

        async def written(result: Result) -> None:
            calls.append(self._call(key, request, result, question.step))
            await asyncio.shield(self._desk.settled(calls[0]))

        try:
            errand = Errand(request, need_of(question), question.step, sending, written)
            result = await self._sender.call(errand)
            if not calls:
                await written(result)
        finally:
            if not calls:
                await asyncio.shield(self._desk.released(key))
        reply = _reply(result, calls[0])
        self._meter.count(reply, step=question.step, seconds=result.seconds, estimated=result.estimated)
        return reply

    def _call(self, key: str, request: dict[str, Any], result: Result, step: str) -> Call:
        found, spent = result.found, result.spent
        is_done = isinstance(found, Received)
        return Call(
            key,
            self._model,
            endpoint=self._address,
            step=step,
            request=request,
            text=found.text if isinstance(found, Received) else "",
            finish_reason=found.finish_reason if isinstance(found, Received) else found.code or "error",
            prompt_tokens=spent.prompt_tokens,
            completion_tokens=spent.completion_tokens,
            usd=spent.usd(self._options.prices),
            prices=self._options.prices,
            latency_s=result.seconds,
            attempts=result.attempts,
            status="done" if is_done else "failed",
            error="" if isinstance(found, Received) else found.told,
            logprobs=found.logprobs if isinstance(found, Received) else (),
        )


def cached_reply(call: Call) -> Reply:
    """A finished call of the journal as a reply that costs nothing."""
    return Reply(
        call.text,
        prompt_tokens=call.prompt_tokens,
        completion_tokens=call.completion_tokens,
        finish_reason="length" if call.finish_reason == "length" else "stop",
        cached=True,
        logprobs=call.logprobs,
    )


def _reply(result: Result, call: Call) -> Reply:
    found = result.found
    if not isinstance(found, Received):
        tried = f" ({result.attempts} attempts)" if result.attempts > 1 else ""
        return Reply(
            "",
            prompt_tokens=call.prompt_tokens,
            completion_tokens=call.completion_tokens,
            finish_reason="error",
            calls=result.spent.calls,
            usd=call.usd,
            error=call.error + tried,
        )
    return Reply(
        found.text,
        prompt_tokens=call.prompt_tokens,
        completion_tokens=call.completion_tokens,
        finish_reason=found.finish_reason,
        calls=result.spent.calls,
        usd=call.usd,
        logprobs=found.logprobs,
    )
