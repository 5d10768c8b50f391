"""A soup made: members measured on the shots, weights found, one model or adapter and the facts written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.methods.cocktail import SIMPLEX_MODELS, Objective
from kshot.models.base import LanguageModel, System
from kshot.models.folders import new_folder
from kshot.models.lora import LoraAdapter, concatenated
from kshot.pipeline.mix.job import Rule, Weighing
from kshot.pipeline.mix.weigh import Weighed, told_weights, weigh
from kshot.pipeline.soups.ingredients import Ingredients, candidates, ingredients
from kshot.pipeline.soups.shot_objective import shot_objective
from kshot.pipeline.soups.table import Soup
from kshot.pipeline.workbench import Workbench
from kshot.runs import folder_bytes

FACTS = "cocktail.json"
_EVERY = 20  # mixes between two signs of life


def soup_system(bench: Workbench, shots: Sequence[Example], artifact: Path, *, soup: Soup) -> System:
    """The system of a soup; what an earlier process made is read.

    Raises:
        InputError: There are fewer than two members, or one cannot be used.
    """
    if not artifact.is_dir():
        made_of = ingredients(bench, shots)
        with _objective(bench, made_of, shots, soup) as objective:
            names = [member.name for member in made_of.members]
            found = weigh(names, made_of.losses, objective, _weighing(bench, soup, len(names)))
        _write(made_of, found, artifact, facts=_facts(soup, made_of, found, shots))
    facts = json.loads((artifact / FACTS).read_text(encoding="utf-8"))
    prompt, size = bench.template.conversation, folder_bytes(artifact)
    return System(
        soup.name, "cocktail", _model(bench, artifact), prompt, size_bytes=size, note=_note(soup, facts)
    )


def soup_inputs(bench: Workbench, soup: Soup) -> str:
    """What else a soup depends on: its rule, the task file's section, and every member's content."""
    found, left = candidates(bench)
    depends = {
        "soup": [soup.name, soup.rule, soup.temperature],
        "section": bench.settings.cocktail.model_dump(),
        "members": [[one.name, one.content] for one in found],
        "left": left,
    }
    return json.dumps(depends, sort_keys=True)


def lacking_soup(bench: Workbench) -> str | None:
    """Why no soup can be made for this task, beside what its recipe needs; or None."""
    found, left = candidates(bench)
    if len(found) > 1:
        return None
    why = "; ".join(f"{name}: {reason}" for name, reason in list(left.items())[:3])
    return "nothing but the base can take part" + (f" ({why})" if why else "")


def _weighing(bench: Workbench, soup: Soup, count: int) -> Weighing:
    section = bench.settings.cocktail
    searched: Rule = "simplex" if count <= SIMPLEX_MODELS else "cma"
    return Weighing(
        rule=searched if soup.rule == "search" else soup.rule,
        temperature=soup.temperature or section.temperature,
        evaluations=section.search_evaluations,
        seed=bench.settings.examples.seed,
    )


@contextmanager
def _objective(
    bench: Workbench, made_of: Ingredients, shots: Sequence[Example], soup: Soup
) -> Iterator[Objective]:
    """The mix's loss on the shots; NaN where it takes all models in memory and no weight depends on it."""
    given = soup.temperature is not None or bench.settings.cocktail.temperature != "auto"
    needless = soup.rule == "uniform" or (soup.rule == "softmax" and given)
    if needless and not made_of.adapters_alone:
        yield lambda weights, rows: np.full(len(rows), np.nan)
        return
    with shot_objective(bench, made_of, shots) as objective:
        asked = 0

        def told(weights: NDArray[np.float64], rows: Sequence[int]) -> NDArray[np.float64]:
            nonlocal asked
            if asked % _EVERY == 0:
                bench.run.event("mixing", name=soup.name, mixes=asked)
            asked += 1
            return objective(weights, rows)

        yield told


def _write(made_of: Ingredients, found: Weighed, artifact: Path, *, facts: Mapping[str, Any]) -> None:
    """One LoRA where everything but the base is an adapter, else a whole model; the facts beside it.

    The base's own weight is what the adapters' weights leave of 1. Where they leave all, only facts are
    written: the mix is the base.
    """
    if not made_of.adapters_alone:
        from kshot.models.checkpoint import plan_mix, write_mix
        from kshot.models.checkpoint.members import open_member

        members = [replace(open_member(one.folder), name=one.name) for one in made_of.members]
        plan = plan_mix(members, kind="decoder")
        plan.check()
        told = _text({**facts, "warnings": list(plan.warnings)})
        write_mix(plan, found.weights.tolist(), artifact, texts={FACTS: told})
        return
    pairs = zip(made_of.members[1:], found.weights[1:].tolist(), strict=True)
    used = [(LoraAdapter.load(member.folder, name=member.name), weight) for member, weight in pairs if weight]
    with new_folder(artifact) as folder:
        if used:
            adapters, weights = zip(*used, strict=True)
            concatenated(adapters, weights, name=str(facts["system"])).save(folder)
        (folder / FACTS).write_text(_text(facts), encoding="utf-8")


def _text(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _model(bench: Workbench, artifact: Path) -> LanguageModel:
    if (artifact / "adapter_config.json").is_file():
        return bench.model.adapted(artifact)
    if (artifact / "config.json").is_file():
        return bench.load_model(str(artifact))
    return bench.model


def _facts(soup: Soup, made_of: Ingredients, found: Weighed, shots: Sequence[Example]) -> dict[str, Any]:
    """The content of ``cocktail.json``; the report reads it, whoever wrote it."""
    rows = found.rows or ({},) * len(made_of.members)
    members = [
        {"name": one.name, "form": one.form, "content": one.content, "loss": float(each.mean())}
        | {"weight": float(weight)}
        | {key: row.get(key) for key in ("low", "high", "change")}
        for one, each, weight, row in zip(made_of.members, made_of.losses, found.weights, rows, strict=True)
    ]
    return {
        "format": 1,
        "system": soup.name,
        "examples": [shot.id for shot in shots],
        "members": members,
        "losses": made_of.losses.tolist(),
        "left": dict(made_of.left),
    } | found.told


def _note(soup: Soup, facts: Mapping[str, Any]) -> str:
    parts = [soup.note]
    if temperature := facts.get("temperature"):
        how = " (auto)" if temperature["asked"] == "auto" else ""
        parts.append(f"temperature {temperature['chosen']:g}{how}")
    members = facts["members"]
    weights = np.array([member["weight"] for member in members])
    parts.append(told_weights([member["name"] for member in members], weights))
    return "; ".join(parts)
