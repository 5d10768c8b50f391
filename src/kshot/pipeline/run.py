"""The main job: a task in, every system built and judged, a report out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.formats import write_examples
from kshot.data.task import Task
from kshot.errors import InputError, ModelError
from kshot.measure.predict import Prediction, predict
from kshot.pipeline.assemble import assemble
from kshot.pipeline.evaluate import Outcome, answers_of, judged_rows
from kshot.pipeline.findings import bank_findings, data_findings
from kshot.pipeline.plan import Plan, leaving, make_plan
from kshot.pipeline.provenance import manifest
from kshot.pipeline.recipes import Recipe
from kshot.pipeline.specialist import hand_over
from kshot.pipeline.workbench import Workbench
from kshot.report import write_report
from kshot.report.result import Refused, RunReport
from kshot.runs import Listener, Run, slug, write_json, write_text


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is done: its report, and where things lie."""

    report: RunReport
    folder: Path
    html: Path
    specialist: Path | None


def run_task(task: Task, out: Path, *, listener: Listener) -> Finished:
    """Builds every system that the task allows, judges each on held-out rows, writes the report.

    The same call on the same folder goes on where an earlier one stopped; what is finished is kept.

    Raises:
        InputError: The task cannot be run; nothing was written if the plan already shows it.
        RunError: The run folder is in use or cannot be written.
    """
    begun = time.time()
    run = Run(out, listener=listener)
    bench = Workbench(task, run)
    listener("leaves", what=list(leaving(task.settings)))  # said before anything is asked of the hub
    plan = make_plan(bench)
    with run.open():
        run.event("plan", task=task.name, steps=plan.steps, rows=plan.rows, leaves=list(plan.leaves))
        _snapshot(task, bench, out)
        findings = data_findings(task, bench.labelled, embedder=bench.embedder) + bank_findings(bench)
        outcomes, failed = _outcomes(bench, plan, begun)
        facts = manifest(task, bench) | {"command": " ".join(["kshot", *sys.argv[1:]])}
        facts["wall_seconds"] = round(time.time() - begun, 1)
        _write_predictions(task, outcomes, out / "predictions")
        report = assemble(bench, plan, outcomes, findings=findings, failed=failed, provenance=facts)
        write_json(out / "manifest.json", facts)
        paths = write_report(report, out)
        specialist = hand_over(bench, report, out)
        run.event("report", path=str(paths.html), recommended=report.recommended)
    return Finished(report, out, paths.html, specialist)


def _outcomes(bench: Workbench, plan: Plan, begun: float) -> tuple[list[Outcome], list[Refused]]:
    minutes = bench.settings.budget.minutes
    outcomes, failed = [], []
    total, done = sum(recipe.weight for recipe in plan.recipes), 0.0
    for recipe in plan.recipes:
        if minutes is not None and time.time() - begun > 60 * minutes:
            failed.append(Refused(recipe.name, f"the budget of {minutes:g} minutes was reached"))
            continue
        bench.run.event("system", name=recipe.name, share=round(done / total, 4))
        try:
            outcomes.append(_outcome(bench, recipe))
        except InputError as error:
            failed.append(Refused(recipe.name, str(error)))
        done += recipe.weight
    if not outcomes:
        raise InputError("no system could be built: " + "; ".join(f"{f.name}: {f.reason}" for f in failed))
    return outcomes, failed


def _outcome(bench: Workbench, recipe: Recipe) -> Outcome:
    rows = judged_rows(bench.task)
    splits = bench.task.splits()
    repeats = 1 + max(split.repeat for split in splits)
    if recipe.uses_shots:
        folders = [_answered(bench, recipe, split.shots, split.test) for split in splits]
        parts = [(split.repeat, _read(folder)) for split, folder in zip(splits, folders, strict=True)]
    else:
        folders = [_answered(bench, recipe, (), rows)]
        parts = [(repeat, _read(folders[0])) for repeat in range(repeats)]
    by_repeat: list[dict[str, Prediction]] = [{} for _ in range(repeats)]
    for repeat, predictions in parts:
        by_repeat[repeat] |= {prediction.id: prediction for prediction in predictions}
    timings = [json.loads((folder / "timing.json").read_text()) for folder in folders]
    return Outcome(
        recipe=recipe,
        note=timings[0]["note"],
        predictions=tuple(tuple(found[row.id] for row in rows) for found in by_repeat),
        seconds=sum(t["build_seconds"] + t["answer_seconds"] for t in timings),
        answer_seconds=sum(t["answer_seconds"] for t in timings) * (repeats if not recipe.uses_shots else 1),
        size_bytes=max(t["size_bytes"] for t in timings),
    )


def _answered(bench: Workbench, recipe: Recipe, shots: Sequence[Example], rows: Sequence[Example]) -> Path:
    """One step: build a system from the shots, ask it about the rows."""

    def make(folder: Path) -> None:
        begun = time.perf_counter()
        system = recipe.build(bench, tuple(shots), folder / "artifact")
        built = time.perf_counter()
        all_shots = shots or bench.labelled
        found = predict(
            system, rows, bench.task.template, shots=all_shots, max_new_tokens=bench.max_new_tokens
        )
        timing = {
            "build_seconds": built - begun,
            "answer_seconds": time.perf_counter() - built,
            "size_bytes": system.size_bytes,
            "note": system.note,
        }
        write_json(folder / "timing.json", timing)
        lines = [json.dumps(prediction.to_row(), ensure_ascii=False) for prediction in found]
        write_text(folder / "predictions.jsonl", "".join(line + "\n" for line in lines))

    return bench.run.step(recipe.name, _inputs(bench, recipe, shots, rows), make)


def _inputs(
    bench: Workbench, recipe: Recipe, shots: Sequence[Example], rows: Sequence[Example]
) -> dict[str, Any]:
    task = bench.task
    experts = [(entry.name, entry.sha256) for entry in bench.experts] if "best adapter" in recipe.name else []
    return {
        "system": recipe.name,
        "identity": recipe.identity,
        "experts": experts,
        "base": bench.base_identity if recipe.kind != "baseline" or "model" in recipe.needs else "none",
        "embedder": bench.embedder_path,
        "template": repr(task.template),
        "seed": task.settings.examples.seed,
        "shots": [shot.id for shot in shots],
        "rows": [row.id for row in rows],
    }


def _read(folder: Path) -> list[Prediction]:
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").split("\n")
    return [Prediction(**json.loads(line)) for line in lines if line]


def _write_predictions(task: Task, outcomes: Sequence[Outcome], folder: Path) -> None:
    """One file a system: every judged row in every repeat, enough to compute every value anew."""
    folder.mkdir(exist_ok=True)
    rows = judged_rows(task)
    answers = answers_of(task, rows)
    for outcome in outcomes:
        lines = []
        for repeat, predictions in enumerate(outcome.predictions):
            for row, answer, found in zip(rows, answers, predictions, strict=True):
                line = {"id": row.id, "repeat": repeat, "prompt": row.prompt, "answer": answer}
                lines.append(json.dumps(line | found.to_row(), ensure_ascii=False) + "\n")
        write_text(folder / f"{slug(outcome.recipe.name)}.jsonl", "".join(lines))


def _snapshot(task: Task, bench: Workbench, out: Path) -> None:
    """The task as it was run, for ``predict``: settings with absolute paths, and the labelled rows."""
    folder = out / "task"
    folder.mkdir(exist_ok=True)
    write_json(folder / "task.json", task.settings.absolute())
    write_examples(folder / "shots.jsonl", bench.labelled)


def dry(task: Task, out: Path) -> list[str]:
    """The plan as text; nothing is written, no model is loaded, nothing is asked of the hub."""
    bench = Workbench(task, Run(out, listener=_silent), download=False)
    try:
        return make_plan(bench).lines()
    except ModelError as error:
        leaves = [f"leaves this machine: {what}" for what in leaving(task.settings)]
        return [*leaves, f"the systems can be listed when it is here: {error}"]


def _silent(event: str, **fields: Any) -> None:
    """Hears nothing."""
