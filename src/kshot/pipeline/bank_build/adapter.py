"""One adapter of a bank: rows, reasoning where it is wanted, training, held-out loss, card."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.data.example import Conversation, Example
from kshot.data.formats import read_examples, write_examples
from kshot.data.template import Target, Template
from kshot.errors import DataError
from kshot.methods.rationales import write_reasoning
from kshot.models.base import LanguageModel, LossModel
from kshot.models.lora.files import WEIGHTS
from kshot.models.safetensor_files import file_sha256
from kshot.models.train import TrainResult, TrainSettings, train_lora
from kshot.pipeline.bank_build.card import write_card
from kshot.pipeline.bank_build.recipe import BankRecipe, Job
from kshot.pipeline.bank_build.rows import DatasetRows, dataset_rows
from kshot.pipeline.bank_build.sources import Source, find_source

if TYPE_CHECKING:
    from kshot.models.hf import HfModel
    from kshot.models.train.fit import OnStep


@dataclass(frozen=True, slots=True)
class Bench:
    """What all adapters of a build share.

    Attributes:
        recipe: Of the bank.
        base: The base model, loaded.
        base_name: As cards and configurations call it.
        base_hash: Of its files.
        writer: Who writes reasoning for rows that lack it; None: nobody.
        notebook: Folder where written reasoning is kept, so that no killed build pays for it twice.
    """

    recipe: BankRecipe
    base: HfModel
    base_name: str
    base_hash: str
    writer: LanguageModel | None
    notebook: Path


@dataclass(frozen=True, slots=True)
class Lessons:
    """Rows with the reasoning that could be had.

    Attributes:
        learned: Rows to learn from.
        held_out: Rows to measure on.
        written: Of all these, how many have reasoning that the writer wrote.
    """

    learned: tuple[Example, ...]
    held_out: tuple[Example, ...]
    written: int


def build_adapter(
    bench: Bench, job: Job, *, key: str, out: Path, on_step: OnStep | None = None
) -> dict[str, Any]:
    """Train one adapter into a folder that is absent or empty, with its card; the facts that it tells.

    Args:
        bench: What all adapters share.
        job: Which one.
        key: Hash of all that it depends on, for the facts.
        out: The PEFT folder.
        on_step: As ``train_lora``.

    Raises:
        DataError: The dataset cannot be used, or its reasoning is lacking and nobody writes it.
        ModelError: The training fails.
    """
    source = find_source(bench.recipe, job)
    rows = dataset_rows(bench.recipe, job, source)
    lessons = _with_reasoning(bench, job, rows, key)
    settings = bench.recipe.training(job)
    asked = _asked(bench.base, lessons.held_out, job, settings)
    before = held_out_loss(bench.base, asked)
    turns, targets = _worded(lessons.learned, job)
    trained = train_lora(bench.base, turns, targets, out=out, settings=settings, on_step=on_step)
    after = held_out_loss(bench.base.adapted(out), asked)
    facts = _facts(bench, job, source, rows, lessons) | {
        "key": key,
        "weights_sha256": file_sha256(out / WEIGHTS),
        "steps": trained.steps,
        "seconds": round(trained.seconds, 1),
        "settings": dataclasses.asdict(settings),
        "loss": _losses(trained, before, after),
    }
    _count_too_long(facts["rows"], trained, held_out=len(asked[0]), most=settings.max_tokens)
    write_card(out, facts)
    return facts


def held_out_loss(model: LossModel, asked: tuple[list[Conversation], list[Target]]) -> float | None:
    """Nats per target token over all rows, end tokens included; None without rows."""
    if not asked[0]:
        return None
    losses = model.token_losses(*asked)
    tokens = sum(len(row.nats) for row in losses)
    return math.fsum(float(row.nats.sum(dtype="float64")) for row in losses) / tokens


def template_of(row: Example, job: Job) -> Template:
    """The words around an open row: none but its own, and letters where it has choices."""
    return Template(kind="choice" if row.choices else "generation", reasoning=job.reasoning)


def _worded(rows: Sequence[Example], job: Job) -> tuple[list[Conversation], list[Target]]:
    templates = [template_of(row, job) for row in rows]
    pairs = list(zip(templates, rows, strict=True))
    return [t.conversation(row) for t, row in pairs], [t.target(row) for t, row in pairs]


def _asked(
    base: HfModel, rows: Sequence[Example], job: Job, settings: TrainSettings
) -> tuple[list[Conversation], list[Target]]:
    """Held-out rows that fit into what is trained on."""
    most = min(settings.max_tokens, base.loaded.limit or settings.max_tokens)
    pairs = list(zip(*_worded(rows, job), strict=True))
    fitting = [(turns, target) for turns, target in pairs if len(base.text.encode(turns, target).ids) <= most]
    return [turns for turns, _ in fitting], [target for _, target in fitting]


def _with_reasoning(bench: Bench, job: Job, rows: DatasetRows, key: str) -> Lessons:
    if job.reasoning == "none":
        return Lessons(rows.learned, rows.held_out, 0)
    given = (*rows.learned, *rows.held_out)
    if bench.writer is None:
        if not any(row.reasoning for row in given):
            raise DataError(
                f"{job.name} learns reasoning and its rows have none; map a column to reasoning, or give a "
                "model that writes it (--reasoning-model)"
            )
        return Lessons(rows.learned, rows.held_out, 0)
    kept = bench.notebook / f"{job.name}.{key}.jsonl"
    if kept.is_file():
        found = read_examples(kept, labelled=False).examples
    else:
        template = Template(kind="choice" if given[0].choices else "generation", reasoning=job.reasoning)
        found = write_reasoning(given, bench.writer, template=template, seed=bench.recipe.settings.seed).rows
        bench.notebook.mkdir(exist_ok=True)
        write_examples(kept, found)
    written = sum(bool(row.reasoning) and not old.reasoning for row, old in zip(found, given, strict=True))
    count = len(rows.learned)
    return Lessons(tuple(found[:count]), tuple(found[count:]), written)


def _count_too_long(rows: dict[str, Any], trained: TrainResult, *, held_out: int, most: int) -> None:
    """Rows that training and measuring passed over move to those left out."""
    count = len(trained.too_long) + rows["held_out"] - held_out
    rows["learned"] -= len(trained.too_long)
    rows["held_out"] = held_out
    if count:
        rows["left_out"][f"more than {most} tokens"] = count


def _losses(trained: TrainResult, before: float | None, after: float | None) -> dict[str, float | None]:
    return {
        "first_loss": trained.losses[0],
        "last_loss": trained.losses[-1],
        "held_out_loss_of_the_base": before,
        "held_out_loss": after,
    }


def _facts(bench: Bench, job: Job, source: Source, rows: DatasetRows, lessons: Lessons) -> dict[str, Any]:
    entry = job.entry
    is_hub = entry.hub is not None
    content = hashlib.sha256("".join(row.id for row in lessons.learned).encode()).hexdigest()
    return {
        "name": job.name,
        "kshot": version("kshot"),
        "recipe": bench.recipe.name,
        "command": " ".join(["kshot", *sys.argv[1:]]),
        "base": {"name": bench.base_name, "sha256": bench.base_hash},
        "training_sets": [entry.dataset_id],
        "dataset": {
            "id": entry.dataset_id,
            "config": entry.config if is_hub else None,
            "split": entry.split if is_hub else None,
            "revision": source.revision or entry.revision,
            "licence": entry.licence,
            "verified": entry.verified,
            "note": entry.note,
            "files": [list(pair) for pair in source.sha256],
            "columns": entry.columns,
        },
        "rows": {
            "read": rows.read,
            "learned": len(lessons.learned),
            "held_out": len(lessons.held_out),
            "sha256": content,
            "left_out": dict(rows.left_out),
            "faults": list(rows.faults),
        },
        "reasoning": {
            "order": job.reasoning,
            "rows": sum(bool(row.reasoning) for row in lessons.learned) if job.reasoning != "none" else 0,
            "written": lessons.written,
            "writer": bench.writer.id if bench.writer and lessons.written else None,
        },
    }
