"""What a finished system says about rows: one prediction a row, with its reply and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from kshot.data.example import LETTERS, Example
from kshot.data.template import Template
from kshot.measure.metrics import extract_label
from kshot.models.base import Classifier, LossModel, Reply, System

Normalise: TypeAlias = Literal["sum", "token", "char"]


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
    normalise: Normalise = "sum",
) -> list[Prediction]:
    """Predictions of a system for rows, in their order. Nobody who answers sees a row's answer.

    A classifier gives its most probable label (ties: the earlier label). A language model whose
    likelihoods can be read picks the likeliest label or letter where the answers are a closed list that
    stands first in a reply (``normalise``: by the sum over its tokens, per token or per character);
    otherwise it generates greedily, and the answer is read from the reply. ``shots`` only decide whether
    answers span several lines.
    """
    if not rows:
        return []
    model = system.model
    asked = [unanswered(row) for row in rows]
    if isinstance(model, Classifier):
        found = _classify(model, asked)
    elif isinstance(model, LossModel) and (options := closed_answers(asked, template)) is not None:
        found = _choose(system, model, asked, options, normalise)
    else:
        stop = template.stop(shots)
        conversations = [system.prompt(row) for row in asked]
        replies = model.generate(conversations, max_new_tokens=max_new_tokens, stop=stop)
        found = [_read(reply, template, multiline=not stop) for reply in replies]
    return [replace(prediction, id=row.id) for row, prediction in zip(rows, found, strict=True)]


def unanswered(row: Example) -> Example:
    """A row as somebody sees it who has to answer it: no answer, no reasoning, no tests, no source.

    >>> unanswered(Example("2 + 2?", "4", reasoning="count")) == Example("2 + 2?", "")
    True
    """
    return replace(row, answer="", reasoning=None, source=None, tests=None)


def closed_answers(rows: Sequence[Example], template: Template) -> list[tuple[str, ...]] | None:
    """What each row may be answered, as a reply would state it: labels or letters; None where that is open.

    >>> closed_answers([Example("2 + 2?", "")], Template())
    """
    if template.reasoning == "answer_last":
        return None  # the answer stands behind reasoning that the model has to write first
    if template.kind == "classification" and template.labels:
        return [template.labels] * len(rows)
    if template.kind == "choice" and all(row.choices for row in rows):
        return [tuple(LETTERS[: len(row.choices or ())]) for row in rows]
    return None


def _classify(model: Classifier, rows: Sequence[Example]) -> list[Prediction]:
    best = model.predict_proba([row.prompt for row in rows]).argmax(axis=1)
    return [Prediction("", model.labels[i], model.labels[i]) for i in best]


def _choose(
    system: System,
    model: LossModel,
    rows: Sequence[Example],
    options: Sequence[tuple[str, ...]],
    normalise: Normalise,
) -> list[Prediction]:
    scores = model.choice_scores([system.prompt(row) for row in rows], options)
    chosen = [names[score.best(normalise=normalise)] for names, score in zip(options, scores, strict=True)]
    return [
        Prediction("", choice, choice, prompt_tokens=score.prompt_tokens)
        for choice, score in zip(chosen, scores, strict=True)
    ]


def _read(reply: Reply, template: Template, *, multiline: bool) -> Prediction:
    is_cut = reply.finish_reason == "length"
    if template.kind == "classification" and template.labels:
        answer = extract_label(reply.text, template.labels, cut=is_cut)
    else:
        # the last line of a cut reply may be half an answer, where answers stand at the end
        is_half = is_cut and template.reasoning == "answer_last"
        text = reply.text.rpartition("\n")[0] if is_half else reply.text
        answer = template.answer_in(text, multiline=multiline)
    return Prediction(
        "",
        answer,
        reply.text,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        calls=reply.calls,
        usd=reply.usd,
    )
