"""The seams: what kshot asks of a model, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Conversation, Example
from kshot.data.template import Target

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one conversation, and what it cost. ``text`` has no stop string in it.

    Attributes:
        calls: Requests that were paid for this reply; 0 for a local model, and for one from the journal.
        error: Why there is no usable reply, where ``finish_reason`` is ``error``; the text is empty then.
        cached: Whether it was read from the journal: tokens are those of the first time, ``usd`` is 0.
        logprobs: Natural logarithms of the probabilities of the likeliest first tokens, where asked for.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: Literal["stop", "length", "error"] = "stop"
    calls: int = 0
    usd: float = 0.0
    error: str = ""
    cached: bool = False
    logprobs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenLosses:
    """Negative log-likelihoods of one target, token by token, the end token last.

    Attributes:
        nats: (T,) loss of each target token.
        answer: (T,) whether the token belongs to the answer.
        reasoning: (T,) whether it belongs to the reasoning. The end token belongs to neither here;
            ``measure/loss.py`` says which sums count it.
    """

    nats: Floats
    answer: NDArray[np.bool_]
    reasoning: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ChoiceScores:
    """Log-likelihoods of the choices of one row, without end token.

    Where the tokens of one choice begin those of another (1 and 10), all choices of the row count their end
    token, as a choice would never beat its own beginning otherwise.

    Attributes:
        log_likelihood: (C,) sum over the tokens of each choice.
        token_count: (C,) how many tokens each choice has, a counted end token included.
        char_count: (C,) how many characters each choice has.
        prompt_tokens: Tokens of the row's prompt; 0 where the model does not tell.
    """

    log_likelihood: Floats
    token_count: Ints
    char_count: Ints
    prompt_tokens: int = 0

    def best(self, *, normalise: Literal["sum", "token", "char"] = "sum") -> int:
        """Index of the best choice: by sum, per token or per character. Ties: the earlier choice."""
        by = {"sum": np.ones_like(self.token_count), "token": self.token_count, "char": self.char_count}
        return int(np.argmax(self.log_likelihood / np.maximum(by[normalise], 1)))


@runtime_checkable
class LanguageModel(Protocol):
    """Anything that replies to conversations: a local model, an endpoint, a script."""

    @property
    def id(self) -> str:
        """What this is, so that equal ids give equal replies: a path or name, and a content hash."""
        ...

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """One reply a conversation, in order. Greedy at temperature 0; else sampled under ``seed``."""
        ...


@runtime_checkable
class LossModel(Protocol):
    """A model whose likelihoods can be read."""

    def token_losses(
        self, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        """Losses of each target after its conversation, in order; no result depends on batch or padding."""
        ...

    def choice_scores(
        self, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
    ) -> list[ChoiceScores]:
        """Log-likelihood of every choice of every row as the next reply."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Texts to unit vectors."""

    @property
    def id(self) -> str:
        """Name and content hash."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, dim) float32 rows of length 1, in order (a text without any feature gives zeros)."""
        ...


@runtime_checkable
class Classifier(Protocol):
    """Texts to class probabilities."""

    @property
    def id(self) -> str:
        """Name and content hash."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, in the order of the columns."""
        ...

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """(N, C) probabilities, rows sum to 1."""
        ...


@dataclass(frozen=True, slots=True)
class System:
    """A finished specialist, or a baseline: a name, somebody who answers, and how a row is put to them.

    Attributes:
        name: As it stands on the leaderboard; unique within a run.
        kind: ``baseline``, ``adapter``, ``trained``, ``oracle``, or a method's name.
        model: Who answers: a ``LanguageModel`` (or one that is a ``LossModel`` too), or a ``Classifier``.
        prompt: Row to conversation; unused by classifiers, which read the row's prompt.
        size_bytes: Bytes on disk that this system adds to the base model.
        note: One line for the report: what was chosen and why.
        selection_score: Share of the shots right, where it was chosen by that; never evidence.
        built_with: Calls, tokens and USD that an endpoint was asked for to build it.
    """

    name: str
    kind: str
    model: LanguageModel | Classifier
    prompt: Callable[[Example], Conversation]
    size_bytes: int = 0
    note: str = ""
    selection_score: float | None = None
    built_with: tuple[int, int, float] = (0, 0, 0.0)
