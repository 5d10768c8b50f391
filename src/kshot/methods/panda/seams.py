"""Where the parts of PANDA meet: how prompts are worded, what retrieval found, in which setting is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from kshot.data.example import Conversation, Example
from kshot.methods.panda.records import Candidate, Insight
from kshot.models.base import Reply

Render: TypeAlias = Literal["insight", "preference", "both"]
Ask: TypeAlias = Literal["reason", "reason_without_answer", "strategy"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One insight that enters the prompt, and its cosine with the query."""

    insight: Insight
    score: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One insight that came into question and does not enter the prompt, and why."""

    insight: Insight
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Both sides of one retrieval; ``chosen`` most similar first, equal scores in pool order."""

    chosen: tuple[Chosen, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


Retrieve: TypeAlias = Callable[[Example], Retrieved]


@dataclass(frozen=True, slots=True)
class Setting:
    """One of the four settings, and how an insight is shown.

    Attributes:
        shots: How many labelled shots stand in the prompt (0 zero-shot; the released few-shot has 3).
        reasoning: Whether the query asks for reasoning before the answer.
        render: ``insight`` (text, explanation), ``preference`` (text, the expert's label: nearest-neighbour
            few-shot with expert labels), ``both`` (text, label, probability, explanation).
        answers: How many of the ranked answers a ``preference`` shows: 1, 2 or 3.
    """

    shots: int = 0
    reasoning: bool = False
    render: Render = "both"
    answers: int = 1

    @property
    def max_new_tokens(self) -> int:
        """50 for an answer alone (released); 512 with reasoning (released: 150, which cuts it)."""
        return 512 if self.reasoning else 50


class Prompts(Protocol):
    """The wording around one task: how an explanation is asked for, and how a query is put.

    Two are in ``methods/panda/prompts``: ``standard`` in English for instruction-tuned models, and ``bare``,
    few words in fixed places, for models as small as the miniature's.
    """

    @property
    def id(self) -> str:
        """Name, and a hash of everything that a prompt depends on beside row and insights."""
        ...

    def explain(
        self, row: Example, preferred: Candidate, rivals: Sequence[Candidate], *, ask: Ask = "reason"
    ) -> tuple[Conversation, str]:
        """The request for an insight, and the opening clause that the reply continues (may be empty)."""
        ...

    def query(
        self,
        row: Example,
        *,
        insights: Sequence[Insight] = (),
        shots: Sequence[Example] = (),
        setting: Setting = Setting(),
        guide: str = "",
    ) -> Conversation:
        """Insight block, shots, query; ``guide`` is a system message. No gold is read of ``row``.

        With no insights, no guide and no shots it is the plain zero-shot query, byte for byte.
        """
        ...

    def read(self, reply: Reply, setting: Setting) -> str | None:
        """The answer that a reply states, as ``Template.gold`` has it; None where it is invalid."""
        ...

    def stop(self, setting: Setting) -> tuple[str, ...]:
        """Where a reply may be cut."""
        ...
