"""A run from task file to report: complete, repeatable, resumable, its figures drawn from its predictions."""

import hashlib
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kshot.data.task import Task
from kshot.errors import InputError, TaskError
from kshot.measure.files import compare_files, read_predictions
from kshot.measure.metrics import evaluate
from kshot.pipeline.run import Finished, dry, run_task
from kshot.pipeline.specialist import ask_again
from kshot.runs import slug

WriteTask = Callable[..., Path]


def deaf(event: str, **fields: Any) -> None:
    """Hears nothing."""


def run(task: Path, out: Path) -> Finished:
    return run_task(Task.load(task), out, listener=deaf)


def digests(out: Path) -> dict[str, str]:
    files = [*sorted((out / "predictions").glob("*.jsonl"))]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def recomputed(out: Path) -> None:
    """Every value of report.json, computed anew from the predictions files."""
    report = json.loads((out / "report.json").read_text())
    assert len(report["systems"]) > 3
    for system in report["systems"]:
        if system["oracle"]:
            best = max(s["value"] for s in report["systems"] if s["name"].startswith("adapter: "))
            assert system["value"] == best
            continue
        found = read_predictions(out / "predictions" / f"{slug(system['name'])}.jsonl")
        values = [evaluate(system["metric"], repeat, found.answers) for repeat in found.predictions]
        assert system["value"] == pytest.approx(sum(values) / len(values), abs=1e-12)
        assert system["invalid"] == sum(p is None for repeat in found.predictions for p in repeat)
        assert system["n"] == len(found.ids)


def test_a_whole_run(write_task: WriteTask, tmp_path: Path) -> None:
    finished = run(write_task(), tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    names = {system["name"] for system in report["systems"]}
    assert names == {
        "majority", "nearest shot", "embedding + head", "zero-shot", "shots in the prompt",
        "nearest shots in the prompt", "LoRA on the shots", "adapter: first", "adapter: second",
        "best adapter on the shots", "oracle: best adapter on the test",
    }  # fmt: skip
    assert {row["name"]: row["usable"] for row in report["bank"]} == {
        "broken": False,
        "first": True,
        "second": True,
    }
    assert report["leaves"] == []
    assert report["task"]["reference"] == "zero-shot"
    recomputed(tmp_path / "run")
    html = finished.html.read_text()
    assert "oracle" in html
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.https?:", html)
    reference = next(s for s in report["systems"] if s["name"] == "zero-shot")
    head = next(s for s in report["systems"] if s["name"] == "embedding + head")
    files = [
        tmp_path / "run" / "predictions" / f"{slug(name)}.jsonl" for name in ("zero-shot", "embedding + head")
    ]
    rows = compare_files(files, metric="accuracy")
    assert rows[1]["difference"] == pytest.approx(head["value"] - reference["value"])
    assert rows[1]["p"] == head["p"]


def test_the_same_run_twice_gives_the_same_bytes(write_task: WriteTask, tmp_path: Path) -> None:
    run(write_task(), tmp_path / "one")
    run(write_task(), tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two") != {}


def test_a_finished_run_is_kept_and_loads_no_model(
    write_task: WriteTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kshot.models.hf.model import HfModel

    run(write_task(systems=["majority", "zero-shot", "adapters"]), tmp_path / "run")
    before = digests(tmp_path / "run")
    monkeypatch.setattr(HfModel, "load", lambda *_, **__: pytest.fail("loaded a model"))
    run(write_task(systems=["majority", "zero-shot", "adapters"]), tmp_path / "run")
    assert digests(tmp_path / "run") == before


def test_killed_at_any_moment_a_run_goes_on(write_task: WriteTask, tmp_path: Path) -> None:
    task = write_task()
    run(task, tmp_path / "whole")
    command = [sys.executable, "-m", "kshot", "run", str(task), "--out", str(tmp_path / "killed")]
    events = tmp_path / "killed" / "events.jsonl"
    chance = random.Random(0)
    kills = 0
    for _ in range(5):
        seen = len(events.read_text().splitlines()) if events.exists() else 0
        wait = chance.randint(1, 6)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                now = len(events.read_text().splitlines()) if events.exists() else 0
                if now >= seen + 1 + wait:
                    time.sleep(chance.random() * 0.2)
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.01)
            kills += process.wait() == -signal.SIGKILL
    assert kills >= 3
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")
    recomputed(tmp_path / "killed")
    assert not list((tmp_path / "killed").rglob("*.partial"))


def test_without_a_test_file_the_labelled_rows_are_folded(write_task: WriteTask, tmp_path: Path) -> None:
    task = write_task(
        test=None, examples={"path": "shots.jsonl"}, folds={"count": 5, "repeats": 2},
        systems=["majority", "zero-shot", "embedding + head", "adapters", "best adapter on the shots"],
    )  # fmt: skip
    run(task, tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert "2 x 5-fold" in report["headline"]
    assert (tmp_path / "run" / "report.md").read_text().count("2 x 5-fold") >= 1
    assert {system["n"] for system in report["systems"]} == {10}
    found = read_predictions(tmp_path / "run" / "predictions" / "majority.jsonl")
    assert len(found.predictions) == 2
    recomputed(tmp_path / "run")


def test_predict_asks_the_same_system_again(write_task: WriteTask, tmp_path: Path) -> None:
    finished = run(write_task(), tmp_path / "run")
    rows = Task.load(write_task()).test
    for name in (
        "majority",
        "embedding + head",
        "zero-shot",
        "LoRA on the shots",
        "adapter: second",
        "best adapter on the shots",
    ):
        again = ask_again(finished.folder, name, rows, listener=deaf)
        judged = read_predictions(finished.folder / "predictions" / f"{slug(name)}.jsonl")
        assert [p.prediction for p in again] == list(judged.predictions[0])
    with pytest.raises(InputError, match="no system of this run"):
        ask_again(finished.folder, "magic", rows, listener=deaf)
    with pytest.raises(InputError, match="no run lies here"):
        ask_again(tmp_path, "majority", rows, listener=deaf)


def test_systems_are_chosen_by_name(write_task: WriteTask, tmp_path: Path) -> None:
    finished = run(write_task(systems=["Majority", "nearest-shot"]), tmp_path / "run")
    assert {system.name for system in finished.report.systems} == {"majority", "nearest shot"}
    with pytest.raises(TaskError, match="'magic' is no system for this task; there are: majority"):
        run(write_task(systems=["magic"]), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_without_a_model_the_rest_runs(write_task: WriteTask, tmp_path: Path) -> None:
    finished = run(write_task(model=None), tmp_path / "run")
    assert {system.name for system in finished.report.systems} == {
        "majority",
        "nearest shot",
        "embedding + head",
    }
    assert finished.report.task.reference == "majority"
    assert ("zero-shot", "the task file names no base model") in {
        (r.name, r.reason) for r in finished.report.refused
    }


def test_a_dry_run_writes_nothing(write_task: WriteTask, tmp_path: Path) -> None:
    lines = dry(Task.load(write_task()), tmp_path / "run")
    assert "build  zero-shot" in lines
    assert "nothing leaves this machine" in lines
    assert not (tmp_path / "run").exists()


def test_the_plan_names_what_is_asked_of_the_hub(write_task: WriteTask, tmp_path: Path) -> None:
    task = write_task(model=None, embedder="someone/an-encoder", systems=["majority"])
    assert any("someone/an-encoder" in line for line in dry(Task.load(task), tmp_path / "run"))


def test_a_budget_of_time_stops_with_what_is_there(write_task: WriteTask, tmp_path: Path) -> None:
    finished = run(write_task(model=None), tmp_path / "run")
    assert len(finished.report.systems) == 3
    task = write_task(model=None, budget={"minutes": 1e-9}, systems=["majority", "nearest shot"])
    with pytest.raises(InputError, match="budget"):
        run(task, tmp_path / "short")
