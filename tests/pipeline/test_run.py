"""A run from task file to report: complete, repeatable, resumable, its figures drawn from its predictions."""

import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kshot import miniature
from kshot.data.task import Task
from kshot.errors import InputError, MetricError, TaskError
from kshot.measure.files import compare_files, read_predictions
from kshot.measure.metrics import evaluate
from kshot.measure.statistics import score_interval
from kshot.pipeline.run import Finished, dry, run_task
from kshot.pipeline.specialist import ask_again

WriteTask = Callable[..., Path]


def deaf(event: str, **fields: Any) -> None:
    """Hears nothing."""


def run(task: Path, out: Path) -> Finished:
    return run_task(Task.load(task), out, listener=deaf)


def digests(out: Path) -> dict[str, str]:
    files = [*sorted((out / "predictions").glob("*.jsonl"))]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def stated(out: Path, name: str) -> list[str | None]:
    path = json.loads((out / "report.json").read_text())["provenance"]["predictions"][name]
    return list(read_predictions(out / path).predictions[0])


def recomputed(out: Path) -> None:
    """Every value of report.json, computed anew from the predictions files."""
    report = json.loads((out / "report.json").read_text())
    labels = report["task"]["labels"] or None
    places = report["provenance"]["predictions"]
    for system in report["systems"]:
        if system["oracle"]:
            best = max(s["value"] for s in report["systems"] if s["name"].startswith("adapter: "))
            assert system["value"] == best
            continue
        found = read_predictions(out / places[system["name"]])
        values = [evaluate(system["metric"], one, found.answers, labels=labels) for one in found.predictions]
        assert system["value"] == pytest.approx(sum(values) / len(values), abs=1e-12)
        _, interval = score_interval(
            system["metric"], [list(one) for one in found.predictions], list(found.answers), labels=labels
        )
        assert system["interval"] == pytest.approx(list(interval))
        assert system["n"] == len(found.answers)
        rows = zip(*found.predictions, strict=True)
        assert system["invalid"] == sum(any(p is None for p in row) for row in rows)
        if system["name"] != report["task"]["reference"] and not system["name"].startswith("adapter: "):
            files = [out / places[report["task"]["reference"]], out / places[system["name"]]]
            again = compare_files(files, metric=system["metric"], labels=labels)[1]
            assert again["difference"] == pytest.approx(system["difference"])
            assert list(again["difference_interval"]) == pytest.approx(system["difference_interval"])
            assert again["p"] == pytest.approx(system["p"])


def test_a_whole_run(write_task: WriteTask, tmp_path: Path) -> None:
    out = tmp_path / "run"
    finished = run(write_task(), out)
    report = json.loads((out / "report.json").read_text())
    names = {system["name"] for system in report["systems"]}
    assert names == {
        "majority", "nearest shot", "zero-shot", "shots in the prompt",
        "nearest shots in the prompt", "LoRA on the shots", "adapter: mason-lora", "adapter: smith-lora",
        "best adapter on the shots", "oracle: best adapter on the test", "mixture", "uniform merge",
        "cocktail", "uniform soup", "greedy soup",
        "best expert, tuned on shots and data",
    }  # fmt: skip
    usable = {row["name"]: row["usable"] for row in report["bank"]}
    assert usable == {"chandler-trade": False, "mason-lora": True, "smith-lora": True}
    assert report["leaves"] == []
    assert report["task"]["reference"] == "zero-shot"
    assert (
        stated(out, "adapter: mason-lora") != stated(out, "adapter: smith-lora") != stated(out, "zero-shot")
    )
    best = next(s for s in report["systems"] if s["name"] == "best adapter on the shots")
    assert best["value"] > 0
    assert best["selection_score"] is not None
    recomputed(out)
    html = finished.html.read_text()
    assert "oracle" in html
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.https?:", html)


def test_the_same_run_twice_gives_the_same_bytes(write_task: WriteTask, tmp_path: Path) -> None:
    run(write_task(), tmp_path / "one")
    run(write_task(), tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two") != {}


def test_a_finished_run_is_kept_and_loads_no_model(
    write_task: WriteTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kshot.models.hf import HfModel

    task = write_task(systems=["majority", "zero-shot", "adapters"])
    run(task, tmp_path / "run")
    before = digests(tmp_path / "run")
    monkeypatch.setattr(HfModel, "load", lambda *_, **__: pytest.fail("loaded a model"))
    run(task, tmp_path / "run")
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
        wait = chance.randint(1, 3)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                now = len(events.read_text().splitlines()) if events.exists() else 0
                if now >= seen + 1 + wait:
                    time.sleep(chance.random() * 0.2)
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.01)
            kills += process.wait() == -signal.SIGKILL
    assert kills == 5
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")
    recomputed(tmp_path / "killed")
    assert not list((tmp_path / "killed").rglob("*.partial"))


def test_a_changed_input_makes_another_step(write_task: WriteTask, tmp_path: Path, bank: Path) -> None:
    """The trap of caches: an adapter whose scaling alone has changed, a longer reply, another metric."""
    own = tmp_path / "own-bank"
    shutil.copytree(bank, own)
    chosen = {
        "knowledge": {"adapters": [str(own)]},
        "systems": ["zero-shot", "adapters", "best adapter on the shots"],
    }
    run(write_task(**chosen), tmp_path / "run")
    before = stated(tmp_path / "run", "adapter: mason-lora")
    config = own / "mason-lora" / "adapter_config.json"
    settings = json.loads(config.read_text())
    config.write_text(json.dumps(settings | {"lora_alpha": 1}))
    run(write_task(**chosen), tmp_path / "run")
    assert stated(tmp_path / "run", "adapter: mason-lora") != before

    def steps(name: str) -> int:
        return len(list((tmp_path / "run" / "steps" / name).iterdir()))

    zero = next(
        path.name for path in (tmp_path / "run" / "steps").iterdir() if path.name.startswith("zero-shot")
    )
    best = next(path.name for path in (tmp_path / "run" / "steps").iterdir() if path.name.startswith("best"))
    had = {name: steps(name) for name in (zero, best)}
    base = {"base": json.loads(write_task(**chosen).read_text())["model"]["base"], "max_new_tokens": 2}
    run(write_task(**chosen, model=base), tmp_path / "run")
    assert steps(zero) == had[zero] + 1
    assert steps(best) == had[best] + 1
    run(write_task(**chosen, metric="token_f1"), tmp_path / "run")
    assert steps(best) == had[best] + 2


def test_without_a_test_file_the_labelled_rows_are_folded(write_task: WriteTask, tmp_path: Path) -> None:
    task = write_task(
        test=None, examples={"path": "shots.jsonl"}, folds={"count": 5, "repeats": 2},
        systems=["majority", "zero-shot", "nearest shot", "adapters", "best adapter on the shots"],
    )  # fmt: skip
    run(task, tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert "2 x 5-fold" in report["headline"]
    assert (tmp_path / "run" / "report.md").read_text().count("2 x 5-fold") >= 1
    assert {system["n"] for system in report["systems"]} == {10}
    found = read_predictions(tmp_path / "run" / report["provenance"]["predictions"]["majority"])
    assert len(found.predictions) == 2
    recomputed(tmp_path / "run")
    again = ask_again(tmp_path / "run", "nearest shot", Task.load(task).shots, listener=deaf)
    assert [p.prediction for p in again] == [shot.answer for shot in Task.load(task).shots]


def test_classification_with_a_label_that_no_test_row_has(write_colours: WriteTask, tmp_path: Path) -> None:
    task = write_colours(
        task={"type": "classification", "labels": ["warm", "cold", "grey"]}, metric="macro_f1"
    )
    run(task, tmp_path / "run")
    recomputed(tmp_path / "run")


def test_test_rows_that_repeat_are_judged_each(write_colours: WriteTask, tmp_path: Path) -> None:
    task = write_colours(metric="accuracy")
    path = task.parent / "test.jsonl"
    path.write_text(path.read_text() + path.read_text().split("\n")[0] + "\n")
    report = run(task, tmp_path / "run").report
    assert {system.n for system in report.systems} == {21}
    recomputed(tmp_path / "run")


def test_predict_asks_the_same_system_again(write_task: WriteTask, tmp_path: Path) -> None:
    finished = run(write_task(), tmp_path / "run")
    rows = Task.load(write_task()).test
    trained = len(list((tmp_path / "run" / "steps").rglob("adapter_model.safetensors")))
    for name in (
        "majority",
        "zero-shot",
        "LoRA on the shots",
        "mixture",
        "adapter: smith-lora",
        "best adapter on the shots",
    ):
        again = ask_again(finished.folder, name, rows, listener=deaf)
        assert [p.prediction for p in again] == stated(tmp_path / "run", name)
    assert len(list((tmp_path / "run" / "steps").rglob("adapter_model.safetensors"))) == trained == 6
    with pytest.raises(InputError, match="no system of this run"):
        ask_again(finished.folder, "magic", rows, listener=deaf)
    with pytest.raises(InputError, match="no run lies here"):
        ask_again(tmp_path, "majority", rows, listener=deaf)


def test_the_winner_is_handed_over_as_a_peft_folder(write_task: WriteTask, tmp_path: Path) -> None:
    """On rows of the two trades that the bank knows, whichever expert the shots choose is better."""
    task = write_task(systems=["zero-shot", "best adapter on the shots"])
    lines = (miniature.task_file("mixed").parent / "mixed" / "test.jsonl").read_text().splitlines()
    known = miniature.truth().tasks["mixed"]["test"]
    mine = [
        line for line, facts in zip(lines, known, strict=True) if {"mason", "smith"} & set(facts["trades"])
    ]
    (task.parent / "test.jsonl").write_text("\n".join(mine[:60]) + "\n")
    finished = run(task, tmp_path / "run")
    assert finished.report.recommended == "best adapter on the shots"
    assert finished.specialist is not None
    names = {file.name for file in finished.specialist.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "messages.json", "README.md"} <= names
    messages = json.loads((finished.specialist / "messages.json").read_text())["messages"]
    assert messages == [
        {"role": "system", "content": "translate the trade words"},
        {"role": "user", "content": "{prompt}"},
    ]


def test_systems_are_chosen_by_name(write_colours: WriteTask, tmp_path: Path) -> None:
    finished = run(write_colours(systems=["Majority", "nearest-shot"]), tmp_path / "run")
    assert {system.name for system in finished.report.systems} == {"majority", "nearest shot"}
    with pytest.raises(InputError, match="no system of this run"):  # it could be built, but was not judged
        ask_again(finished.folder, "embedding + head", Task.load(write_colours()).test, listener=deaf)
    with pytest.raises(TaskError, match="'magic' is no system for this task; there are: majority"):
        run(write_colours(systems=["magic"]), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_files_of_systems_that_left_the_run_are_removed(write_colours: WriteTask, tmp_path: Path) -> None:
    run(write_colours(), tmp_path / "run")
    run(write_colours(systems=["majority"]), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run" / "predictions").iterdir()] == ["majority.jsonl"]


def test_without_reference_nothing_is_compared(write_colours: WriteTask, tmp_path: Path) -> None:
    report = run(write_colours(systems=["nearest shot", "embedding + head"]), tmp_path / "run").report
    assert {system.verdict for system in report.systems} == {"not compared"}
    assert report.recommended is None


def test_without_a_model_the_rest_runs(
    write_task: WriteTask, write_colours: WriteTask, tmp_path: Path
) -> None:
    report = run(write_colours(), tmp_path / "run").report
    assert {system.name for system in report.systems} == {"majority", "nearest shot", "embedding + head"}
    assert report.task.reference == "majority"
    refused = {(item.name, item.reason) for item in report.refused}
    assert ("zero-shot", "the task file names no base model") in refused


def test_a_metric_that_cannot_read_the_answers_fails_before_any_work(
    write_colours: WriteTask, tmp_path: Path
) -> None:
    with pytest.raises(MetricError):
        run(write_colours(metric="number"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_dry_run_writes_nothing(write_task: WriteTask, tmp_path: Path) -> None:
    lines = dry(Task.load(write_task()), tmp_path / "run")
    assert "build  zero-shot" in lines
    assert "nothing leaves this machine" in lines
    assert not (tmp_path / "run").exists()


def test_the_plan_names_what_is_asked_of_the_hub(write_colours: WriteTask, tmp_path: Path) -> None:
    task = write_colours(embedder="someone/an-encoder", systems=["majority"])
    assert any("someone/an-encoder" in line for line in dry(Task.load(task), tmp_path / "run"))


def test_a_budget_of_time_stops_with_what_is_there(write_colours: WriteTask, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"budget of 1e-09 minutes"):
        run(write_colours(budget={"minutes": 1e-9}), tmp_path / "short")


def test_folds_that_could_judge_a_row_by_its_near_copy_are_named(
    write_colours: WriteTask, tmp_path: Path
) -> None:
    report = run(write_colours(test=None, folds={"count": 2, "repeats": 1}), tmp_path / "run").report
    assert any("folds may judge one by the other" in finding.sentence for finding in report.findings)
