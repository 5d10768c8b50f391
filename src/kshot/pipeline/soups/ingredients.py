"""What a soup is made of: the base, models like it, adapters of the bank; each measured on the shots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.errors import ModelError
from kshot.measure.loss import shot_losses
from kshot.pipeline.choose_experts import ADDS_NOTHING
from kshot.pipeline.workbench import Workbench
from kshot.runs import file_hash, write_json

Form: TypeAlias = Literal["base", "model", "adapter"]
BASE = "base"


@final
@dataclass(frozen=True, slots=True)
class Ingredient:
    """One model or adapter that may take part.

    Attributes:
        name: As the report calls it: ``base``, ``model: NAME`` or the adapter's name in the bank.
        form: What it is.
        folder: Where it lies.
        content: Hash of its files.
    """

    name: str
    form: Form
    folder: Path
    content: str


@final
@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """Who takes part in the soups of one draw of shots, the base first.

    Attributes:
        members: N, the base and then the others by loss; ties by name.
        losses: (N, K) each by itself: nats per token of the answer, a selection figure.
        left: Name to reason, of those that do not take part.
    """

    members: tuple[Ingredient, ...]
    losses: NDArray[np.float64]
    left: Mapping[str, str]

    @property
    def adapters_alone(self) -> bool:
        """Whether everything but the base is an adapter, so that the mix is one too."""
        return all(member.form != "model" for member in self.members)


def ingredients(bench: Workbench, shots: Sequence[Example]) -> Ingredients:
    """The base and the others of the lowest mean loss on the shots, as many as the task file allows.

    Raises:
        ModelError: A model cannot be loaded or a shot does not fit into it.
    """
    found, left = candidates(bench)
    losses = np.array([_losses(bench, one, shots) for one in found])  # (N, K)
    for one, row in zip(found, losses, strict=True):
        if not np.isfinite(row).all():
            lost = int((~np.isfinite(row)).sum())
            left[one.name] = f"its loss is no number on {lost} of {len(shots)} shots"
    able = [at for at, one in enumerate(found) if one.name not in left]
    order = sorted(able[1:], key=lambda at: (losses[at].mean(), found[at].name))
    size = bench.settings.cocktail.size
    for place, at in enumerate(order[size - 1 :], size + 1):
        left[found[at].name] = f"place {place} by its loss on the shots; cocktail: size is {size}"
    kept = [*able[:1], *order[: size - 1]]
    return Ingredients(tuple(found[at] for at in kept), losses[kept], left)


def candidates(bench: Workbench) -> tuple[tuple[Ingredient, ...], dict[str, str]]:
    """Everything that could take part, the base first, and why the rest cannot. Loads no model.

    Adapters that change nothing, exact duplicates and those that the task file excludes stay out, as they do
    where experts are chosen; so do models whose architecture or tokenizer is not the base's.
    """
    found = [Ingredient(BASE, "base", bench.base_folder, _content(bench.base_folder))]
    left: dict[str, str] = {}
    for named in bench.settings.knowledge.models:
        name = f"model: {named}"
        folder = model_folder(bench, named)
        reason = "is not on this machine" if folder is None else _unlike(bench.base_folder, folder)
        if folder is None or reason:
            left[name] = reason
        else:
            found.append(Ingredient(name, "model", folder, _content(folder)))
    barred = _barred(bench)
    left |= barred
    found += [
        Ingredient(entry.name, "adapter", entry.folder, entry.content)
        for entry in bench.experts
        if entry.name not in barred
    ]
    return tuple(found), left


def model_folder(bench: Workbench, named: str) -> Path | None:
    """The local folder of a further model; fetched from the hub unless this is a dry run."""
    from kshot.models.hf.loading import resolved

    place = bench.settings.resolve(named)
    if isinstance(place, Path):
        return place
    return resolved(place) if bench.download else None


def _barred(bench: Workbench) -> dict[str, str]:
    if bench.audit is None:
        return {}
    found = {
        finding.name: finding.sentence for finding in bench.audit.findings if finding.code in ADDS_NOTHING
    }
    return found | dict.fromkeys(bench.settings.experts.exclude, "excluded by name")


def _unlike(base: Path, folder: Path) -> str:
    """Why a model cannot be mixed with the base, by headers and small files; empty where it can."""
    from kshot.models.checkpoint import plan_mix

    try:
        return "; ".join(plan_mix([base, folder], kind="decoder", lineage=False).refusals)
    except ModelError as error:
        return str(error)


def _losses(bench: Workbench, one: Ingredient, shots: Sequence[Example]) -> Sequence[float]:
    """(K,) nats per token of the answer; of an adapter as the bank's scores have it."""
    if one.form == "adapter":
        scores = bench.scores
        row = scores.answer_loss[scores.experts.index(one.name)]
        return [float(row[scores.shot_ids.index(shot.id)]) for shot in shots]

    def make(folder: Path) -> None:
        model = bench.model if one.form == "base" else bench.load_model(str(one.folder))
        found = shot_losses(model, bench.template, shots).answer
        write_json(folder / "losses.json", {"answer": found.tolist()})

    inputs: dict[str, Any] = {"model": one.content, "base": bench.base_identity}
    inputs |= {"template": repr(bench.template), "shots": [shot.id for shot in shots]}
    folder = bench.run.step("model losses", inputs, make)
    told: list[float] = json.loads((folder / "losses.json").read_text(encoding="utf-8"))["answer"]
    return told


def _content(folder: Path) -> str:
    """Hash of a model folder; read once a process while no file changes."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    stamps = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return _hashed(folder, stamps)


@cache
def _hashed(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    return file_hash(folder)
