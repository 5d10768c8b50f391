"""The winner, handed over: in a format that the user's stack loads, and asked again about new rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.formats import read_examples, write_examples
from kshot.data.task import Task
from kshot.data.taskfile import TaskFile
from kshot.errors import InputError, RunError
from kshot.measure.predict import Prediction, predict
from kshot.models.base import Classifier, System
from kshot.pipeline.answers import Outcome, step_inputs
from kshot.pipeline.recipes import Recipe, chosen, missing, table
from kshot.pipeline.workbench import Workbench
from kshot.report.result import RunReport
from kshot.runs import Listener, Run, is_whole, write_json, write_text


def ask_again(
    run_folder: Path, name: str, rows: Sequence[Example], *, listener: Listener
) -> list[Prediction]:
    """Predictions of a finished run's system for new rows.

    With a test file that is the judged system itself, read from the run folder. Under k-fold the judged
    systems saw parts of the rows each; the one that answers here has seen all of them.

    Raises:
        InputError: The folder is no finished run, has no such system, or this task cannot build it.
        RunError: Another process works in the run folder.
    """
    bench, facts = _reopened(run_folder, listener=listener)
    recipes = [recipe for recipe in table(bench) if recipe.name in facts["predictions"]]
    found, _ = chosen(recipes, [name])
    if len(found) != 1:
        names = ", ".join(recipe.name for recipe in recipes)
        raise InputError(f"{name!r} is no system of this run; there are: {names}")
    if reason := missing(found[0], bench):
        raise InputError(f"{name}: {reason}")
    if found[0].needs & {"model", "bank"} and bench.base_identity != facts["base_identity"]:
        raise InputError(
            f"{bench.base_path}: the base model is not the one that was judged; put that one back"
        )
    with bench.run.open():
        system = finished_system(bench, found[0])
    return predict(
        system,
        rows,
        bench.template,
        shots=bench.labelled,
        max_new_tokens=bench.max_new_tokens,
        normalise=bench.choice_score,
    )


def _reopened(run_folder: Path, *, listener: Listener) -> tuple[Workbench, dict[str, Any]]:
    """The workbench of a finished run and its manifest, from the run folder alone."""
    snapshot = run_folder / "task" / "task.json"
    if not snapshot.is_file():
        where = f"{run_folder}: no run lies here (task/task.json is missing)"
        raise InputError(f"{where}; give the --out of `kshot run`")
    try:
        settings = TaskFile.from_absolute(json.loads(snapshot.read_text(encoding="utf-8")))
        facts = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))
        facts = {name: facts[name] for name in ("predictions", "base_identity")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        where = f"{run_folder}: the run is not finished or damaged ({error})"
        raise InputError(f"{where}; give its `kshot run` command again") from None
    shots = read_examples(run_folder / "task" / "shots.jsonl", labelled=False).examples
    bench = Workbench(Task.from_examples(settings, shots), Run(run_folder, listener=listener))
    return bench, facts


def finished_system(bench: Workbench, recipe: Recipe) -> System:
    """A system of all labelled rows; what the judged one trained is read, or made now if there is none."""
    return recipe.build(bench, bench.labelled, _artifact(bench, recipe))


def hand_over(bench: Workbench, report: RunReport, outcomes: Sequence[Outcome]) -> Path | None:
    """Writes ``specialist/`` for the recommended system, or nothing where none is recommended.

    An adapter becomes a PEFT folder, a prompt a list of chat messages, a head its safetensors file.
    """
    out = bench.run.folder
    folder, partial = out / "specialist", out / ".specialist.partial"
    for old in (folder, partial):
        shutil.rmtree(old, ignore_errors=True)
    if report.recommended is None:
        return None
    recipe = next(o.recipe for o in outcomes if o.recipe.name == report.recommended)
    artifact = _artifact(bench, recipe)
    system = recipe.build(bench, bench.labelled, artifact)
    partial.mkdir()
    source = artifact if artifact.is_dir() else getattr(system.model, "folder", None)
    if source is not None:
        shutil.copytree(source, partial, dirs_exist_ok=True)
    if recipe.row_prompts or isinstance(system.model, Classifier):
        write_examples(partial / "shots.jsonl", bench.labelled)
    else:
        write_json(partial / "messages.json", _messages(system))
    write_text(partial / "README.md", _card(bench, report, system, sorted(f.name for f in partial.iterdir())))
    partial.rename(folder)
    return folder


def _artifact(bench: Workbench, recipe: Recipe) -> Path:
    listed = bench.run.folder / "task" / "artifacts.json"
    known: dict[str, str] = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else {}
    if recipe.name in known:
        place: Path = bench.run.folder / known[recipe.name]
        if not is_whole(place.parent):
            raise RunError(
                f"{place.parent}: what was judged is damaged or deleted; give the `kshot run` command again"
            )
        return place

    def make(folder: Path) -> None:
        recipe.build(bench, bench.labelled, folder / "artifact")

    inputs = step_inputs(bench, recipe, bench.labelled, ())
    return bench.run.step(f"final: {recipe.name}", inputs, make) / "artifact"


def _messages(system: System) -> dict[str, Any]:
    """The turns around any row, which stands where it says {prompt}."""
    turns = system.prompt(Example("{prompt}", ""))
    return {"messages": [{"role": turn.role, "content": turn.content} for turn in turns]}


_FILES = {
    "adapter_model.safetensors": "a PEFT adapter: "
    "`PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), THIS_FOLDER)`",
    "cocktail.json": "the members of the mix, their losses on the shots and their weights",
    "model.safetensors": "a whole model: `AutoModelForCausalLM.from_pretrained(THIS_FOLDER)`",
    "model.safetensors.index.json": "a whole model: `AutoModelForCausalLM.from_pretrained(THIS_FOLDER)`",
    "insights.jsonl": "a pool of insights: `kshot panda ask THIS_FOLDER TEXT` asks with it, "
    "`kshot serve THIS_FOLDER --upstream URL` gives it to any client of that API",
    "messages.json": "the chat turns around a row, which stands where they say `{prompt}`",
    "shots.jsonl": "the labelled rows that the system looks things up in",
    "head.safetensors": "the weights of the logistic head on the embedder's vectors",
}


def _card(bench: Workbench, report: RunReport, system: System, files: Sequence[str]) -> str:
    lines = [f"# {system.name}", "", report.headline, "", f"{system.name}: {report.because}", ""]
    lines += [f"- who answers: `{system.model.id}`", f"- how it came about: {system.note}"]
    lines += [f"- base model: `{bench.base_path}`"] if bench.has_model else []
    lines += [f"- instruction: {bench.template.instruction or '(none)'}", ""]
    lines += [f"- `{name}`: {_FILES[name]}" for name in files if name in _FILES]
    if getattr(system, "kind", "") == "mixture":
        lines += [
            "",
            "The adapter is a mixture of experts: `pip install kshot`, and `import kshot.peft` before PEFT",
        ]
        lines += [
            "loads it; without that import PEFT stops with `KeyError: 'KSHOT_MOE'`. A plain LoRA that loads"
        ]
        lines += ["everywhere, though not the same to the token, is written by `kshot moe export`."]
    lines += ["", f'`kshot predict RUN "{system.name}" rows.jsonl` asks the same system about new rows.']
    return "\n".join(lines) + "\n"
