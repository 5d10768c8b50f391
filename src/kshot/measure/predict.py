"""What a finished system says about rows: one prediction a row, with its reply and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kshot.data.example import LETTERS, Example
from kshot.data.template import Template
from kshot.measure.metrics import extract_label
from kshot.models.base import Classifier, LanguageModel, LossModel, Reply, System


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row's outcome: the stated answer, or None where the reply states none, and the whole reply."""

    id: str
    prediction: str | None
    reply: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    usd: float = 0.0

    def to_row(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def predict(
    system: System,
    rows: Sequence[Example],
    template: Template,
    *,
    shots: Sequence[Example] = (),
    max_new_tokens: int = 64,
) -> list[Prediction]:
    """Predictions of a system for rows, in their order.

    A classifier gives its most probable label (ties: the earlier label). A language model whose
    likelihoods can be read picks the likeliest label or letter where the answers are a closed list (by
    the sum over its tokens); otherwise it generates greedily, and the answer is read from the reply.
    ``shots`` only decide whether answers span several lines.
    """
    if not rows:
        return []
    model = system.model
    if isinstance(model, Classifier):
        return _classify(model, rows)
    if isinstance(model, LossModel) and (options := _closed_answers(rows, template)) is not None:
        return _choose(system, model, rows, options)
    return _generate(system, model, rows, template, shots=shots, max_new_tokens=max_new_tokens)


def _closed_answers(rows: Sequence[Example], template: Template) -> list[tuple[str, ...]] | None:
    if template.kind == "classification" and template.labels:
        return [template.labels] * len(rows)
    if template.kind == "choice" and all(row.choices for row in rows):
        return [tuple(LETTERS[: len(row.choices or ())]) for row in rows]
    return None


def _classify(model: Classifier, rows: Sequence[Example]) -> list[Prediction]:
    best = model.predict_proba([row.prompt for row in rows]).argmax(axis=1)
    return [Prediction(row.id, model.labels[i], model.labels[i]) for row, i in zip(rows, best, strict=True)]


def _choose(
    system: System, model: LossModel, rows: Sequence[Example], options: Sequence[tuple[str, ...]]
) -> list[Prediction]:
    scores = model.choice_scores([system.prompt(row) for row in rows], options)
    chosen = [names[score.best()] for names, score in zip(options, scores, strict=True)]
    return [Prediction(row.id, choice, choice) for row, choice in zip(rows, chosen, strict=True)]


def _generate(
    system: System,
    model: LanguageModel,
    rows: Sequence[Example],
    template: Template,
    *,
    shots: Sequence[Example],
    max_new_tokens: int,
) -> list[Prediction]:
    stop = template.stop(shots)
    conversations = [system.prompt(row) for row in rows]
    replies = model.generate(conversations, max_new_tokens=max_new_tokens, stop=stop)
    return [_read(row, reply, template, multiline=not stop) for row, reply in zip(rows, replies, strict=True)]


def _read(row: Example, reply: Reply, template: Template, *, multiline: bool) -> Prediction:
    if template.kind == "classification" and template.labels:
        answer = extract_label(reply.text, template.labels, cut=reply.finish_reason == "length")
    else:
        answer = template.answer_in(reply.text, multiline=multiline)
    return Prediction(
        row.id,
        answer,
        reply.text,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        calls=reply.calls,
        usd=reply.usd,
    )
