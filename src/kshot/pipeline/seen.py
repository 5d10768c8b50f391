"""What the report shows of experts, data and mixture, gathered from what the run's steps wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kshot.data.task import Task
from kshot.errors import RunError
from kshot.pipeline.answers import Outcome
from kshot.pipeline.blend_build import FACTS
from kshot.pipeline.blends import MIXTURE
from kshot.pipeline.evaluate import per_row
from kshot.report.knowledge import AgreementFacts, OpenKnowledge, RouterFacts, TrainingFacts
from kshot.report.knowledge.agreement import agreement
from kshot.report.knowledge.read import data_from, experts_from, training_from


def seen(task: Task, outcomes: Sequence[Outcome], run_folder: Path) -> OpenKnowledge | None:
    """The facts of the first system that chose experts or data, the mixture before others; or None."""
    told = [(outcome, facts) for outcome in outcomes if (facts := _facts(outcome))]
    if not told:
        return None
    main, facts = next(((o, f) for o, f in told if o.recipe.name == MIXTURE), told[0])
    data = run_folder / facts["data"] / "choice.json" if "data" in facts else None
    folds = len(set(main.artifacts))
    found = OpenKnowledge(
        experts=experts_from(facts["choice"]) if "choice" in facts else None,
        data=data_from(json.loads(data.read_text(encoding="utf-8"))) if data else None,
        router=_router(facts["router"]) if "router" in facts else None,
        agreement=_agreement(task, outcomes, main, facts),
        training=tuple(_training(each) for _, each in told if "training" in each),
        note=f"{main.recipe.name}: the first of {folds} splits" if folds > 1 else main.recipe.name,
    )
    return None if found.empty else found


def _facts(outcome: Outcome) -> dict[str, Any]:
    file = outcome.artifacts[0].parent / FACTS if outcome.artifacts else None
    if file is None or not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _router(plain: Mapping[str, Any]) -> RouterFacts:
    router = OpenKnowledge.from_json({"router": plain}).router
    if router is None:
        raise RunError("the run folder's facts of the routers are damaged; delete it and run again")
    return router


def _training(facts: Mapping[str, Any]) -> TrainingFacts:
    told = facts["training"]
    return training_from(
        facts["system"],
        told["trained"],
        losses=told["losses"],
        held=told["held"],
        best_step=told["best_step"],
    )


def _agreement(
    task: Task, outcomes: Sequence[Outcome], main: Outcome, facts: Mapping[str, Any]
) -> AgreementFacts | None:
    """None where a single expert was not asked about the rows, or splits have experts of their own."""
    names = list(dict.fromkeys(facts.get("experts", ())))
    alone = {o.recipe.name.removeprefix("adapter: "): o for o in outcomes if o.recipe.single_adapter}
    if not names or any(name not in alone for name in names) or len(set(main.artifacts)) > 1:
        return None
    right = np.array([per_row(task, alone[name]) == 1 for name in names])
    rows = agreement(right, per_row(task, main) == 1)
    return AgreementFacts(rows=rows, experts=tuple(names), mixture=main.recipe.name)
