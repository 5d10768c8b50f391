"""The models of an elastic fine-tuning: opened, trained, mixed on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from kshot.models.folders import new_folder
from kshot.pipeline.elastic.between import Answering, is_adapter
from kshot.pipeline.elastic.job import ElasticJob, ElasticRows
from kshot.pipeline.lessons import Rows, lessons

if TYPE_CHECKING:
    from kshot.models.hf import HfModel
    from kshot.models.train import TrainResult, TrainSettings
    from kshot.models.train.fit import OnStep


def base_model(job: ElasticJob) -> HfModel:
    """The job's base, loaded.

    Example::

        base_model(job).id
    """
    from kshot.models.hf import HfModel

    return HfModel.load(job.base, revision=job.revision, device=job.device)


def opened(job: ElasticJob, folder: Path) -> Answering:
    """A whole model, or the job's base with an adapter, ready to be asked.

    Example::

        opened(job, Path("runs/tuned")).generate(...)
    """
    from kshot.models.hf import HfModel

    if is_adapter(folder):
        return base_model(job).adapted(folder)
    return HfModel.load(folder, device=job.device)


def trained(
    job: ElasticJob, rows: ElasticRows, *, folder: Path, out: Path, on_step: OnStep | None = None
) -> TrainResult:
    """The job's training, as a whole model or a PEFT folder.

    Args:
        job: What is asked for.
        rows: Its rows.
        folder: Of the base, on this machine.
        out: The folder to write.
        on_step: As ``train_full``.

    Raises:
        ModelError: Nothing can be learned from, or the loss is no number.

    Example::

        trained(job, elastic_rows(job, seed=0), folder=Path("models/base"), out=Path("runs/tuned"))
    """
    from kshot.models.train import train_lora
    from kshot.models.train.full_training import train_full

    model = base_model(job)
    settings = _settings(job, model)
    given = lessons(Rows(rows.learned), job.template, seed=settings.seed)
    if job.method == "full":
        return train_full(model, given, out=out, folder=folder, settings=settings, on_step=on_step)
    return train_lora(model, given.conversations, given.targets, out=out, settings=settings, on_step=on_step)


def _settings(job: ElasticJob, model: HfModel) -> TrainSettings:
    from kshot.models.train import TrainSettings
    from kshot.models.train.full_training import full_learning_rate

    rate = full_learning_rate(model) if job.method == "full" else model.learning_rate
    return TrainSettings(**{"learning_rate": rate, **job.training})


def mixed(base: Path, tuned: Path, out: Path, *, alpha: float, merge: bool = False) -> list[str]:
    """Writes alpha of the fine-tuned model and the rest of the base; what was odd, as sentences.

    A LoRA is scaled by alpha, exactly, or merged into a whole model.

    Raises:
        ModelError: The two cannot be mixed, or ``out`` is not empty.

    Example::

        mixed(Path("models/base"), Path("runs/tuned"), Path("runs/mix"), alpha=0.7)
    """
    if is_adapter(tuned) and not merge:
        from kshot.models.lora import LoraAdapter

        if alpha == 1:
            copied(tuned, out)
        else:
            LoraAdapter.load(tuned).scaled(alpha).save(out)
        return []
    from kshot.models.checkpoint.plan import plan_mix
    from kshot.models.checkpoint.write import write_mix

    plan = plan_mix([base, tuned])
    plan.check()
    write_mix(plan, (1 - alpha, alpha), out)
    return list(plan.warnings)


def copied(folder: Path, out: Path) -> None:
    """A copy of a folder that appears when it is complete.

    Raises:
        ModelError: ``out`` is not empty, or cannot be written.

    Example::

        copied(Path("runs/tuned"), Path("models/tuned"))
    """
    with new_folder(out) as part:
        shutil.copytree(folder, part, dirs_exist_ok=True)
