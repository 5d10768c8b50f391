"""Task: the shots, the held-out rows that never overlap them, and what the task file says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kshot.data import rules
from kshot.data.draw import draw, folds
from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.data.taskfile import TaskFile, load_task_file, task_file_of
from kshot.data.taskfile.settings import RowsSection
from kshot.data.template import ReasoningOrder, Template
from kshot.errors import TaskError


@dataclass(frozen=True, slots=True)
class Split:
    """Shots to learn from and rows to be judged on: the whole of a held-out test, or one fold.

    ``repeat`` counts from 0; over the splits of one repeat every judged row occurs once.
    """

    name: str
    shots: tuple[Example, ...]
    test: tuple[Example, ...]
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One task as it is run.

    Attributes:
        name: As in the task file, else the file's name.
        template: The words around the rows.
        shots: The drawn shots, in the order of the draw.
        test: The held-out rows in the order of their file; empty where there is no test file.
        metric: Given, or the default of the task's type.
        labels: Of a classification task: as listed, else those of the labelled rows, sorted.
        settings: The task file, with the draw as it was made and the labels written out.
        folder: What paths are relative to.
        notes: What the user should know: each a sentence.

    Example::

        task = Task.load("task.yaml", k=20, seed=1)
        task.shots[0].prompt, len(task.test)
    """

    name: str
    template: Template
    shots: tuple[Example, ...]
    test: tuple[Example, ...]
    metric: str
    labels: tuple[str, ...]
    settings: TaskFile
    folder: Path
    notes: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, k: int | None = None, seed: int | None = None) -> Task:
        """Reads a task file and its rows and draws the shots; ``k`` and ``seed`` override the file.

        A draw depends on the rows' contents, ``k`` and the seed, not on their order in the file; in
        classification it is stratified (see ``draw.allocate``).

        Raises:
            TaskError: The task file, or its rows taken together, cannot be used.
            DataError: A file of rows cannot be read.
        """
        settings = load_task_file(path).with_draw(k=k, seed=seed)
        notes: list[str] = []
        labelled = _read(settings, settings.examples, notes)
        test = _read(settings, settings.test, notes) if settings.test is not None else ()
        return _assembled(settings, labelled, test, notes, is_drawn=False)

    @classmethod
    def from_examples(
        cls, settings: TaskFile | Mapping[str, Any], shots: Sequence[Example], test: Sequence[Example] = ()
    ) -> Task:
        """A task from rows at hand: nothing is drawn, the shots stay in their order.

        ``settings`` may be a mapping with the keys of a task file but ``version`` and ``examples``.

        >>> shots = [Example("good", "pos"), Example("bad", "neg")]
        >>> Task.from_examples({"task": {"type": "classification"}}, shots, [Example("fine", "pos")]).labels
        ('neg', 'pos')

        Raises:
            TaskError: The settings, or the rows taken together, cannot be used.
        """
        if not isinstance(settings, TaskFile):
            given: dict[str, Any] = {"version": 1, "examples": {"path": "shots"}, **settings}
            if test:
                given["test"] = {"path": "test"}
            settings = task_file_of(given)
        shots, test = _with_sources(shots, "shots"), _with_sources(test, "test")
        return _assembled(settings, shots, test, [], is_drawn=True)

    def with_systems(self, names: tuple[str, ...]) -> Task:
        """The same task with other systems to compare."""
        return replace(self, settings=self.settings.with_systems(names))

    def with_sections(self, **sections: Mapping[str, Any] | str) -> Task:
        """The same rows with other settings, such as ``panda={"k": 3}`` or ``embedder="hashing"``."""
        return replace(self, settings=self.settings.with_sections(**sections))

    def splits(self) -> tuple[Split, ...]:
        """One split with a test file; else repeated k-fold over the shots, repeat by repeat.

        Folds are stratified in classification; rows that ask the same stand in the same fold. Shots keep
        their order within a split.
        """
        if self.settings.test is not None:
            return (Split("test", self.shots, self.test, 0),)
        chosen = self.settings.folds
        ids = [shot.id for shot in self.shots]
        questions = [shot.question for shot in self.shots]
        strata = [shot.answer for shot in self.shots] if self.template.kind == "classification" else None
        made = []
        for repeat in range(chosen.repeats):
            dealt = folds(
                ids, count=chosen.count, seed=chosen.seed, repeat=repeat, strata=strata, groups=questions
            )
            for number, fold in enumerate(dealt):
                held_out = set(fold)
                learned = tuple(shot for i, shot in enumerate(self.shots) if i not in held_out)
                judged = tuple(self.shots[i] for i in fold)
                made.append(Split(f"repeat {repeat + 1}, fold {number + 1}", learned, judged, repeat))
        return tuple(made)


def _read(settings: TaskFile, section: RowsSection, notes: list[str]) -> tuple[Example, ...]:
    found = settings.resolve(section.path)
    # a name without suffix that does not exist passes for a hub id; the reader says that it is missing
    path = found if isinstance(found, Path) else settings.folder / found
    read = read_examples(path, format=section.format, columns=section.columns or None, labelled=False)
    notes.extend(read.notes)
    rules.check_answers(read.examples, tests_will_do=settings.metric == "pass_at_1")
    return read.examples


def _assembled(
    settings: TaskFile,
    labelled: tuple[Example, ...],
    test: tuple[Example, ...],
    notes: list[str],
    *,
    is_drawn: bool,
) -> Task:
    for rows in (labelled, test):
        rules.check_choices(rows, settings.task.type)
    if settings.task.type == "classification":
        settings, labelled, test = _with_labels(settings, labelled, test, notes)
    elif settings.task.labels:
        notes.append(f"labels are listed, but type {settings.task.type} does not use them")
    labelled = rules.without_repeats(labelled, notes)
    notes += rules.contradictions(labelled)
    shots = labelled if is_drawn else _drawn(settings, labelled)
    notes += rules.size_notes(len(shots))
    labels = settings.task.labels if settings.task.type == "classification" else ()
    if labels:
        notes += rules.check_classes(shots, labels, where=settings.examples.path)
    test = _limited(settings, test, notes)
    notes += _overlap_notes(settings, labelled, shots, test)
    template = _template(settings, shots, labels, notes)
    metric, folder = settings.chosen_metric, settings.folder
    task = Task(settings.name, template, shots, test, metric, labels, settings, folder, tuple(notes))
    _check_folds(task)
    return task


def _with_labels(
    settings: TaskFile, labelled: tuple[Example, ...], test: tuple[Example, ...], notes: list[str]
) -> tuple[TaskFile, tuple[Example, ...], tuple[Example, ...]]:
    """Settings with the labels written out, and rows whose answers are all among them."""
    listed = settings.task.labels
    if listed:
        labelled = rules.named_by_position(labelled, listed, notes)
        test = rules.named_by_position(test, listed, notes)
    labels = listed or rules.labels_of(labelled, notes)
    rules.check_labels([*labelled, *test], labels, are_listed=bool(listed))
    return settings.with_labels(labels), labelled, test


def _drawn(settings: TaskFile, labelled: tuple[Example, ...]) -> tuple[Example, ...]:
    chosen = settings.examples
    k = len(labelled) if chosen.k is None else chosen.k
    if k > len(labelled):
        raise TaskError(
            f"{chosen.path}: k is {k}, but the file has {len(labelled)} different rows; lower k or add rows"
        )
    ids = [row.id for row in labelled]
    strata = [row.answer for row in labelled] if settings.task.type == "classification" else None
    return tuple(labelled[index] for index in draw(ids, k=k, seed=chosen.seed, strata=strata))


def _limited(settings: TaskFile, test: tuple[Example, ...], notes: list[str]) -> tuple[Example, ...]:
    """The test rows to be judged, in file order: all, or as many as ``limit`` draws."""
    limit = settings.test.limit if settings.test is not None else None
    if settings.test is None or limit is None or not test:
        return test
    if limit >= len(test):
        notes.append(f"test: limit is {limit}, the file has {len(test)} rows; all are judged")
        return test
    kept = sorted(draw([row.id for row in test], k=limit, seed=settings.test.seed))
    notes.append(f"test: {limit} of {len(test)} rows are judged, drawn with seed {settings.test.seed}")
    return tuple(test[index] for index in kept)


def _overlap_notes(
    settings: TaskFile, labelled: tuple[Example, ...], shots: tuple[Example, ...], test: tuple[Example, ...]
) -> list[str]:
    drawn = {shot.id for shot in shots}
    rest = [row for row in labelled if row.id not in drawn]
    if settings.test is None:
        unused = f"{len(rest)} of {len(labelled)} labelled rows are not drawn and not judged on; "
        return [unused + "a test file of them would give sharper evidence"] if rest else []
    rules.check_overlap(shots, test)
    return [*rules.rest_overlap(rest, test), *rules.test_repeats(test)]


def _template(
    settings: TaskFile, shots: tuple[Example, ...], labels: tuple[str, ...], notes: list[str]
) -> Template:
    has_reasoning = any(shot.reasoning for shot in shots)
    asked = settings.task.reasoning
    order: ReasoningOrder = ("answer_first" if has_reasoning else "none") if asked == "auto" else asked
    if order != "none" and not has_reasoning:
        notes.append(f"reasoning is {order}, but no shot has reasoning")
    return Template(settings.task.instruction, settings.task.type, labels, order)


def _check_folds(task: Task) -> None:
    if task.settings.test is not None:
        return
    for split in task.splits():
        if task.template.kind == "classification" and len({shot.answer for shot in split.shots}) < 2:
            raise TaskError(
                f"{task.settings.examples.path}: without a test file, {split.name} leaves shots of one label "
                "only to learn from; add rows of the rarer labels, or give a test file"
            )


def _with_sources(rows: Sequence[Example], name: str) -> tuple[Example, ...]:
    return tuple(
        row if row.source else replace(row, source=f"{name}:{number}")
        for number, row in enumerate(rows, start=1)
    )
