"""An OpenAI-compatible endpoint behind the seams of a language model: bounded, journaled, budgeted."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self, final

from kshot.data.example import Conversation
from kshot.errors import BudgetError, InputError
from kshot.models.asking import Decoding, Question
from kshot.models.base import Reply
from kshot.models.endpoint.address import checked_address, key_from
from kshot.models.endpoint.answering import Answering
from kshot.models.endpoint.estimating import estimated
from kshot.models.endpoint.gate import Flow
from kshot.models.endpoint.line import Line
from kshot.models.endpoint.meter import Meter, StepUsage
from kshot.models.endpoint.options import Budget, EndpointOptions, Estimate
from kshot.models.endpoint.request import canonical, drawn
from kshot.models.endpoint.round import Round
from kshot.models.journal import Journal, request_key

USUAL = EndpointOptions()
NO_KEY = "none"  # the openai client needs one


@final
class Endpoint:
    """Any OpenAI-compatible server, asked many questions at once.

    It is a ``LanguageModel`` and an ``Asker``: write loops against ``kshot.models.asking``. Everything that
    is sent and came back stands in the journal before it is used, so a rerun pays nothing twice. The bound
    on requests in flight, the budget and the counts belong to the object and hold over all its steps.

    Args:
        base_url: Such as ``http://127.0.0.1:8000/v1``; no key in it.
        model: As the server calls it.
        journal: A journal, or the file of one; None: nothing is kept.
        concurrency: The most requests in flight.
        budget: Hard limits; none by default.
        options: Key, timeouts, retries, prices.

    Raises:
        InputError: The URL, a number, the variable of the key, or a limit in USD without prices.

    Example::

        with Endpoint("http://127.0.0.1:8000/v1", "qwen", journal=Path("calls.sqlite")) as endpoint:
            for position, reply in asked(endpoint, questions):
                ...
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        journal: Journal | Path | None = None,
        concurrency: int = 16,
        budget: Budget | None = None,
        options: EndpointOptions = USUAL,
    ) -> None:
        self.base_url = checked_address(base_url)
        self.model = model
        if not model:
            raise InputError(
                f"{self.base_url}: the model's name is empty; `GET {self.base_url}/models` lists them"
            )
        if concurrency < 1:
            raise InputError(f"{self.base_url}: concurrency is {concurrency}; expected 1 or more")
        key_from(options.api_key_env)  # a missing key is told at once, and read again when it is used
        self._concurrency = concurrency
        self._options = options
        self._meter = Meter(budget, prices=options.prices)
        self._owns_journal = isinstance(journal, Path | str)
        self.journal = (
            Journal(journal, mode=options.journal_mode) if isinstance(journal, Path | str) else journal
        )
        self._line: Line | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._is_closed = False

    @property
    def id(self) -> str:
        """Base URL and model."""
        return f"{self.base_url} {self.model}"

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """One reply a conversation, in order; equal conversations are draws of their own.

        Raises:
            KshotError: As ``ask``; what came before is in the journal.
        """
        decoding = Decoding(max_new_tokens, temperature, tuple(stop), seed)
        questions = [Question(c, d, step="generate") for c, d in drawn(conversations, decoding)]
        found = dict(self.ask(questions))
        return [found[position] for position in range(len(questions))]

    def ask(self, questions: Iterable[Question | None]) -> Iterator[tuple[int, Reply]]:
        """Position and reply of each question, as they come, each exactly once.

        Questions are taken a few ahead of their turn. Leaving early cancels what is in flight.

        Raises:
            BudgetError: The next question does not fit; those in flight were answered and given first.
            ModelError: The endpoint cannot be used, or too many questions failed.
            InputError: The journal is read-only and lacks a reply, or the endpoint is closed.
        """
        line = self._opened()
        answering = Answering(
            line.desk,
            line.sender,
            names=(self.base_url, self.model),
            meter=self._meter,
            options=self._options,
        )
        questions_round = Round(
            line, answering, concurrency=self._concurrency, most_failed=self._options.most_failed
        )
        try:
            yield from questions_round.replies(questions)
        except BudgetError as error:
            raise BudgetError(f"{error}; {questions_round.left(questions)}; {self._advice()}") from None

    def estimate(self, questions: Iterable[Question]) -> Estimate:
        """What the questions would cost now; nothing is sent."""
        pairs = ((self._key(question), question) for question in questions)
        return estimated(pairs, journal=self.journal, prices=self._options.prices)

    def usage(self) -> tuple[StepUsage, ...]:
        """Calls, tokens and money by step, since this object was made."""
        return self._meter.usage()

    def flow(self) -> Flow | None:
        """How the bound on requests in flight went; None before the first question."""
        return self._line.gate.flow() if self._line is not None else None

    def close(self) -> None:
        """Ends the thread and its connections, and the journal that was opened here."""
        self._is_closed = True
        if self._line is not None:
            self._line.close()
        if self._owns_journal and self.journal is not None:
            self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _key(self, question: Question) -> str:
        return request_key(
            canonical(question, endpoint=self.base_url, model=self.model, seed=self._options.seed)
        )

    def _opened(self) -> Line:
        """The thread, started with the first question, and anew in a forked child."""
        if self._pid != os.getpid():
            self._pid, self._lock, self._line = os.getpid(), threading.Lock(), None
            self._meter.after_fork()
        with self._lock:
            if self._is_closed:
                raise InputError(f"{self.base_url}: the endpoint is closed; make another one")
            if self._line is None:
                self._line = Line(
                    self.base_url,
                    api_key=key_from(self._options.api_key_env) or NO_KEY,
                    concurrency=self._concurrency,
                    journal=self.journal,
                    meter=self._meter,
                    options=self._options,
                )
                weakref.finalize(self, self._line.close)
            return self._line

    def _advice(self) -> str:
        if self.journal is None or self.journal.mode != "use":
            return "give a larger budget, and a journal to keep what was paid"
        return (
            f"all replies so far are in {self.journal.path}: run again with a larger budget, "
            "and only the rest is paid"
        )
