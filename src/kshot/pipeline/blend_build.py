"""A blend made: experts and rows gathered, joined, trained; the folder that answers, the facts beside it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.taskfile.settings import DataSection
from kshot.models.bank import BankEntry
from kshot.models.base import System
from kshot.models.lora import LoraAdapter, concatenated
from kshot.pipeline.blend_training import (
    Gathered,
    blend_lessons,
    teller,
    train_further,
    train_settings,
    training_facts,
)
from kshot.pipeline.blends import Blend
from kshot.pipeline.gates_seen import router_facts
from kshot.pipeline.lessons import Rows, lessons
from kshot.pipeline.materials import chosen_experts, chosen_rows, data_inputs, rehearsed_rows
from kshot.pipeline.workbench import Workbench
from kshot.runs import folder_bytes, write_json

FACTS = "knowledge.json"


def blend_system(bench: Workbench, shots: Sequence[Example], artifact: Path, *, blend: Blend) -> System:
    """The system of a blend; what an earlier process made is read.

    Raises:
        InputError: The bank has too little for it, or an adapter cannot be used.
    """
    import kshot.peft  # noqa: F401 - so that PEFT knows mixtures

    if not artifact.is_dir():
        made = _gathered(bench, shots, blend)
        _join(bench, made, artifact, blend=blend)
        if blend.form == "mixture":
            made.facts["router"] = router_facts(bench, shots, artifact, blend.name)
        write_json(artifact.parent / FACTS, made.facts)
    facts = json.loads((artifact.parent / FACTS).read_text(encoding="utf-8"))
    model, prompt = bench.model.adapted(artifact), bench.template.conversation
    return System(
        blend.name, blend.kind, model, prompt, size_bytes=folder_bytes(artifact), note=_note(blend, facts)
    )


def blend_inputs(bench: Workbench, blend: Blend) -> str:
    """What else a blend depends on: the task file's sections, the bank, the datasets."""
    sections = {name: getattr(bench.settings, name).model_dump() for name in ("experts", "data", "mixture")}
    told = {f.name: getattr(blend, f.name) for f in fields(blend) if f.name not in ("note", "weight")}
    depends: dict[str, Any] = {"blend": told, "sections": sections, "guard": bench.protected_identity}
    if blend.data != "none" and bench.settings.knowledge.datasets:
        depends |= data_inputs(bench)
    return json.dumps(depends, sort_keys=True, default=str)


def _gathered(bench: Workbench, shots: Sequence[Example], blend: Blend) -> Gathered:
    facts: dict[str, Any] = {"system": blend.name}
    entries = _entries(bench, shots, blend, facts)
    adapters = tuple(LoraAdapter.load(entry.folder, name=entry.name) for entry in entries)
    if blend.experts == "fresh":
        from kshot.methods.moe import fresh_experts

        seed = bench.settings.examples.seed
        adapters = fresh_experts(adapters[0], bench.settings.experts.size, seed=seed)
    chosen, folder = _rows(bench, shots, blend) if blend.data != "none" else ((), None)
    if folder is not None:
        facts["data"] = str(folder.relative_to(bench.run.folder))
    made_up: tuple[Example, ...] = ()
    if blend.rehearses:
        made_up, facts["rehearsal"] = rehearsed_rows(bench, entries, shots, chosen)
    facts["rows"] = {"shots": len(shots), "chosen": len(chosen), "made up": len(made_up)}
    return Gathered(tuple(shots), adapters, entries, chosen, made_up, facts)


def _entries(
    bench: Workbench, shots: Sequence[Example], blend: Blend, facts: dict[str, Any]
) -> tuple[BankEntry, ...]:
    """The experts of the bank that it is made of; fills in why."""
    size = bench.settings.experts.size
    if blend.experts == "none":
        return ()
    if blend.experts == "random":
        count = 1 if blend.form in ("tuned", "adapter") else size
        choice = chosen_experts(bench, shots, rule="random", size=count)
    elif blend.experts == "chosen":
        choice = chosen_experts(bench, shots, rule=blend.rule)
    else:  # the best one alone, by the sum of its ranks
        choice = chosen_experts(bench, shots, rule="ranks", size=1)
    entries = choice.entries * size if blend.experts == "copies" else choice.entries
    facts["experts"] = [entry.name for entry in entries]
    facts["choice"] = choice.to_json()
    return entries


def _rows(
    bench: Workbench, shots: Sequence[Example], blend: Blend
) -> tuple[tuple[Example, ...], Path | None]:
    section: DataSection = bench.settings.data
    if blend.data == "random":
        section = section.model_copy(update={"similarity": "random"})
    if blend.data == "repeats kept":
        section = section.model_copy(update={"threshold": 1.0})
    return chosen_rows(bench, shots, section=section)


def _join(bench: Workbench, made: Gathered, artifact: Path, *, blend: Blend) -> None:
    """Writes the adapter folder that answers."""
    if blend.form in ("merge", "adapter"):
        share = 1 / len(made.adapters)
        concatenated(made.adapters, [share] * len(made.adapters), name=blend.name).save(artifact)
    elif blend.form == "lorahub":
        _searched(bench, made, artifact)
    elif blend.form == "fresh adapter":
        from kshot.models.train import train_lora

        rows = blend_lessons(bench, made, blend=blend)
        asked, told, how = rows.conversations, rows.targets, train_settings(bench)
        on_step = teller(bench, blend)
        result = train_lora(bench.model, asked, told, out=artifact, settings=how, on_step=on_step)
        made.facts["training"] = training_facts(result, "a new adapter")
    elif blend.form == "tuned":
        train_further(bench, made, blend=blend, start=made.entries[0].folder, out=artifact)
    else:
        _mixed(bench, made, artifact, blend=blend)


def _mixed(bench: Workbench, made: Gathered, artifact: Path, *, blend: Blend) -> None:
    from kshot.methods.moe import MixtureSettings, build_mixture

    asked, seed = bench.settings.mixture, bench.settings.examples.seed
    learns = blend.learns or asked.train
    start = "random" if blend.experts == "fresh" else blend.start or asked.start
    settings = MixtureSettings(
        top_k=len(made.adapters) if blend.dense else min(asked.top_k, len(made.adapters)),
        train=learns,
        balance=asked.balance,
        noise=asked.noise,
        scores="absolute" if blend.start == "arrow" else "linear",
        seed=seed,
    )
    routers = None
    if learns != "static" and start != "random":
        from kshot.methods.moe.starts import router_start

        own = _own_rows(bench, made) if blend.start != "arrow" else None
        routers = router_start(start, made.adapters, base=bench.model, rows=own, seed=seed)
    if not blend.trained:
        build_mixture(made.adapters, out=artifact, settings=settings, routers=routers)
        return
    with tempfile.TemporaryDirectory(dir=artifact.parent, prefix=".start-") as scratch:
        first = build_mixture(
            made.adapters, out=Path(scratch) / "mixture", settings=settings, routers=routers
        )
        train_further(bench, made, blend=blend, start=first, out=artifact)


def _own_rows(bench: Workbench, made: Gathered) -> list[list[Any]]:
    """For each expert the rows that it finds likelier than any other does; all rows where none are."""
    rows = lessons(Rows(made.shots, made.chosen), bench.template, seed=bench.settings.examples.seed)
    limit, text = bench.model.loaded.limit, bench.model.text
    pairs = [
        (asked, told)
        for asked, told in zip(rows.conversations, rows.targets, strict=True)
        if limit is None or len(text.encode(asked, told).ids) <= limit
    ]
    asked, told = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    table = [
        [float(found.nats.mean()) for found in model.token_losses(asked, told)]
        for model in (bench.model.adapted(entry.folder) for entry in made.entries)
    ]
    owners = [min(range(len(table)), key=lambda e: (table[e][at], e)) for at in range(len(pairs))]
    return [
        [pair for pair, owner in zip(pairs, owners, strict=True) if owner == e] or pairs
        for e in range(len(table))
    ]


def _searched(bench: Workbench, made: Gathered, artifact: Path) -> None:
    from kshot.methods.few_shot_weights import search_weights, summed_apart

    targets = [bench.template.target(shot) for shot in made.shots]
    asked = [bench.template.conversation(shot) for shot in made.shots]

    def loss(weights: Sequence[float]) -> float:
        with tempfile.TemporaryDirectory(dir=artifact.parent, prefix=".try-") as scratch:
            folder = summed_apart(made.adapters, weights).save(Path(scratch) / "adapter")
            found = bench.model.adapted(folder).token_losses(asked, targets)
        return sum(float(row.nats.mean()) for row in found) / len(found)

    result = search_weights(loss, len(made.adapters), seed=bench.settings.examples.seed)
    made.facts["weights"] = dict(zip([e.name for e in made.entries], result.weights, strict=True))
    summed_apart(made.adapters, result.weights).save(artifact)


def _note(blend: Blend, facts: dict[str, Any]) -> str:
    parts = [blend.note]
    if experts := facts.get("experts"):
        parts.append("experts: " + ", ".join(dict.fromkeys(experts)))
    if blend.trained:
        counts = facts["rows"]
        parts.append(", ".join(f"{n} {what}" for what, n in counts.items() if n))
    return "; ".join(parts)


def lacking(bench: Workbench, blend: Blend) -> str | None:
    """Why a blend cannot be made for this task, beside what its recipe needs; or None."""
    if blend.data in ("random", "repeats kept") and not bench.settings.knowledge.datasets:
        return "the task file names no open datasets (knowledge: datasets)"
    if blend.form == "fresh adapter" and not bench.settings.knowledge.datasets:
        return "the task file names no open datasets (knowledge: datasets); see LoRA on the shots"
    if blend.form == "mixture" and len(bench.experts) < 2:
        return "the bank holds fewer than two adapters that fit this base"
    return None
