"""The work of a build: the base loaded once, then adapter after adapter, each put in place when whole."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kshot.errors import InputError, KshotError
from kshot.models.base import LanguageModel
from kshot.models.hf.loading import first_line
from kshot.pipeline.bank_build.adapter import Bench, build_adapter
from kshot.pipeline.bank_build.card import FACTS, read_facts
from kshot.pipeline.bank_build.plan import Planned
from kshot.pipeline.bank_build.recipe import BankRecipe
from kshot.runs import Run

if TYPE_CHECKING:
    from kshot.models.hf import HfModel

WORK, REASONING = ".building", ".reasoning"
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_EVERY = 2.0  # seconds between two words on how training goes


@dataclass(frozen=True, slots=True)
class Base:
    """The base model: as the command calls it, where it lies, and its hash."""

    name: str
    folder: Path
    sha256: str


@dataclass(slots=True)
class Done:
    """Names of adapters by what became of them, each in the order of the recipe."""

    built: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Share:
    """How far a build is before an adapter, how much the adapter is of it, and when the build began."""

    before: float
    part: float
    begun: float
    count: str


def work(
    recipe: BankRecipe, planned: Sequence[Planned], *, base: Base, writer: LanguageModel | None, run: Run
) -> Done:
    """Build what is not kept. What concerns one adapter is noted; what concerns all of them ends the build.

    Raises:
        ModelError: The base cannot be loaded.
        OSError: The disk is full or cannot be written.
    """
    todo = [item for item in planned if item.state != "kept"]
    done = Done(kept=[item.job.name for item in planned if item.state == "kept"])
    shutil.rmtree(run.folder / WORK, ignore_errors=True)
    if not todo:
        return done
    model, notebook = _loaded(base, recipe), run.folder / REASONING
    bench = Bench(recipe, model, base.name, base.sha256, writer, notebook)
    begun, limit = time.monotonic(), recipe.settings.minutes
    total, past = sum(item.job.weight for item in todo), 0
    for number, item in enumerate(todo):
        name = item.job.name
        if limit is not None and time.monotonic() - begun > 60 * limit:
            done.left = [rest.job.name for rest in todo[number:]]
            break
        share = _Share(past / total, item.job.weight / total, begun, f"({number + 1}/{len(todo)})")
        run.event("adapter", name=name, state="begun", index=number, total=len(todo))
        try:
            _build(bench, item, run, share)
            done.built.append(name)
        except Exception as error:
            done.failed.append((name, _reason(error)))
            run.event("adapter", name=name, state="failed", reason=done.failed[-1][1])
        past += item.job.weight
    shutil.rmtree(run.folder / WORK, ignore_errors=True)
    return done


def _build(bench: Bench, item: Planned, run: Run, share: _Share) -> None:
    home, place = run.folder / item.job.name, run.folder / WORK / item.job.name
    if home.exists() and read_facts(home) is None:
        raise InputError(
            f"{home.name}: a folder of this name is there whose {FACTS} is missing or damaged; move it away "
            "or delete it"
        )
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    facts = build_adapter(
        bench, item.job, key=item.key, out=place, on_step=_teller(run, item.job.name, share)
    )
    _put(place, home)
    run.event("adapter", name=item.job.name, state="done", seconds=facts["seconds"], **facts["loss"])


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _DISK:
        raise error
    return str(error) if isinstance(error, KshotError) else f"{type(error).__name__}: {first_line(error)}"


def _teller(run: Run, name: str, share: _Share) -> Callable[[int, int, float], None]:
    last = 0.0

    def told(step: int, steps: int, loss: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _EVERY and step != steps:
            return
        last, done = now, share.before + share.part * step / steps
        left = (now - share.begun) * (1 - done) / done
        run.event(
            "system", name=f"{name} {share.count}", share=round(done, 6), step=step, steps=steps,
            loss=round(loss, 6), left_seconds=round(left, 1),
        )  # fmt: skip

    return told


def _loaded(base: Base, recipe: BankRecipe) -> HfModel:
    """The base, called as the command calls it: that name stands in every adapter's configuration."""
    from kshot.models.hf import HfModel

    chosen = recipe.settings.model
    model = HfModel.load(
        base.folder,
        dtype=chosen.dtype,
        device=chosen.device,
        template=chosen.template,
        batch_tokens=chosen.batch_tokens,
    )
    return HfModel(replace(model.loaded, name=base.name), model.tokenizer, id=model.id)


def _put(work: Path, home: Path) -> None:
    """Flush a finished adapter and move it to its name; what stood there goes once the new one is there."""
    for path in [*work.iterdir(), work]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    old = work.with_name(f"{work.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if home.is_dir():
        home.rename(old)
    work.rename(home)
    shutil.rmtree(old, ignore_errors=True)
