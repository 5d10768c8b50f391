"""The winner, handed over: in a format that the user's stack loads, and asked again about new rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.data.task import Task
from kshot.data.taskfile import TaskFile
from kshot.errors import InputError
from kshot.measure.predict import Prediction, predict
from kshot.models.base import System
from kshot.pipeline.recipes import Recipe, chosen, missing, table
from kshot.pipeline.workbench import Workbench
from kshot.report.result import RunReport
from kshot.runs import Listener, Run, slug, write_json, write_text


def artifact_of(bench: Workbench, recipe: Recipe) -> Path:
    """The folder of what a recipe trained or fitted on all labelled rows; made now if it is not there yet.

    With a test file that is the artifact of the judged system itself. Under k-fold the judged systems
    saw parts of the rows each; the one handed over has seen all of them.
    """
    judged = sorted((bench.run.folder / "steps" / slug(recipe.name)).glob("*/artifact"))
    if bench.task.test and len(judged) == 1:
        return judged[0]
    inputs = {"system": recipe.name, "identity": recipe.identity, "base": bench.base_identity,
              "embedder": bench.embedder_path, "template": repr(bench.task.template),
              "seed": bench.settings.examples.seed, "shots": [row.id for row in bench.labelled]}  # fmt: skip

    def make(folder: Path) -> None:
        recipe.build(bench, bench.labelled, folder / "artifact")

    return bench.run.step(f"final {slug(recipe.name)}", inputs, make) / "artifact"


def finished_system(bench: Workbench, name: str) -> System:
    """A system of the run by name, on all labelled rows.

    Raises:
        InputError: There is no such system, or this task cannot build it.
    """
    recipes = table(bench)
    found, _ = chosen(recipes, [name])
    if len(found) != 1:
        names = ", ".join(recipe.name for recipe in recipes)
        raise InputError(f"{name!r} is no system of this run; there are: {names}")
    if reason := missing(found[0], bench):
        raise InputError(f"{name}: {reason}")
    return found[0].build(bench, bench.labelled, artifact_of(bench, found[0]))


def ask_again(
    run_folder: Path, name: str, rows: Sequence[Example], *, listener: Listener
) -> list[Prediction]:
    """Predictions of a finished run's system for new rows.

    Raises:
        InputError: The folder is no finished run, or has no such system.
    """
    bench = reopened(run_folder, listener=listener)
    system = finished_system(bench, name)
    return predict(
        system, rows, bench.task.template, shots=bench.labelled, max_new_tokens=bench.max_new_tokens
    )


def reopened(run_folder: Path, *, listener: Listener) -> Workbench:
    """The workbench of a finished run, from the run folder alone."""
    snapshot = run_folder / "task" / "task.json"
    if not snapshot.is_file():
        raise InputError(
            f"{run_folder}: no run lies here (task/task.json is missing); give the --out of `kshot run`"
        )
    settings = TaskFile.from_absolute(json.loads(snapshot.read_text(encoding="utf-8")))
    shots = read_examples(run_folder / "task" / "shots.jsonl").examples
    return Workbench(Task.from_examples(settings, shots), Run(run_folder, listener=listener))


def hand_over(bench: Workbench, report: RunReport, out: Path) -> Path | None:
    """Writes ``specialist/`` for the recommended system, or nothing where none is recommended.

    An adapter becomes a PEFT folder, a prompt a list of chat messages, a head its safetensors file.
    """
    folder = out / "specialist"
    shutil.rmtree(folder, ignore_errors=True)
    if report.recommended is None:
        return None
    recipe = next(recipe for recipe in table(bench) if recipe.name == report.recommended)
    artifact = artifact_of(bench, recipe)
    system = recipe.build(bench, bench.labelled, artifact)
    source = artifact if artifact.is_dir() else getattr(system.model, "folder", None)
    partial = out / ".specialist.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    if source is not None:
        shutil.copytree(source, partial, dirs_exist_ok=True)
    if bench.labelled and not _is_classifier(system):
        write_json(partial / "messages.json", _messages(system, bench.labelled[0]))
    write_text(partial / "README.md", _card(bench, report, system))
    partial.rename(folder)
    return folder


def _is_classifier(system: System) -> bool:
    return hasattr(system.model, "predict_proba")


def _messages(system: System, row: Example) -> dict[str, Any]:
    turns = [{"role": turn.role, "content": turn.content} for turn in system.prompt(row)]
    return {
        "messages": [*turns[:-1], {"role": "user", "content": "{prompt}"}],
        "example_of_the_last_turn": turns[-1],
    }


def _card(bench: Workbench, report: RunReport, system: System) -> str:
    base = bench.base_path if bench.has_model else "none"
    lines = [
        f"# {system.name}",
        "",
        report.headline,
        "",
        f"{system.name}: {report.because}",
        "",
        f"- base model: `{base}`",
        f"- how it came about: {system.note}",
        f"- instruction: {bench.task.template.instruction or '(none)'}",
        "",
        "An `adapter_model.safetensors` here is a PEFT adapter: "
        "`PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), THIS_FOLDER)`.",
        "`messages.json` holds the chat turns that go before each row. "
        f'`kshot predict RUN "{system.name}" rows.jsonl` asks the same system about new rows.',
    ]
    return "\n".join(lines) + "\n"
