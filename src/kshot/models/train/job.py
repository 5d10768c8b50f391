"""A training that is written down in a file, so that a launcher can start it in several processes."""

from __future__ import annotations

import dataclasses
import importlib
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from kshot.data.formats import read_examples
from kshot.data.template import ReasoningOrder, TaskKind, Template
from kshot.errors import ModelError, collected
from kshot.models.hf.model import HfModel
from kshot.models.train.adapter_training import train_adapter
from kshot.models.train.lora_training import TrainResult, train_lora
from kshot.models.train.rows import TrainRows
from kshot.models.train.settings import TrainSettings


class TemplateWords(BaseModel):
    """See ``kshot.data.template.Template``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instruction: str = ""
    kind: TaskKind = "generation"
    labels: tuple[str, ...] = ()
    reasoning: ReasoningOrder = "none"


class TrainJob(BaseModel):
    """What is trained on what; paths are relative to the job's file.

    Attributes:
        base: A model folder or hub name.
        rows: A file of rows to learn from, in any row format.
        out: The folder to write.
        start: A PEFT folder to go on from; None makes a new LoRA.
        held: A file of rows to stop by.
        template: How a row becomes a conversation and a target.
        settings: Fields of ``TrainSettings``.
        imports: Python modules to import first, so that PEFT knows their adapter types: ``kshot.peft``.
        dtype: As ``HfModel.load``.
        device: ``auto`` is this process's own accelerator, or the CPU.
        chat: As ``HfModel.load``'s template.
        batch_tokens: Padded tokens in a batch of held-back rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    rows: str
    out: str
    start: str | None = None
    held: str | None = None
    template: TemplateWords = TemplateWords()
    settings: dict[str, Any] = {}
    imports: tuple[str, ...] = ()
    dtype: str = "auto"
    device: str = "auto"
    chat: Literal["auto", "chat", "plain"] = "auto"
    batch_tokens: int = 8192


def run_job(path: str | Path) -> TrainResult:
    """Train what a JSON file describes, see ``TrainJob``; alone, or in each process of ``accelerate launch``.

    Raises:
        ModelError: The file, its settings or the model cannot be used.
        DataError: A file of rows cannot be used.
    """
    path = Path(path)
    job = _read(path)
    settings = _settings(path, job.settings)
    for name in job.imports:
        _import(path, name)
    template = Template(**job.template.model_dump())
    rows = _rows(path.parent / job.rows, path.parent / job.held if job.held else None, template)
    here = path.parent / job.base
    base = HfModel.load(
        here if here.is_dir() else job.base,
        dtype=job.dtype,
        device=_own_device(job.device),
        template=job.chat,
        batch_tokens=job.batch_tokens,
    )
    out = path.parent / job.out
    if job.start is not None:
        return train_adapter(base, rows, start=path.parent / job.start, out=out, settings=settings)
    if rows.held_targets:
        raise ModelError(f"{path}: held rows need a start; a new LoRA stops by settings.held_back")
    return train_lora(base, rows.conversations, rows.targets, out=out, settings=settings)


def _read(path: Path) -> TrainJob:
    try:
        return TrainJob.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read ({error})") from error
    except ValidationError as error:
        found = [
            f"{path}: {'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}"
            for each in error.errors()
        ]
        raise ModelError(collected(found)) from error


def _settings(path: Path, given: dict[str, Any]) -> TrainSettings:
    known = {field.name for field in dataclasses.fields(TrainSettings)}
    if unknown := sorted(given.keys() - known):
        raise ModelError(f"{path}: settings: {unknown[0]!r} is none of {', '.join(sorted(known))}")
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    try:
        if "rates" in plain:
            plain["rates"] = tuple((str(fragment), float(rate)) for fragment, rate in plain["rates"])
        return TrainSettings(**plain)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: settings: {error}") from error


def _import(path: Path, name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError as error:
        raise ModelError(f"{path}: imports: {name} cannot be imported ({error})") from error


def _rows(learned: Path, held: Path | None, template: Template) -> TrainRows:
    found = [read_examples(file).examples if file else () for file in (learned, held)]
    (turns, targets), (held_turns, held_targets) = (
        ([template.conversation(row) for row in rows], [template.target(row) for row in rows])
        for rows in found
    )
    return TrainRows(turns, targets, held_turns, held_targets)


def _own_device(device: str) -> str:
    """The accelerator that the launcher means for this process."""
    import torch

    if device == "auto" and torch.cuda.is_available() and "LOCAL_RANK" in os.environ:
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return device
