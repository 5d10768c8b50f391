"""What systems of experts and open data are made from, each made once and kept in the run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.formats import read_examples, write_examples
from kshot.data.taskfile.settings import DataSection
from kshot.methods.moe.rehearsal import FEWEST, Budget, rehearse
from kshot.methods.select_data import Selector
from kshot.models.bank import BankEntry
from kshot.models.text.pieces import TextPieces
from kshot.pipeline.choose_data import choose_data
from kshot.pipeline.choose_experts import ExpertChoice, choose_experts
from kshot.pipeline.lessons import in_task_form
from kshot.pipeline.workbench import Workbench
from kshot.runs import write_json

Shots = Sequence[Example]
_MOST_TOLD = 100_000  # in larger pools dropped rows are counted; `kshot data` lists them


def chosen_experts(
    bench: Workbench, shots: Shots, *, rule: str | None = None, size: int | None = None
) -> ExpertChoice:
    """The experts that the task file's rule, or another, chooses by these shots."""
    changes = {name: value for name, value in (("rule", rule), ("size", size)) if value is not None}
    return choose_experts(bench, shots, settings=bench.settings.experts.model_copy(update=changes))


def chosen_rows(
    bench: Workbench, shots: Shots, *, section: DataSection
) -> tuple[tuple[Example, ...], Path | None]:
    """Open rows chosen by these shots, and the folder that tells of the choice; none without datasets."""
    if not bench.settings.knowledge.datasets:
        return (), None
    seed = bench.settings.examples.seed

    def make(folder: Path) -> None:
        selector = Selector(section.similarity, seed=seed)
        choice = choose_data(
            shots,
            bench.pool,
            count=section.count,
            threshold=section.threshold,
            similarity=selector,
            refill=section.refill,
        )
        choice.write(folder, dropped=len(bench.pool.guarded.keys) <= _MOST_TOLD)

    inputs = data_inputs(bench) | {"data": section.model_dump(), "seed": seed, "shots": [s.id for s in shots]}
    folder = bench.run.step("chosen data", inputs, make)
    if not (folder / "chosen.jsonl").stat().st_size:
        return (), folder
    return tuple(read_examples(folder / "chosen.jsonl", labelled=False).examples), folder


def data_inputs(bench: Workbench) -> dict[str, Any]:
    """What choices of open data depend on, beside the shots and the options."""
    of_model = bench.settings.data.embedder == "model"  # whose identity needs no loading
    return {
        "datasets": bench.datasets,
        "text": bench.settings.data.text,
        "embedder": bench.base_identity if of_model else bench.data_embedder.id,
        "guard": bench.protected_identity,
        "template": repr(bench.template),
    }


def rehearsed_rows(
    bench: Workbench, entries: Sequence[BankEntry], shots: Shots, chosen: Sequence[Example]
) -> tuple[tuple[Example, ...], dict[str, Any]]:
    """What the experts say again, so that joint training keeps it; and figures by expert.

    Answers must be free: for classes and choices nothing is made up. What repeats a test row is dropped.
    """
    if not bench.settings.mixture.rehearse or bench.template.kind in ("classification", "choice"):
        return (), {}
    formed = (in_task_form(row, bench.template) for row in chosen)
    rows = [row for row in (*shots, *formed) if row is not None and bench.fits_with_target(row)]
    made: list[Example] = []
    facts: dict[str, Any] = {}
    for at, entry in enumerate(entries):
        bench.run.event("rehearsing", name=entry.name, index=at, total=len(entries))
        folder = _rehearsal(bench, entry, rows, most=len(shots) + len(chosen))
        facts[entry.name] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        if facts[entry.name]["rows"]:
            made += read_examples(folder / "rows.jsonl", labelled=False).examples
    return tuple(made), facts


def _rehearsal(bench: Workbench, entry: BankEntry, rows: Sequence[Example], *, most: int) -> Path:
    """The folder of one expert's rows that repeat no test row, and of what there is to tell of them."""
    asked, seed = bench.settings.mixture.rehearse, bench.settings.examples.seed
    budget = Budget(asked, most, bench.max_new_tokens)

    def make(folder: Path) -> None:
        pieces = TextPieces(bench.model.text.backend)
        expert = bench.model.adapted(entry.folder)
        found = rehearse(expert, rows, bench.template, pieces=pieces, budget=budget, seed=seed)
        kept = bench.unseen(found.rows)
        facts: dict[str, Any] = {"known": found.known, "asked": found.asked, "threshold": found.threshold}
        facts |= {"rows": len(kept), "dropped_by_guard": len(found.rows) - len(kept)}
        if found.known < FEWEST:
            facts["note"] = f"answers only {found.known} rows right: nothing to rehearse"
        write_examples(folder / "rows.jsonl", kept)
        write_json(folder / "facts.json", facts)

    inputs = {
        "base": bench.base_identity,
        "expert": [entry.name, entry.content],
        "rows": [row.id for row in rows],
        "guard": bench.protected_identity,
        "budget": repr(budget),
        "seed": seed,
        "template": repr(bench.template),
    }
    return bench.run.step("rehearsal", inputs, make)
