"""The steps of a run: each system built from shots and asked about rows, once for each split."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.measure.predict import Prediction, predict
from kshot.pipeline.recipes import Recipe
from kshot.pipeline.workbench import Workbench
from kshot.runs import file_hash, write_json, write_text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one system said about every row, in every repeat.

    Attributes:
        recipe: How the system came about.
        note: What the system says of itself.
        predictions: (R, N) repeats x rows, rows in the order of ``judged_rows``.
        asked: Every prediction that was really asked for, once: what was paid.
        seconds: Building and answering, all splits together; loading the base model is not counted.
        answer_seconds: Answering alone.
        size_bytes: What the system adds on disk.
        selection_score: Share of the shots right, where the system was chosen by that.
        built_with: Calls, tokens and USD that building took, all splits together.
        artifacts: What each split's system trained or fitted, in the order of the splits.
    """

    recipe: Recipe
    note: str
    predictions: tuple[tuple[Prediction, ...], ...]
    asked: tuple[Prediction, ...]
    seconds: float
    answer_seconds: float
    size_bytes: int
    selection_score: float | None
    built_with: tuple[int, int, float]
    artifacts: tuple[Path, ...]

    @property
    def stated(self) -> list[list[str | None]]:
        """(R, N) the stated answers, None where a reply states none."""
        return [[row.prediction for row in repeat] for repeat in self.predictions]


def judged_rows(task: Task) -> tuple[Example, ...]:
    """Every row that is judged, in the order of the first repeat's splits. Test rows may repeat."""
    first = [split for split in task.splits() if split.repeat == 0]
    return tuple(row for split in first for row in split.test)


def outcome(task: Task, bench: Workbench, recipe: Recipe) -> Outcome:
    """Builds and asks a system for every split; what an earlier process finished is read.

    Raises:
        InputError: The system cannot be built for this task.
    """
    rows, splits = judged_rows(task), task.splits()
    repeats = 1 + max(split.repeat for split in splits)
    if not recipe.uses_shots:
        folders = [_answered(bench, recipe, (), rows)]
        once = tuple(_read(folders[0]))
        predictions: tuple[tuple[Prediction, ...], ...] = (once,) * repeats
    else:
        folders = [_answered(bench, recipe, split.shots, split.test) for split in splits]
        if task.settings.test is not None:
            predictions = (tuple(_read(folders[0])),)
        else:
            predictions = _folded(task, rows, folders, repeats)
    distinct = list(dict.fromkeys(folders))  # two splits of one content are one step
    timings = [json.loads((folder / "timing.json").read_text(encoding="utf-8")) for folder in distinct]
    notes = list(dict.fromkeys(timing["note"] for timing in timings))
    chosen = [t["selection_score"] for t in timings if t["selection_score"] is not None]
    return Outcome(
        recipe=recipe,
        note=notes[0] if len(notes) == 1 else f"{notes[0]}; and {len(notes) - 1} more over the splits",
        predictions=predictions,
        asked=tuple(found for folder in distinct for found in _read(folder)),
        seconds=sum(t["build_seconds"] + t["answer_seconds"] for t in timings),
        answer_seconds=sum(t["answer_seconds"] for t in timings),
        size_bytes=max(t["size_bytes"] for t in timings),
        selection_score=sum(chosen) / len(chosen) if chosen else None,
        built_with=(
            sum(t["built_with"][0] for t in timings),
            sum(t["built_with"][1] for t in timings),
            sum(t["built_with"][2] for t in timings),
        ),
        artifacts=tuple(folder / "artifact" for folder in folders),
    )


def _folded(
    task: Task, rows: Sequence[Example], folders: Sequence[Path], repeats: int
) -> tuple[tuple[Prediction, ...], ...]:
    """Folds put together by row id: labelled rows are there once, so ids tell them apart."""
    found: list[dict[str, Prediction]] = [{} for _ in range(repeats)]
    for split, folder in zip(task.splits(), folders, strict=True):
        found[split.repeat] |= {prediction.id: prediction for prediction in _read(folder)}
    return tuple(tuple(repeat[row.id] for row in rows) for repeat in found)


def _answered(bench: Workbench, recipe: Recipe, shots: Sequence[Example], rows: Sequence[Example]) -> Path:
    """One step: build a system from the shots, ask it about the rows."""

    def make(folder: Path) -> None:
        if "model" in recipe.needs:
            _ = bench.model  # loaded before the clock starts: no system pays for all
        begun, saved = time.perf_counter(), _saved(bench)
        system = recipe.build(bench, tuple(shots), folder / "artifact")
        built, saved_building = time.perf_counter(), _saved(bench)
        found = predict(
            system,
            rows,
            bench.template,
            shots=bench.labelled,
            max_new_tokens=bench.max_new_tokens,
            normalise=bench.choice_score,
        )
        timing = {
            "build_seconds": built - begun + saved_building - saved,
            "answer_seconds": time.perf_counter() - built + _saved(bench) - saved_building,
            "size_bytes": system.size_bytes,
            "note": system.note,
            "selection_score": system.selection_score,
            "built_with": system.built_with,
        }
        write_json(folder / "timing.json", timing)
        lines = [json.dumps(prediction.to_row(), ensure_ascii=False) for prediction in found]
        write_text(folder / "predictions.jsonl", "".join(line + "\n" for line in lines))

    return bench.run.step(recipe.name, step_inputs(bench, recipe, shots, rows), make)


def step_inputs(
    bench: Workbench, recipe: Recipe, shots: Sequence[Example], rows: Sequence[Example]
) -> dict[str, Any]:
    """All that a system's answers depend on: a change in any of it makes another step."""
    needs = recipe.needs
    expert = bench.settings.knowledge.expert
    place = bench.settings.resolve(expert) if expert is not None and "expert" in needs else None
    return {
        "system": recipe.name,
        "identity": recipe.identity(bench),
        "base": bench.base_identity if needs & {"model", "bank"} else None,
        "model_options": bench.settings.model.model_dump(exclude={"base"}) if bench.settings.model else None,
        "embedder": bench.embedder.id if "embedder" in needs else None,
        "scores": bench.score_inputs() if "scores" in needs else None,
        "expert": file_hash(place) if isinstance(place, Path) else place,
        "template": repr(bench.template),
        "stop": bench.template.stop(bench.labelled),
        "seed": bench.settings.examples.seed,
        "shots": [shot.id for shot in shots],
        "rows": [row.id for row in rows],
    }


def _saved(bench: Workbench) -> float:
    """What the embedder's memory spared so far; a system is charged as if it had asked first."""
    return bench.embedder.saved_seconds if "embedder" in vars(bench) else 0.0


def _read(folder: Path) -> list[Prediction]:
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").split("\n")
    return [Prediction(**json.loads(line)) for line in lines if line]
