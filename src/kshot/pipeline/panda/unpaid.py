"""An LLM that answers from its journal alone: what a dry run may ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, final, runtime_checkable

from kshot.data.example import Conversation
from kshot.models.asking import Decoding, Question
from kshot.models.base import LanguageModel, Reply
from kshot.models.endpoint import Estimate


@runtime_checkable
class Estimating(LanguageModel, Protocol):
    """A language model that tells what questions would cost: an endpoint, or a local one behind its seam."""

    def estimate(self, questions: Iterable[Question]) -> Estimate:
        """What the questions would cost now; nothing is asked."""
        ...


@final
class Unpaid:
    """A ``LanguageModel`` that gives what is in the journal; what is not there is noted and fails.

    Attributes:
        missing: The questions that would have to be paid for, in order.

    Example::

        free = Unpaid(endpoint)
        free.generate(conversations)
        endpoint.estimate(free.missing)
    """

    def __init__(self, model: Estimating) -> None:
        self._model = model
        self.missing: list[Question] = []

    @property
    def id(self) -> str:
        """The model's."""
        return self._model.id

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """One reply a conversation, in order; an error where it was never asked."""
        decoding = Decoding(max_new_tokens, temperature, tuple(stop), seed)
        found = []
        for conversation in conversations:
            question = Question(conversation, decoding, step="generate")
            if self._model.estimate([question]).calls:
                self.missing.append(question)
                found.append(Reply("", finish_reason="error", error="a dry run asks nobody"))
                continue
            found += self._model.generate(
                [conversation], max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, stop=stop
            )
        return found
