"""What a build will do, said before it does it: which adapters are there, which are built, what leaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from kshot.data.nearest import proposal
from kshot.errors import DataError, InputError
from kshot.models.hf.loading import folder_hash
from kshot.models.lora.files import WEIGHTS
from kshot.models.safetensor_files import file_sha256
from kshot.pipeline.bank_build.card import read_facts
from kshot.pipeline.bank_build.recipe import BankRecipe, Job
from kshot.pipeline.bank_build.sources import leaving, local_identity

State: TypeAlias = Literal["kept", "new", "changed"]
FORM = 1  # of what a build writes: another number builds every adapter anew
# what a card tells and training does not depend on
_TOLD = {"licence", "verified", "note", "expected_rows", "cot", "training", "path", "reasoning", "name"}


@dataclass(frozen=True, slots=True)
class Planned:
    """One adapter of a build.

    Attributes:
        job: What it is made from.
        key: Hash of all that it depends on; empty where that cannot be said, as a file cannot be read.
        state: ``kept``: it is there and up to date.
    """

    job: Job
    key: str
    state: State


def plan(recipe: BankRecipe, *, base_hash: str, out: Path, only: Sequence[str] = ()) -> tuple[Planned, ...]:
    """The adapters of a recipe, or those named, and which of them are there already.

    An adapter depends on its entry in the recipe, the content of local files, the training settings, the
    base, and the seed. It does not depend on kshot's version, nor on what a hub's branch holds by now: name
    another revision, or delete the adapter's folder, to have it built anew.

    Raises:
        InputError: ``only`` names an adapter that the recipe does not have.
    """
    jobs = recipe.jobs()
    names = [job.name for job in jobs]
    for name in only:
        if name not in names:
            raise InputError(f"--only: the recipe has no adapter {name!r}{proposal(name, names)}")
    wanted = [job for job in jobs if not only or job.name in only]
    return tuple(_planned(recipe, job, base_hash, out / job.name) for job in wanted)


def base_identity(folder: Path, recipe: BankRecipe) -> str:
    """A hash of the base's files, and of how they are loaded."""
    model = recipe.settings.model
    return folder_hash(folder, model.dtype, model.template)


def dry(recipe: BankRecipe, base: str, out: Path, *, only: Sequence[str] = ()) -> list[str]:
    """The plan as text. Nothing is written, loaded or asked of the hub."""
    is_here = Path(base).is_dir()
    planned = plan(recipe, base_hash=base_identity(Path(base), recipe) if is_here else "", out=out, only=only)
    lines = []
    for item in planned:
        entry = item.job.entry
        place = entry.hub or ", ".join(entry.path)
        told = "" if entry.verified else " (id and columns not tried on the hub)"
        verb = "keep " if item.state == "kept" else "build"
        lines.append(f"{verb}  {item.job.name}: {place}{told}")
    if not is_here:
        lines.append("which adapters are up to date can be said once the base is here")
    leaves = leaving(base, [item.job for item in planned if item.state != "kept"])
    return lines + ([f"leaves this machine: {what}" for what in leaves] or ["nothing leaves this machine"])


def _planned(recipe: BankRecipe, job: Job, base_hash: str, folder: Path) -> Planned:
    try:
        files = local_identity(recipe, job)
    except DataError:
        return Planned(job, "", "new")  # told when its turn comes; it stops no other
    settings = recipe.settings
    inputs = {
        "form": FORM,
        "base": base_hash,
        "entry": job.entry.model_dump(mode="json", exclude=_TOLD),
        "name": job.entry.name,
        "reasoning": job.reasoning,
        "files": files,
        "training": asdict(recipe.training(job)),
        "held_out": settings.held_out.model_dump(),
        "seed": settings.seed,
    }
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False)
    key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if not folder.exists():
        return Planned(job, key, "new")
    return Planned(job, key, "kept" if _is_whole(folder, key) else "changed")


def _is_whole(folder: Path, key: str) -> bool:
    """Whether an adapter of this key is there with the bytes that were written."""
    facts, weights = read_facts(folder), folder / WEIGHTS
    if facts is None or facts.get("key") != key:
        return False
    return weights.is_file() and file_sha256(weights) == facts.get("weights_sha256")
