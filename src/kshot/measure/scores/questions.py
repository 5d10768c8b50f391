"""What an expert is asked on the shots, and how its answers are scored; one expert, or a group at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final

import numpy as np

from kshot.data.example import Conversation, Example
from kshot.data.template import Target, Template
from kshot.measure.loss import ShotLosses, shot_losses
from kshot.measure.metrics.scoring import row_scores
from kshot.measure.predict import Prediction
from kshot.measure.scores.cache import ShotScore
from kshot.models.base import ChoiceScores, LanguageModel, LossModel, Reply, System, TokenLosses
from kshot.models.hf.generate import Decoding
from kshot.models.hf.group import Answers, ExpertGroup


class Expert(LanguageModel, LossModel, Protocol):
    """A model that replies and whose likelihoods can be read."""


@final
@dataclass(frozen=True, slots=True)
class Questions:
    """Rows, and all that decides how they are put and judged.

    Attributes:
        rows: With answers.
        template: The task's words.
        metric: As in ``evaluate``.
        predict: (system, rows, template) to predictions.
    """

    rows: Sequence[Example]
    template: Template
    metric: str
    predict: Callable[[System, Sequence[Example], Template], list[Prediction]]

    def scores(self, expert: Expert) -> list[ShotScore]:
        """One score a row of one expert."""
        losses, predictions = self._put_to(expert)
        replies = [row.prediction for row in predictions]
        wants_tests = self.metric == "pass_at_1"
        gold = [row.tests or row.answer if wants_tests else self.template.gold(row) for row in self.rows]
        scores = row_scores(self.metric, replies, gold, labels=self.template.labels or None)
        if scores is None:
            scores = row_scores("accuracy", replies, gold)
        right = np.asarray(scores, dtype=np.float64) == 1
        columns = zip(right, losses.answer, losses.reasoning, losses.target, strict=True)
        return [ShotScore(bool(r), float(a), float(s), float(t)) for r, a, s, t in columns]

    def scores_of(self, group: ExpertGroup) -> list[list[ShotScore]]:
        """One list for each expert of a group; a listener is asked first, and all answer what it heard."""
        listener = _Listener()
        self._put_to(listener)
        return [self.scores(expert) for expert in listener.answered(group)]

    def _put_to(self, expert: Expert) -> tuple[ShotLosses, list[Prediction]]:
        system = System("expert", "adapter", expert, self.template.conversation)
        return shot_losses(expert, self.template, self.rows), self.predict(system, self.rows, self.template)


_Asked: TypeAlias = tuple[Conversation, ...]


@final
class _Listener:
    """An expert that notes what it is asked, and says nothing.

    Attributes:
        id: It has none that means anything.
        noted: What is asked about each list of conversations, as ``ExpertGroup.ask`` names it.
    """

    def __init__(self) -> None:
        self.id = "listener"
        self.noted: dict[_Asked, dict[str, Any]] = {}

    def token_losses(
        self, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        """Nothing is lost."""
        self.noted.setdefault(tuple(conversations), {})["targets"] = targets
        one = np.ones(1, dtype=np.bool_)
        return [TokenLosses(np.zeros(1, dtype=np.float32), one, one)] * len(conversations)

    def choice_scores(
        self, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
    ) -> list[ChoiceScores]:
        """All choices are alike."""
        self.noted.setdefault(tuple(conversations), {})["choices"] = choices
        ones = [np.ones(len(row), dtype=np.int64) for row in choices]
        return [ChoiceScores(row.astype(np.float32), row, row) for row in ones]

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """Empty replies."""
        decoding = Decoding(max_new_tokens, temperature, seed, stop)
        self.noted.setdefault(tuple(conversations), {})["decoding"] = decoding
        return [Reply("")] * len(conversations)

    def answered(self, group: ExpertGroup) -> list[_Answered]:
        """Experts that say what a group's say, in its order; one pass for each list of conversations."""
        found = {asked: group.ask(asked, **questions) for asked, questions in self.noted.items()}
        return [
            _Answered(name, {asked: answers[g] for asked, answers in found.items()})
            for g, name in enumerate(group.names)
        ]


@final
@dataclass(frozen=True, slots=True)
class _Answered:
    """An expert of a group, asked again what the group was asked."""

    id: str
    known: Mapping[_Asked, Answers]

    def token_losses(
        self, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        """As the group answered."""
        return list(self.known[tuple(conversations)].losses)

    def choice_scores(
        self, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
    ) -> list[ChoiceScores]:
        """As the group answered."""
        return list(self.known[tuple(conversations)].choices)

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """As the group answered."""
        return list(self.known[tuple(conversations)].replies)
