"""A local model behind the endpoint's seam: journaled, budgeted and counted in the same way."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Self, final

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.errors import BudgetError, InputError
from kshot.models.asking import Decoding, Question, batched, batches
from kshot.models.base import ChoiceScores, LanguageModel, LossModel, Reply, TokenLosses
from kshot.models.endpoint.answering import cached_reply
from kshot.models.endpoint.estimating import estimated
from kshot.models.endpoint.meter import Meter, Spent, StepUsage
from kshot.models.endpoint.options import Budget, Estimate
from kshot.models.endpoint.request import canonical, drawn, need_of
from kshot.models.journal import Call, Journal, request_key

PLACE = "local"


@dataclass(frozen=True, slots=True)
class _Held:
    """A question with its canonical request and key."""

    position: int
    question: Question
    request: dict[str, Any]
    key: str


@final
class LocalEndpoint:
    """A ``LanguageModel`` asked in batches, each reply written to the journal before it is given.

    Args:
        model: Who replies. Its id, with the hash of its content, identifies it in the journal.
        journal: A journal, or the file of one; None: nothing is kept.
        budget: In calls (a conversation is one) and tokens.

    Raises:
        InputError: A limit in USD, which a local model does not cost.

    >>> from kshot.models.fake import ScriptedModel
    >>> from kshot.data.example import Message
    >>> model = LocalEndpoint(ScriptedModel(["warm"]))
    >>> model.generate([(Message("user", "cold or warm?"),)])[0].text, model.usage()[0].calls
    ('warm', 1)
    """

    def __init__(
        self, model: LanguageModel, *, journal: Journal | Path | None = None, budget: Budget | None = None
    ) -> None:
        if budget is not None and budget.usd is not None:
            raise InputError("budget: a local model costs no USD; limit calls or tokens")
        self.wrapped = model
        self._owns_journal = isinstance(journal, Path | str)
        self.journal = Journal(journal) if isinstance(journal, Path | str) else journal
        self._meter = Meter(budget)

    @property
    def id(self) -> str:
        """The model's."""
        return self.wrapped.id

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """One reply a conversation, in order; see ``ask``."""
        decoding = Decoding(max_new_tokens, temperature, tuple(stop), seed)
        questions = [Question(c, d, step="generate") for c, d in drawn(conversations, decoding)]
        found = dict(self.ask(questions))
        return [found[position] for position in range(len(questions))]

    def ask(self, questions: Iterable[Question | None]) -> Iterator[tuple[int, Reply]]:
        """Position and reply of each question, batch by batch.

        Raises:
            BudgetError: The next question does not fit; what came before was given.
        """
        for pairs in batches(questions):
            batch = [self._held(*pair) for pair in pairs]
            found = self._found(batch)
            for held in batch:
                if held.key in found:
                    reply = cached_reply(found[held.key])
                    self._meter.count(reply, step=held.question.step)
                    yield held.position, reply
            yield from self._new([held for held in batch if held.key not in found])

    def estimate(self, questions: Iterable[Question]) -> Estimate:
        """What the questions would cost now; nothing is asked."""
        held = (self._held(position, question) for position, question in enumerate(questions))
        return estimated(((one.key, one.question) for one in held), journal=self.journal, prices=None)

    def usage(self) -> tuple[StepUsage, ...]:
        """Calls and tokens by step, since this object was made."""
        return self._meter.usage()

    def close(self) -> None:
        """Ends the journal that was opened here."""
        if self._owns_journal and self.journal is not None:
            self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _held(self, position: int, question: Question) -> _Held:
        request = canonical(question, endpoint=PLACE, model=self.id)
        return _Held(position, question, request, request_key(request))

    def _found(self, batch: Sequence[_Held]) -> dict[str, Call]:
        if self.journal is None:
            return {}
        found = self.journal.find_many([held.key for held in batch])
        missing = len({held.key for held in batch} - set(found))
        if missing and self.journal.mode == "read_only":
            raise InputError(
                f"{self.journal.path}: {missing} replies are not in the journal, and its mode is read_only; "
                "open it with mode use"
            )
        return found

    def _new(self, batch: Sequence[_Held]) -> Iterator[tuple[int, Reply]]:
        """Asks what fits the budget, then what fits after that was settled."""
        left = list(batch)
        while left:
            fits = list(takewhile(lambda held: self._meter.reserve(need_of(held.question)), left))
            if not fits:
                raise BudgetError(
                    f"{self.id}: the budget is used up: {self._meter.told()}; {len(left)} or more questions "
                    "are left to ask; run again with a larger budget"
                    + (", and only the rest is asked" if self.journal is not None else "")
                )
            left = left[len(fits) :]
            yield from self._asked(fits)

    def _asked(self, batch: Sequence[_Held]) -> Iterator[tuple[int, Reply]]:
        """One batch, written down whole before its first reply is given."""
        began = time.monotonic()
        found: dict[int, Reply] = {}
        try:
            found.update(batched(self.wrapped, [(held.position, held.question) for held in batch]))
        finally:
            for held in batch:
                reply = found.get(held.position)
                paid = None if reply is None else Spent(1, reply.prompt_tokens, reply.completion_tokens)
                self._meter.settle(need_of(held.question), paid, step=held.question.step)
        seconds = (time.monotonic() - began) / len(batch)
        if self.journal is not None:
            self.journal.settle_many([self._call(held, found[held.position], seconds) for held in batch])
        for held in batch:
            self._meter.count(found[held.position], step=held.question.step, seconds=seconds)
            yield held.position, found[held.position]

    def _call(self, held: _Held, reply: Reply, seconds: float) -> Call:
        is_done = reply.finish_reason != "error"
        return Call(
            held.key,
            self.id,
            endpoint=PLACE,
            step=held.question.step,
            request=held.request,
            text=reply.text,
            finish_reason=reply.finish_reason,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            latency_s=seconds,
            status="done" if is_done else "failed",
            error=reply.error,
            logprobs=reply.logprobs,
        )


@final
class LocalLossEndpoint:
    """The same for a model whose likelihoods can be read; those are measured anew each time.

    Args:
        model: A ``LanguageModel`` and ``LossModel``.
        journal: As for ``LocalEndpoint``.
        budget: As for ``LocalEndpoint``; likelihoods do not count.
    """

    def __init__(
        self, model: LanguageModel, *, journal: Journal | Path | None = None, budget: Budget | None = None
    ) -> None:
        if not isinstance(model, LossModel):
            raise InputError(f"{model.id}: its likelihoods cannot be read; use LocalEndpoint")
        self._losses: LossModel = model
        self._local = LocalEndpoint(model, journal=journal, budget=budget)
        self.wrapped = model
        self.journal = self._local.journal
        self.generate = self._local.generate
        self.ask = self._local.ask
        self.estimate = self._local.estimate
        self.usage = self._local.usage
        self.close = self._local.close

    @property
    def id(self) -> str:
        """The model's."""
        return self._local.id

    def token_losses(
        self, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        """The model's."""
        return self._losses.token_losses(conversations, targets)

    def choice_scores(
        self, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
    ) -> list[ChoiceScores]:
        """The model's."""
        return self._losses.choice_scores(conversations, choices)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def local_endpoint(
    model: LanguageModel, *, journal: Journal | Path | None = None, budget: Budget | None = None
) -> LocalEndpoint | LocalLossEndpoint:
    """A local model behind the seam, with its likelihoods where it has them.

    >>> from kshot.models.fake import ScriptedModel
    >>> isinstance(local_endpoint(ScriptedModel(["warm"])), LossModel)
    False
    """
    if isinstance(model, LossModel):
        return LocalLossEndpoint(model, journal=journal, budget=budget)
    return LocalEndpoint(model, journal=journal, budget=budget)
