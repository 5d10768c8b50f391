"""validate, doctor and the plan tell what a run would do, without a model and without a network."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kshot.data.task import Task
from kshot.errors import MetricError, SandboxError
from kshot.pipeline import doctor, plan
from kshot.pipeline.plan import make_plan
from kshot.pipeline.validate import describe
from kshot.pipeline.workbench import Workbench
from kshot.runs import Run

WriteTask = Callable[..., Path]


def lines_of(task: Path) -> list[str]:
    return list(describe(Task.load(task)))


def bench_of(task: Task, folder: Path) -> Workbench:
    return Workbench(task, Run(folder, listener=lambda event, **fields: None))


def test_the_exact_masked_tokens_of_two_samples(write_task: WriteTask) -> None:
    lines = lines_of(write_task())
    samples = [line for line in lines if line.startswith("sample ")]
    assert len(samples) == 2
    shot = Task.load(write_task()).shots[0]
    shown = lines[lines.index(samples[0]) + 1]
    learned = [piece.split("]]")[0].strip("'") for piece in shown.split("[[")[1:]]
    words = "".join(learned).replace("\\n", " \\n ").replace("<end>", "").split()
    assert words == [*shot.answer.split(), "\\n", *(shot.reasoning or "").split()]
    assert f"{len(learned)} of them learned and scored" in samples[0]
    assert shot.prompt.split()[0] in shown.split("[[")[0]


def test_formats_counts_and_what_leaves(write_colours: WriteTask) -> None:
    text = "\n".join(lines_of(write_colours()))
    assert "examples: shots.jsonl: jsonl, rows of text_label, 10 rows" in text
    assert "cold 5, warm 5" in text or "warm 5, cold 5" in text
    assert "a run would send nothing from this machine" in text
    text = "\n".join(lines_of(write_colours(embedder="someone/encoder")))
    assert "a run would send the name of the embedder 'someone/encoder'" in text


def test_a_near_copy_of_a_test_row_among_the_shots_is_told(write_colours: WriteTask) -> None:
    task = write_colours()
    with (task.parent / "shots.jsonl").open("a") as file:
        file.write('{"text": "We painted our house red last summer!", "label": "warm"}\n')
    assert any("shots.jsonl:11" in line and "test.jsonl:1" in line for line in lines_of(task))


def test_a_metric_that_does_not_fit_is_told(write_colours: WriteTask) -> None:
    with pytest.raises(MetricError):
        lines_of(write_colours(metric="number"))


def test_a_metric_that_runs_code_needs_the_sandbox(
    write_colours: WriteTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = write_colours(
        task={"type": "generation"}, metric="pass_at_1", examples={"path": "code.jsonl"}, test="held.jsonl"
    )
    for name in ("code", "held"):
        rows = [f'{{"prompt": "{name} {i}", "answer": "x = 1", "tests": "assert x"}}\n' for i in range(5)]
        (task.parent / f"{name}.jsonl").write_text("".join(rows))
    loaded = Task.load(task)
    monkeypatch.setattr(plan, "sandbox_available", lambda: "no namespaces here")
    with pytest.raises(SandboxError, match="no namespaces here"):
        make_plan(loaded, bench_of(loaded, tmp_path / "run"))
    monkeypatch.setattr(plan, "sandbox_available", lambda: None)
    assert make_plan(loaded, bench_of(loaded, tmp_path / "run")).rows == 5


def test_a_large_bank_is_scored_on_the_shots_only(
    write_task: WriteTask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plan, "BANK_LIMIT", 1)
    task = Task.load(write_task())
    made = make_plan(task, bench_of(task, tmp_path / "run"))
    assert not [recipe for recipe in made.recipes if recipe.single_adapter]
    assert len([item for item in made.refused if "scored on the shots only" in item.reason]) == 2
    task = Task.load(write_task(systems=["adapters"]))
    assert len(make_plan(task, bench_of(task, tmp_path / "run")).recipes) == 2


def test_what_is_not_used_yet_is_said(write_colours: WriteTask, tmp_path: Path) -> None:
    llm = {"base_url": "http://localhost:1/v1", "model": "m", "api_key_env": "SOME_KEY"}
    task = Task.load(write_colours(budget={"usd": 1.0}))
    assert "budget: usd" in {item.name for item in make_plan(task, bench_of(task, tmp_path / "run")).refused}
    task = Task.load(write_colours(knowledge={"llm": llm}, budget={"usd": 1.0}))
    plan_of_it = make_plan(task, bench_of(task, tmp_path / "run"))
    assert "budget: usd" not in {item.name for item in plan_of_it.refused}
    assert any("asked of m at http://localhost:1/v1" in what for what in plan_of_it.leaves)
    assert "warning: knowledge: llm: the environment variable SOME_KEY is not set" in set(describe(task))


def test_the_doctor_finds_what_is_installed() -> None:
    found = doctor.findings()
    assert any(mark == "ok" and sentence.startswith("torch ") for mark, sentence in found)
    assert not [sentence for mark, sentence in found if mark == "bad"]
