"""What is kept of an episode: each step, the scores, why it ended, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from kshot.models.base import Reply

Kind: TypeAlias = Literal["thought", "own", "grounded", "refused", "asks_back"]
Ended: TypeAlias = Literal["solved", "lost", "over", "moves", "steps", "stuck", "model", "environment"]
Negative: TypeAlias = Literal["last_before", "zero"]
SOLVED = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests and tokens; ``usd`` where prices are known. ``calls`` counts paid requests, ``asked`` all."""

    asked: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    def plus(self, reply: Reply) -> Usage:
        """With one more reply."""
        return Usage(
            self.asked + 1, self.calls + reply.calls, self.prompt_tokens + reply.prompt_tokens,
            self.completion_tokens + reply.completion_tokens, self.usd + reply.usd,
        )  # fmt: skip

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.asked + other.asked, self.calls + other.calls, self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens, self.usd + other.usd,
        )  # fmt: skip


NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the agent.

    Attributes:
        said: The model's line, trimmed.
        sent: What the environment carried out; empty for a thought, and for a refusal.
        kind: ``own``: accepted as it was; ``grounded``: replaced by the nearest valid action; ``asks_back``:
            the environment asked which of several was meant.
        observation: The text that the model saw next.
        score: After the step.
        moves: Counted so far.
        insights: Ids of the insights that stood in the request.
    """

    said: str
    sent: str
    kind: Kind
    observation: str
    score: int
    moves: int
    insights: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Episode:
    """One trial of one variation.

    Attributes:
        environment: Its name.
        variation: Which episode of it.
        round: Which repetition of the same variation.
        strategy: Name of the strategy.
        first: The first observation, with the task.
        steps: In order.
        scores: (L + 1,) before any step, then after each.
        ended: ``solved``, ``lost`` (negative score), ``over`` (the environment ended it otherwise),
            ``moves``, ``steps`` (the caps), ``stuck`` (in circles), ``model`` (no usable
            reply), ``environment`` (it failed).
        error: Of the model or the environment.
        reflections: Notes that stood in the prompt, or, of the kept trial, were written before it.
        trials: How many were made; of Reflexion the best is kept.
        usage: Of all trials.
        peak_bytes: Most memory of the environment's processes; 0 where it is not known.
    """

    environment: str
    variation: int
    strategy: str
    first: str = ""
    steps: tuple[Step, ...] = ()
    scores: tuple[int, ...] = (0,)
    ended: Ended = "over"
    error: str = ""
    reflections: tuple[str, ...] = ()
    trials: int = 1
    usage: Usage = NOTHING
    peak_bytes: int = 0
    round: int = 0

    @property
    def score(self) -> int:
        """The last score, as the environment counts: below 0 where the episode was lost."""
        return self.scores[-1]

    @property
    def failed(self) -> bool:
        """Whether model or environment failed, so that the score says nothing about the agent."""
        return self.ended in ("model", "environment")

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Episode:
        """What ``to_json`` wrote.

        Raises:
            KeyError, TypeError: It is no such object.
        """
        fields = dict(plain)
        fields["steps"] = tuple(
            Step(**(step | {"insights": tuple(step["insights"])})) for step in plain["steps"]
        )
        fields |= {name: tuple(plain[name]) for name in ("scores", "reflections")}
        return cls(**(fields | {"usage": Usage(**plain["usage"])}))

    def with_usage(self, usage: Usage, *, trials: int) -> Episode:
        """The kept trial, with what all trials cost."""
        return replace(self, usage=usage, trials=trials)


def final_score(episode: Episode, *, negative: Negative = "last_before") -> int:
    """The score that counts: the last one; where that is negative, the last score before it, or 0.

    Source: the released evaluation takes the last score before a negative one under its no-stop flag, else 0.

    >>> lost = Episode("toy", 0, "react", scores=(8, 25, -100), ended="lost")
    >>> final_score(lost), final_score(lost, negative="zero")
    (25, 0)
    """
    if episode.score >= 0:
        return episode.score
    if negative == "zero":
        return 0
    return next((score for score in reversed(episode.scores) if score >= 0), 0)
