"""The main job: a task in, every system built and judged, a report out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kshot.data.formats import write_examples
from kshot.data.task import Task
from kshot.errors import BudgetError, InputError, ModelError
from kshot.pipeline.answers import Outcome, judged_rows, outcome
from kshot.pipeline.assemble import assemble
from kshot.pipeline.evaluate import answers_of
from kshot.pipeline.findings import bank_findings, data_findings
from kshot.pipeline.panda.llm import closing_llm, llm_usage
from kshot.pipeline.plan import Plan, leaving, make_plan
from kshot.pipeline.provenance import manifest
from kshot.pipeline.specialist import hand_over
from kshot.pipeline.workbench import Workbench
from kshot.report import write_report
from kshot.report.result import Refused, RunReport
from kshot.runs import Listener, Run, silent, slug, write_json, write_text


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
    plan = make_plan(task, bench)
    _open_what_is_needed(bench, plan)
    with run.open(), closing_llm(bench):
        run.event("plan", task=task.name, steps=plan.steps, rows=plan.rows, leaves=list(plan.leaves))
        findings = data_findings(task, bench.labelled, embedder=bench.embedder) + bank_findings(bench)
        outcomes, failed = _outcomes(task, bench, plan, begun)
        _snapshot(task, bench, outcomes)
        facts = manifest(task, bench) | {"command": " ".join(["kshot", *sys.argv[1:]])}
        facts["predictions"] = _write_predictions(task, outcomes, out)
        facts["llm_usage"] = [asdict(step) for step in llm_usage(bench)]
        facts["wall_seconds"] = round(time.time() - begun, 1)
        report = assemble(task, bench, plan, outcomes, findings=(findings, failed), provenance=facts)
        write_json(out / "manifest.json", facts)
        paths = write_report(report, out)
        specialist = hand_over(bench, report, outcomes)
        run.event("report", path=str(paths.html), recommended=report.recommended)
    return Finished(report, out, paths.html, specialist)


def dry(task: Task, out: Path) -> list[str]:
    """The plan as text; nothing is written, no model is loaded, nothing is asked of the hub."""
    bench = Workbench(task, Run(out, listener=silent), download=False)
    leaves = leaving(task.settings)
    try:
        return make_plan(task, bench).lines()
    except ModelError as error:
        if not leaves:
            raise
        said = [f"leaves this machine: {what}" for what in leaves]
        return [*said, f"the systems can be listed once that is here: {error}"]


def _open_what_is_needed(bench: Workbench, plan: Plan) -> None:
    """A base or an encoder that cannot be used stops the run before anything is written.

    Raises:
        ModelError: The base or the embedder cannot be used.
    """
    if any("embedder" in recipe.needs for recipe in plan.recipes):
        _ = bench.embedder
    if any("model" in recipe.needs for recipe in plan.recipes):
        bench.check_base()


def _outcomes(task: Task, bench: Workbench, plan: Plan, begun: float) -> tuple[list[Outcome], list[Refused]]:
    minutes = bench.settings.budget.minutes
    outcomes: list[Outcome] = []
    failed: list[Refused] = []
    total, done = sum(recipe.weight for recipe in plan.recipes), 0.0
    for recipe in plan.recipes:
        if minutes is not None and time.time() - begun > 60 * minutes:
            failed.append(Refused(recipe.name, f"the budget of {minutes:g} minutes was reached"))
            continue
        usd = sum(found.usd for judged in outcomes for found in judged.asked)
        bench.run.event("system", name=recipe.name, share=round(done / total, 4), usd=usd)
        try:
            outcomes.append(outcome(task, bench, recipe))
        except (InputError, BudgetError) as error:
            failed.append(Refused(recipe.name, str(error)))
        done += recipe.weight
    if not outcomes:
        raise InputError("no system could be built: " + "; ".join(f"{f.name}: {f.reason}" for f in failed))
    return outcomes, failed


def _write_predictions(task: Task, outcomes: Sequence[Outcome], out: Path) -> dict[str, str]:
    """One file a system: every judged row in every repeat, enough to compute every value anew.

    Returns the path of each system's file; files of systems that are no longer in the run are removed.
    """
    folder = out / "predictions"
    folder.mkdir(exist_ok=True)
    rows = judged_rows(task)
    answers = answers_of(task, rows)
    written = {}
    for judged in outcomes:
        lines = []
        for repeat, predictions in enumerate(judged.predictions):
            for place, (row, answer, found) in enumerate(zip(rows, answers, predictions, strict=True)):
                line = {"row": place, "repeat": repeat, "prompt": row.prompt, "answer": answer}
                lines.append(json.dumps(line | found.to_row(), ensure_ascii=False) + "\n")
        path = folder / f"{slug(judged.recipe.name)}.jsonl"
        write_text(path, "".join(lines))
        written[judged.recipe.name] = path.relative_to(out).as_posix()
    for stray in set(folder.glob("*.jsonl")) - {out / path for path in written.values()}:
        stray.unlink()
    return written


def _snapshot(task: Task, bench: Workbench, outcomes: Sequence[Outcome]) -> None:
    """The task as it was run, for ``predict``: settings, labelled rows, and where each system's parts lie."""
    folder = bench.run.folder / "task"
    folder.mkdir(exist_ok=True)
    write_json(folder / "task.json", task.settings.absolute())
    write_examples(folder / "shots.jsonl", bench.labelled)
    # under k-fold no judged system has seen all the rows: the finished one is made when it is asked for
    held_out = task.settings.test is not None
    root = bench.run.folder
    places = (
        {o.recipe.name: o.artifacts[0].relative_to(root).as_posix() for o in outcomes} if held_out else {}
    )
    write_json(folder / "artifacts.json", places if held_out else {})
