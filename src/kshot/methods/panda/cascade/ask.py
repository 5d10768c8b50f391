"""The cascade: the model answers where it is sure of itself, the expert where it is not.

Source: ours; a relative of in-context distillation with a self-consistency cascade (arXiv 2512.02543).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

from kshot.data.example import Example
from kshot.errors import InputError
from kshot.measure.predict import unanswered
from kshot.methods.panda.answer import Reader
from kshot.methods.panda.cascade.draws import Drawn, draw_answers
from kshot.models.base import LanguageModel, Reply

ExpertAnswers: TypeAlias = Callable[[Sequence[Example]], Sequence[str | None]]


@final
@dataclass(frozen=True, slots=True)
class CascadeResult:
    """Both sides' answers, and which of them stands. Tuples are (N,), in the order of the rows.

    Attributes:
        answers: What the cascade says.
        asked: Whether the row went to the expert.
        expert: The expert's answer where it was asked, else None.
        drawn: The model's own answers, how far its draws agree, and its replies.
        threshold: Rows whose agreement is below it were asked.
    """

    answers: tuple[str | None, ...]
    asked: tuple[bool, ...]
    expert: tuple[str | None, ...]
    drawn: Drawn
    threshold: float

    @property
    def agreement(self) -> tuple[float, ...]:
        """(N,) share of the majority among the draws, or the answer's probability."""
        return self.drawn.agreement

    @property
    def share_asked(self) -> float:
        """Share of the rows that went to the expert; 0 without rows."""
        return sum(self.asked) / len(self.asked) if self.asked else 0.0

    @property
    def calls(self) -> int:
        """Requests paid for, over all draws."""
        return sum(reply.calls for reply in self._replies())

    @property
    def tokens(self) -> int:
        """Tokens of prompts and replies, over all draws."""
        return sum(reply.prompt_tokens + reply.completion_tokens for reply in self._replies())

    @property
    def usd(self) -> float:
        """Money, over all draws."""
        return sum(reply.usd for reply in self._replies())

    def _replies(self) -> list[Reply]:
        return [reply for group in self.drawn.replies for reply in group]


def cascade(  # noqa: PLR0913 - who answers what, who stands by, and the four numbers of a cascade
    model: LanguageModel,
    rows: Sequence[Example],
    reader: Reader,
    *,
    expert: ExpertAnswers,
    draws: int = 3,
    temperature: float = 0.7,
    threshold: float = 1.0,
    use_logprobs: bool = False,
) -> CascadeResult:
    """The model's answers where its draws agree, the expert's where they do not.

    The expert is asked about exactly the rows whose agreement is below the threshold, at once, after all
    draws. At 1 every draw must give the same valid answer; a draw without a valid answer agrees with none.

    Args:
        model: Who answers first.
        rows: Their answers are taken off before anybody looks.
        reader: How they are put to the model.
        expert: Rows to answers. Where it has none, neither has the cascade.
        draws: Samples a row; a majority's ties go to the answer drawn first.
        temperature: Of the draws; above 0 where there are several.
        threshold: From 0 (never ask) on; see ``threshold_from_shots``.
        use_logprobs: One greedy reply with the log-probabilities of its first token in place of draws, for
            settings without reasoning.

    Raises:
        InputError: A number makes no sense, or the expert gives another number of answers than rows.
        ModelError: Log-probabilities were asked for and the model gives none.

    Example::

        found = cascade(endpoint, rows, reader, expert=lambda rows: [label_of(row) for row in rows])
        found.share_asked, found.answers
    """
    drawn = draw_answers(model, rows, reader, draws=draws, temperature=temperature, use_logprobs=use_logprobs)
    return with_expert(drawn, rows, expert, threshold=threshold)


def with_expert(
    drawn: Drawn, rows: Sequence[Example], expert: ExpertAnswers, *, threshold: float = 1.0
) -> CascadeResult:
    """The cascade of draws that are at hand: another threshold costs no call.

    Raises:
        InputError: The draws are of other rows, or the expert gives another number of answers than rows.

    Example::

        results = [with_expert(drawn, rows, expert, threshold=t) for t in (0.5, 1.0)]
    """
    if len(drawn.answers) != len(rows):
        raise InputError(f"the draws are of {len(drawn.answers)} rows, and {len(rows)} rows are given")
    unsure = [place for place, share in enumerate(drawn.agreement) if share < threshold]
    said = list(expert([unanswered(rows[place]) for place in unsure])) if unsure else []
    if len(said) != len(unsure):
        raise InputError(f"the expert gave {len(said)} answers for {len(unsure)} rows; expected one a row")
    by_expert = dict(zip(unsure, said, strict=True))
    places = range(len(rows))
    return CascadeResult(
        answers=tuple(by_expert[p] if p in by_expert else drawn.answers[p] for p in places),
        asked=tuple(p in by_expert for p in places),
        expert=tuple(by_expert.get(p) for p in places),
        drawn=drawn,
        threshold=threshold,
    )
