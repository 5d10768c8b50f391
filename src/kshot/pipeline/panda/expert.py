"""Who prefers: labels, a classifier, a head on embeddings, an adapter or a fine-tuned model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from kshot.data.example import Example, normalised
from kshot.data.template import Template
from kshot.errors import DataError, InputError
from kshot.measure.expert_answers import choice_probabilities, out_of_fold_probabilities
from kshot.measure.metrics import extract_choice, extract_label
from kshot.measure.predict import closed_answers, unanswered
from kshot.methods.panda.preferences import (
    from_gold,
    from_probabilities,
    gold_flagged,
    preferences_of,
    rivals_from_confusion,
)
from kshot.methods.panda.records import ExpertFacts, Preference
from kshot.models.base import Classifier, Embedder, Floats, LanguageModel

if TYPE_CHECKING:
    from kshot.models.hf import HfModel
    from kshot.models.hf.adapted import AdaptedModel
    from kshot.pipeline.workbench import Workbench

NO_ANSWER = "(no answer)"
Rivals: TypeAlias = Callable[[Sequence[Example]], Sequence[str | None]]


class Expert(Protocol):
    """Somebody who ranks answers to rows."""

    @property
    def facts(self) -> ExpertFacts:
        """Kind, and an id with a content hash."""
        ...

    def prefer(self, rows: Sequence[Example]) -> list[Preference]:
        """One preference a row, in order; a row's own answer is read by experts of kind ``gold`` alone."""
        ...


@dataclass(frozen=True, slots=True)
class GoldExpert:
    """The labels themselves; the rival of each is what somebody else says instead, where that is known."""

    template: Template
    rivals: Rivals | None = None

    @property
    def facts(self) -> ExpertFacts:
        """The labels."""
        return ExpertFacts("gold", "labels")

    def prefer(self, rows: Sequence[Example]) -> list[Preference]:
        """Gold first.

        Raises:
            DataError: A row has no answer.
        """
        lacking = next((row for row in rows if not row.answer), None)
        if lacking is not None:
            raise DataError(
                f"{lacking.source or lacking.prompt[:40]!r}: the row has no answer; the labels can be the "
                "expert on labelled rows only: give --expert"
            )
        others = self.rivals(rows) if self.rivals is not None else [None] * len(rows)
        return [
            from_gold(row.prompt, self.template.gold(row), rival=rival, source=row.source or "")
            for row, rival in zip(rows, others, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class ClassifierExpert:
    """A classifier with probabilities."""

    classifier: Classifier
    template: Template

    @property
    def facts(self) -> ExpertFacts:
        """The classifier's id."""
        return ExpertFacts("classifier", self.classifier.id)

    def prefer(self, rows: Sequence[Example]) -> list[Preference]:
        """All classes by their probabilities."""
        shares = self.classifier.predict_proba([row.prompt for row in rows])  # (N, C)
        words = replace(self.template, labels=self.classifier.labels)
        return preferences_of(rows, list(shares), template=words, expert=self.facts)


@dataclass(frozen=True, slots=True)
class HeadExpert:
    """An embedding with a logistic head on labelled rows; of its own rows it speaks out of fold."""

    embedder: Embedder
    learned_on: tuple[Example, ...]
    template: Template
    classifier: Classifier
    folds: dict[str, Floats] = field(default_factory=dict, compare=False)  # normalised text to shares

    @property
    def facts(self) -> ExpertFacts:
        """The head's id."""
        return ExpertFacts("classifier", self.classifier.id)

    def prefer(self, rows: Sequence[Example]) -> list[Preference]:
        """Out-of-fold probabilities for rows that it learned on (by their text), its own for all others.

        Texts are compared normalised, as the folds keep them together.
        """
        known = {normalised(row.prompt) for row in self.learned_on}
        others = [row.prompt for row in rows if normalised(row.prompt) not in known]
        if not self.folds and len(others) < len(rows):
            texts = [row.prompt for row in self.learned_on]
            answers = [row.answer for row in self.learned_on]
            labels = self.template.labels
            found = out_of_fold_probabilities(self.embedder, texts, answers, label_names=labels)
            self.folds.update(zip(map(normalised, texts), found.probabilities, strict=True))
        own = dict(zip(others, self.classifier.predict_proba(others), strict=True)) if others else {}
        ranked = [
            own[row.prompt] if row.prompt in own else self.folds[normalised(row.prompt)] for row in rows
        ]
        return preferences_of(rows, ranked, template=self.template, expert=self.facts)


@dataclass(frozen=True, slots=True)
class ModelExpert:
    """An adapter or a fine-tuned model: closed answers by their likelihood, open ones by what it replies.

    Attributes:
        rivals: For open answers, what somebody else replies: ranked by the expert's own likelihood.
    """

    model: HfModel | AdaptedModel
    template: Template
    max_new_tokens: int
    rivals: Rivals | None = None

    @property
    def facts(self) -> ExpertFacts:
        """The model's id."""
        return ExpertFacts("lm", self.model.id)

    def prefer(self, rows: Sequence[Example]) -> list[Preference]:
        """All choices where answers are closed; else the expert's own reply over its rival's."""
        asked = [unanswered(row) for row in rows]
        closed = closed_answers(asked, self.template)
        if closed is not None:
            shares = choice_probabilities(self.model, asked, closed, template=self.template)
            return preferences_of(rows, shares, template=self.template, expert=self.facts)
        choices = self._replies(asked)
        shares = choice_probabilities(self.model, asked, choices, template=self.template)
        return [
            self._open(row, names, list(found))
            for row, names, found in zip(rows, choices, shares, strict=True)
        ]

    def _open(self, row: Example, choices: Sequence[str], shares: Sequence[float]) -> Preference:
        """The expert's own reply first, whatever its likelihood: that is what it would do."""
        found = from_probabilities(row.prompt, choices, shares, expert=self.facts, source=row.source or "")
        ranked = sorted(found.candidates, key=lambda candidate: candidate.answer != choices[0])
        return gold_flagged(replace(found, candidates=tuple(ranked), gold=row.answer or None))

    def _replies(self, rows: Sequence[Example]) -> list[tuple[str, ...]]:
        own = first_answers(self.model, rows, self.template, max_new_tokens=self.max_new_tokens)
        others = self.rivals(rows) if self.rivals is not None else [None] * len(rows)
        pairs = zip(own, others, strict=True)
        return [tuple(dict.fromkeys(text for text in pair if text)) or (NO_ANSWER,) for pair in pairs]


def first_answers(
    model: LanguageModel, rows: Sequence[Example], template: Template, *, max_new_tokens: int
) -> list[str | None]:
    """What a model answers zero-shot; None where it states no answer."""
    stop = template.stop(())
    asked = [template.conversation(unanswered(row)) for row in rows]
    found = model.generate(asked, max_new_tokens=max_new_tokens, stop=stop)
    if template.kind == "classification" and template.labels:
        return [extract_label(reply.text, template.labels) for reply in found]
    if template.kind == "choice":
        return [extract_choice(reply.text) for reply in found]
    return [template.answer_in(reply.text, multiline=not stop) for reply in found]


def open_expert(bench: Workbench, named: str, *, learned_on: Sequence[Example] = ()) -> Expert:
    """The expert that a task file or a command names.

    Args:
        bench: Of the task.
        named: ``gold``, ``head`` (an embedding with a head on ``learned_on``), the name of an adapter of the
            task's bank, or a folder or hub id: a classifier, a saved head, an adapter of the base, a model.
        learned_on: Labelled rows for ``head``; the shots where none are given.

    Raises:
        InputError: It is nothing that can prefer, or does not fit the task.
    """

    def rivals(rows: Sequence[Example]) -> list[str | None]:
        return first_answers(bench.llm, rows, bench.template, max_new_tokens=bench.max_new_tokens)

    open_answers = bench.template.kind in ("generation", "extraction")
    if named == "gold":
        return GoldExpert(bench.template, rivals if open_answers else confused(bench.template, rivals))
    if named == "head":
        return _head(bench, tuple(learned_on) or bench.labelled)
    entry = next((entry for entry in bench.experts if entry.name == named), None)
    place = entry.folder if entry is not None else bench.settings.resolve(named)
    folder = place if isinstance(place, Path) else None
    if folder is not None and (folder / "head.json").is_file():
        from kshot.models.classifier import EmbeddingHead

        head = EmbeddingHead.load(folder, bench.embedder)
        if foreign := sorted(set(head.labels) - set(bench.template.labels)):
            known = ", ".join(bench.template.labels) or "none"
            raise InputError(f"{named}: its label {foreign[0]!r} is none of the task's ({known})")
        return ClassifierExpert(head, bench.template)
    if folder is not None and (folder / "adapter_config.json").is_file():
        found: HfModel | AdaptedModel = bench.model.adapted(folder)
    elif _classifies(str(place)):
        return ClassifierExpert(bench.classifier(named), bench.template)
    else:
        found = bench.load_model(str(place))
    return ModelExpert(found, bench.template, bench.max_new_tokens, rivals if open_answers else None)


def confused(template: Template, answers: Rivals) -> Rivals:
    """What stands against each label where nobody ranks: of two labels the other one; of more, what is said
    in its place.

    That is the answer of ``answers`` to the row itself where it is another label, else the label most often
    said in place of this one on all rows (ties: the earlier label), else nothing.
    """

    def rivals(rows: Sequence[Example]) -> list[str | None]:
        gold = [template.gold(row) for row in rows]
        if len(template.labels) == 2:
            first, second = template.labels
            return [second if label == first else first for label in gold]
        said = answers(rows)
        usual = rivals_from_confusion(gold, said, template.labels)
        return [
            own if own in template.labels and own != label else usual.get(label)
            for label, own in zip(gold, said, strict=True)
        ]

    return rivals


def expert_name(bench: Workbench) -> str:
    """Who prefers in a run, by the task file: the classifier that it names, else the labels.

    Raises:
        InputError: A classifier is asked for, and none is named.
    """
    asked, named = bench.settings.panda.expert, bench.settings.knowledge.expert
    if asked == "classifier" and named is None:
        raise InputError("panda: expert: classifier, but knowledge: expert names none")
    return "gold" if asked == "gold" or named is None else named


def _head(bench: Workbench, rows: tuple[Example, ...]) -> HeadExpert:
    from kshot.models.classifier import EmbeddingHead

    labels = bench.template.labels
    if not labels:
        raise InputError("an embedding with a head tells labels apart; this task has none")
    texts, answers = [row.prompt for row in rows], [row.answer for row in rows]
    head = EmbeddingHead.fit(
        bench.embedder, texts, answers, label_names=labels, seed=bench.settings.examples.seed
    )
    return HeadExpert(bench.embedder, rows, bench.template, head)


def _classifies(place: str) -> bool:
    """Whether a folder or hub id holds a model that chooses one of several classes."""
    from transformers import AutoConfig

    from kshot.models.hf.loading import resolved

    config = AutoConfig.from_pretrained(resolved(place, revision=None), trust_remote_code=False)
    return any("SequenceClassification" in name for name in config.architectures or ())
