"""What a task file names, opened when it is first needed and then shared by all systems.

The test rows are no part of it: what is built from a workbench cannot see them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kshot.data.example import Conversation, Example
from kshot.data.task import Task
from kshot.errors import ModelError
from kshot.measure.contamination import guard
from kshot.measure.scores import BankScores, score_bank
from kshot.models.bank import Bank, BankEntry
from kshot.models.bank.audit import Audit
from kshot.models.base import Classifier, Embedder, LanguageModel
from kshot.models.embed.remember import RememberingEmbedder
from kshot.pipeline.open_pool import EmbeddedPool, dataset_files, pool_of, protected_rows
from kshot.runs import Run, file_hash

if TYPE_CHECKING:
    from kshot.models.hf import HfModel


class Workbench:
    """The models, the embedder and the bank of one run.

    Nothing is loaded before it is asked for: a resumed run whose steps are all there loads no model.

    Attributes:
        labelled: Every labelled row that some split may learn from: what experts are scored on.
        journaled: Whether a local LLM's replies are kept in the journal, as an endpoint's always are: for
            work that has no steps of a run to resume from.

    Args:
        task: What is to be run.
        run: Where it is run.
        download: Whether what the task file names by hub id may be fetched where it is not cached.
    """

    def __init__(self, task: Task, run: Run, *, download: bool = True) -> None:
        self.run = run
        self.settings = task.settings
        self._pool_of = partial(pool_of, task)  # these two keep the test rows to themselves
        self._protected = partial(protected_rows, task)
        self.template = task.template
        self.metric = task.metric
        self.download = download
        rows = {row.id: row for split in task.splits() for row in split.shots}
        self.journaled = False
        self.labelled: tuple[Example, ...] = tuple(rows.values())

    @property
    def has_model(self) -> bool:
        """Whether the task file names a base model."""
        return self.settings.model is not None and self.settings.model.base is not None

    @cached_property
    def base_path(self) -> str:
        """Where the base model lies: a folder, or a hub id.

        Raises:
            ModelError: The task file names none.
        """
        if self.settings.model is None or self.settings.model.base is None:
            raise ModelError("the task file names no base model; add `model: {base: FOLDER}`")
        place = self.settings.resolve(self.settings.model.base)
        return str(place.resolve() if isinstance(place, Path) else place)

    @cached_property
    def base_folder(self) -> Path:
        """The base model's folder; for a hub id the local copy, fetched if need be."""
        from kshot.models.hf.loading import resolved

        if not self.download and not Path(self.base_path).is_dir():
            raise ModelError(f"{self.base_path}: is not on this machine")
        return resolved(
            self.base_path, revision=self.settings.model.revision if self.settings.model else None
        )

    def check_base(self) -> None:
        """Looks at the base's files without loading them.

        Raises:
            ModelError: A file is missing, cut short or of a kind that is refused.
        """
        from kshot.models.hf.loading import check_folder

        check_folder(self.base_folder)

    @cached_property
    def base_identity(self) -> str:
        """A hash of the base's files and of the options it is run with: what results depend on."""
        if not self.has_model:
            return "none"
        options = self.settings.model.model_dump(exclude={"base"}) if self.settings.model else {}
        return json.dumps([file_hash(self.base_folder), options], sort_keys=True)

    @cached_property
    def model(self) -> HfModel:
        """The base model, loaded; by the name that adapters trained on it will carry."""
        return self.load_model(
            self.base_path, revision=self.settings.model.revision if self.settings.model else None
        )

    def load_model(self, path: str, *, revision: str | None = None) -> HfModel:
        """A model of the task's settings: device, type, template and batch as the task file says."""
        from kshot.models.hf import HfModel

        if self.settings.model is None:
            return HfModel.load(path, revision=revision)
        chosen = self.settings.model
        return HfModel.load(
            path,
            revision=revision,
            dtype=chosen.dtype,
            device=chosen.device,
            template=chosen.template,
            batch_tokens=chosen.batch_tokens,
        )

    @property
    def max_new_tokens(self) -> int:
        """Length limit of a reply."""
        return self.settings.model.max_new_tokens if self.settings.model else 64

    @property
    def choice_score(self) -> Literal["sum", "token", "char"]:
        """How the log-likelihoods of closed answers are normalised."""
        return self.settings.model.choice_score if self.settings.model else "sum"

    @cached_property
    def embedder(self) -> RememberingEmbedder:
        """The encoder that the task file names; the hashing encoder where it names none."""
        from kshot.models.embed import load_embedder

        return RememberingEmbedder(load_embedder(self.embedder_path))

    @cached_property
    def embedder_path(self) -> str:
        """``hashing``, a folder or a hub id."""
        named = self.settings.embedder
        return named if named == "hashing" else str(self.settings.resolve(named))

    @cached_property
    def bank(self) -> Bank | None:
        """The adapters that the task file names, or None."""
        places = self.settings.knowledge.adapters
        found = [str(self.settings.resolve(place)) for place in places]
        return Bank(found, download=self.download) if places else None

    @cached_property
    def audit(self) -> Audit | None:
        """What is wrong with the bank's adapters, judged against the base; None without bank or base."""
        if self.bank is None or not self.has_model:
            return None
        return self.bank.audit(self.base_folder)

    @cached_property
    def experts(self) -> tuple[BankEntry, ...]:
        """The bank's adapters that the audit lets through, by name."""
        if self.bank is None or self.audit is None:
            return ()
        usable = set(self.audit.usable)
        return tuple(entry for entry in self.bank.entries if entry.name in usable)

    @cached_property
    def scores(self) -> BankScores:
        """Every usable expert on every labelled row, measured once and cached in the run folder."""
        folder = self.run.step("bank scores", self.score_inputs(), self._score)
        return BankScores.load(folder / "scores.json")

    def score_inputs(self) -> dict[str, Any]:
        """What the bank scores depend on."""
        return {
            "base": self.base_identity,
            "experts": [(entry.name, entry.content) for entry in self.experts],
            "rows": [row.id for row in self.labelled],
            "template": repr(self.template),
            "metric": self.metric_identity,
            "max_new_tokens": self.max_new_tokens,
            "choice_score": self.choice_score,
        }

    @cached_property
    def metric_identity(self) -> str:
        """The metric's name; for one's own also a hash of its file."""
        file, _, _ = self.metric.rpartition(":")
        return self.metric + (f"#{file_hash(Path(file))}" if file.endswith(".py") else "")

    def _score(self, folder: Path) -> None:
        def told(name: str, index: int, total: int) -> None:
            self.run.event("scoring", name=name, index=index, total=total)

        from kshot.models.hf.group import StoredExpert

        experts = ((entry.name, StoredExpert(self.model, entry.folder)) for entry in self.experts)
        cache = self.run.folder / "bank-scores.jsonl"
        scores = score_bank(
            experts,
            self.labelled,
            self.template,
            metric=self.metric,
            max_new_tokens=self.max_new_tokens,
            normalise=self.choice_score,
            cache=cache,
            on_progress=told,
        )
        scores.save(folder / "scores.json")

    @cached_property
    def data_embedder(self) -> Embedder:
        """Who embeds open rows: as the task file says under data, else the task's embedder."""
        from kshot.pipeline.choose_data import data_embedder

        return data_embedder(self)

    @cached_property
    def pool(self) -> EmbeddedPool:
        """The rows of the open datasets, guarded against shots and test rows and embedded, once for all.

        Raises:
            DataError: A dataset cannot be read.
        """
        folder = self.run.folder / "embeddings"
        text = self.settings.data.text
        return self._pool_of(self.data_embedder, folder=folder, text=text, listener=self.run.event)

    def unseen(self, rows: Sequence[Example]) -> tuple[Example, ...]:
        """The rows that repeat no test row, and no labelled row that was not drawn; shots may be repeated."""
        words = [self.template.instruction] if self.template.instruction else []
        groups = {name: found for name, found in self._protected().items() if name != "shots"}
        kept = guard(rows, groups, template_texts=words).selection.kept
        return tuple(rows[place] for place in kept)

    def without_test_rows(self, rows: Sequence[Example]) -> tuple[Example, ...]:
        """The rows that do not ask exactly what a test row asks."""
        asked = {row.question for row in self._protected().get("test", ())}
        return tuple(row for row in rows if row.question not in asked)

    @cached_property
    def protected_identity(self) -> str:
        """A hash of the rows that ``unseen`` and ``pool`` keep out."""
        groups = self._protected()
        names = json.dumps({name: [row.id for row in rows] for name, rows in groups.items()})
        return hashlib.sha256(names.encode()).hexdigest()[:16]

    @cached_property
    def datasets(self) -> str:
        """A hash of the open datasets: what selections depend on; empty where there are none."""
        places = self.settings.knowledge.datasets
        files = dataset_files(self.settings.resolve(place) for place in places)
        return json.dumps([file_hash(file) for file in files]) if places else ""

    @cached_property
    def expert_classifier(self) -> Classifier:
        """The expert classifier that the task file names."""
        named = self.settings.knowledge.expert
        if named is None:
            raise ModelError("the task file names no expert; add `knowledge: {expert: FOLDER}`")
        return self.classifier(named)

    def classifier(self, named: str) -> Classifier:
        """A classifier by folder or hub id, whose labels are the task's.

        Raises:
            ModelError: It cannot be used, or has a label that is none of the task's.
        """
        from kshot.models.classifier.transformers_classifier import TransformersClassifier

        found = TransformersClassifier.load(str(self.settings.resolve(named)))
        if foreign := sorted(set(found.labels) - set(self.template.labels)):
            known = ", ".join(self.template.labels) or "none"
            raise ModelError(f"{named}: its label {foreign[0]!r} is none of the task's ({known}); rename it")
        return found

    @cached_property
    def llm(self) -> LanguageModel:
        """The LLM that the task file names; the base model where it names none."""
        from kshot.pipeline.panda.llm import llm_of

        return llm_of(self)

    def fits_with_target(self, row: Example) -> bool:
        """Whether a row of the task and what it should be replied fit into the base model's positions."""
        encoded = self.model.text.encode(self.template.conversation(row), self.template.target(row))
        limit = self.model.loaded.limit
        return limit is None or len(encoded.ids) + self.max_new_tokens <= limit

    def fits(self, conversation: Conversation) -> bool:
        """Whether a conversation and its reply fit into the base model's positions."""
        limit = self.model.loaded.limit
        return limit is None or self.model.count_tokens([conversation])[0] + self.max_new_tokens <= limit
