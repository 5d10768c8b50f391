"""Fine-tuning that keeps the rest: what is asked for, and which rows serve what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from kshot.data.draw import shuffled
from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.measure.contamination import guard
from kshot.models.train.settings import TrainSettings
from kshot.pipeline.elastic.alpha_sweep import ALPHAS
from kshot.pipeline.elastic.row_values import check_row_metric, own_words

Method: TypeAlias = Literal["full", "lora"]
HELD_BACK = 0.2
FEWEST_HELD = 5


@dataclass(frozen=True, slots=True)
class ElasticJob:
    """A fine-tuning, and how much of it is kept.

    Attributes:
        base: A model folder or hub name.
        rows: The labelled rows of the task.
        template: The task's words.
        method: ``full``: all weights learn. ``lora``: an adapter does.
        keep_general: The share of the fine-tuned model in the result, 0 to 1; ``auto`` chooses it by
            held-back and general rows; None keeps all of it: plain fine-tuning.
        general: Rows of what must not be lost; ``auto`` chooses by them.
        test: Rows of the task for evidence; nothing is chosen by them.
        general_test: General rows for evidence.
        general_template: The words around general rows; None: their own.
        held_back: Share of the rows that is not learned from, at least five rows; None: a fifth for ``auto``,
            else nothing.
        metric: ``loss``, or a metric that is a mean of rows.
        alphas: What ``auto`` tries.
        settings: Fields of ``TrainSettings``; what is not given is by the model's width.
        merge: Write a LoRA's mix as a whole model.
        keep_fine_tuned: Where to put the model as it was trained, too.
        revision: Of the hub.
        device: As ``HfModel.load``.

    Raises:
        InputError: The parts do not go together; the message says what to add.
    """

    base: str
    rows: Sequence[Example]
    template: Template
    method: Method = "full"
    keep_general: float | Literal["auto"] | None = None
    general: Sequence[Example] = ()
    test: Sequence[Example] = ()
    general_test: Sequence[Example] = ()
    general_template: Template | None = None
    held_back: float | None = None
    metric: str = "exact_match"
    alphas: Sequence[float] = ALPHAS
    settings: Mapping[str, Any] = field(default_factory=dict)
    merge: bool = False
    keep_fine_tuned: Path | None = None
    revision: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        check_row_metric(self.metric)
        TrainSettings(**self.training)
        if not self.rows:
            raise InputError("there are no rows to learn from; expected labelled rows of the task")
        alpha = self.keep_general
        if alpha == "auto" and not self.general:
            raise InputError(
                "--keep-general auto weighs the task against general rows; give --general FILE with rows of "
                "what must not be lost, or a number from 0 to 1"
            )
        if isinstance(alpha, float | int) and not 0 <= alpha <= 1:
            raise InputError(f"--keep-general is {alpha}, expected a number from 0 to 1, or auto")
        if self.held_back is not None and not 0 <= self.held_back < 1:
            raise InputError(f"--held-back is {self.held_back}, expected a share from 0 to below 1")
        if alpha == "auto" and self.held_back == 0:
            raise InputError(
                "--held-back is 0, and --keep-general auto chooses by held-back rows; leave it out"
            )
        if self.method == "full" and self.merge:
            raise InputError("--merge turns a LoRA into a whole model; with --full the result is one already")

    @property
    def alpha_is_chosen(self) -> bool:
        """Whether held-back and general rows choose alpha, so that scores on them are selection scores."""
        return self.keep_general == "auto"

    @property
    def training(self) -> dict[str, Any]:
        """The given settings, with a seed, and no limit to the steps but the epochs."""
        return {"seed": 0, "max_steps": 100_000, **self.settings}

    @property
    def words(self) -> Template:
        """The words around general rows."""
        return self.general_template or own_words((*self.general, *self.general_test))


@dataclass(frozen=True, slots=True)
class ElasticRows:
    """Which rows serve what; no row serves two things.

    Attributes:
        learned: Rows to learn from.
        held: Held-back rows of the task, to choose alpha by.
        general: General rows, to choose alpha by.
        dropped: Reason to how many rows: they repeat rows that something is judged by.
    """

    learned: tuple[Example, ...]
    held: tuple[Example, ...]
    general: tuple[Example, ...]
    dropped: Mapping[str, int]


def elastic_rows(job: ElasticJob, *, seed: int) -> ElasticRows:
    """The job's rows, apart: those that repeat test rows or general rows are dropped and counted.

    Held-back rows are drawn by the seed among the rows whose question nobody else asks, so that none of them
    is learned from under another line. General rows that repeat test rows are dropped too.

    Raises:
        InputError: Too few rows are left to learn from, to hold back, or to choose by.

    Example::

        parts = elastic_rows(job, seed=0)
        len(parts.learned), len(parts.held), parts.dropped
    """
    evidence = {"test": job.test, "general test": job.general_test}
    rows, dropped = _apart(job.rows, evidence | {"general": job.general}, job.template)
    general, general_dropped = _apart(job.general, evidence, job.template)
    counts = {f"row repeats {why}": n for why, n in dropped.items()}
    counts |= {f"general row repeats {why}": n for why, n in general_dropped.items()}
    if not rows:
        raise InputError(
            f"all {len(job.rows)} rows repeat test or general rows, so nothing is left to learn from; "
            "give other test rows"
        )
    if job.alpha_is_chosen and not general:
        raise InputError("all general rows repeat test rows, so nothing is left to choose by; give others")
    held = _held(job, rows, seed)
    apart = set(held)
    return ElasticRows(
        learned=tuple(row for place, row in enumerate(rows) if place not in apart),
        held=tuple(rows[place] for place in held),
        general=tuple(general),
        dropped=counts,
    )


def _apart(
    rows: Sequence[Example], protected: Mapping[str, Sequence[Example]], template: Template
) -> tuple[list[Example], dict[str, int]]:
    groups = {name: group for name, group in protected.items() if group}
    if not rows or not groups:
        return list(rows), {}
    found = guard(rows, groups, template_texts=[template.instruction] if template.instruction else [])
    reasons = Counter(drop.reason for drop in found.selection.dropped)
    return [rows[place] for place in found.selection.kept], dict(sorted(reasons.items()))


def _held(job: ElasticJob, rows: Sequence[Example], seed: int) -> list[int]:
    """Places of the held-back rows, in order."""
    share = job.held_back if job.held_back is not None else HELD_BACK if job.alpha_is_chosen else 0.0
    if not share:
        return []
    asked = Counter(row.question for row in rows)
    alone = [place for place, row in enumerate(rows) if asked[row.question] == 1]
    count = max(FEWEST_HELD, round(share * len(rows)))
    if count > len(alone) or count >= len(rows):
        raise InputError(
            f"{len(rows)} rows, {len(alone)} of them asked once: {count} cannot be held back and leave one "
            f"to learn from; give {FEWEST_HELD + 1} rows or more, or --keep-general with a number"
        )
    order = shuffled([rows[place].id for place in alone], seed=seed)
    return sorted(alone[at] for at in order[:count])
