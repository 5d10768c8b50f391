"""From a task file and a learned pool to the report, over a real socket."""

import json

import pytest

from kshot.data.task import Task
from kshot.errors import InputError
from kshot.methods.panda.pool import InsightPool
from kshot.models.fake import FakeServer
from kshot.pipeline.panda.conditions import REFERENCE
from kshot.pipeline.panda.evaluation import Evaluation, evaluate_pool, parts_of
from kshot.pipeline.panda.expert import open_expert
from kshot.pipeline.panda.learn_job import LearnJob, bench_of, learn_from_task
from kshot.pipeline.panda.learn_pool import Learning
from kshot.report.panda import report_from_json
from kshot.runs import silent


def task_at(world, base_url, *, test=16, labels=None):
    settings = {
        "task": {"name": "places", "type": "classification", "labels": list(labels or world.template.labels),
                 "instruction": world.template.instruction},
        "knowledge": {"llm": {"base_url": base_url, "model": "fake"}},
    }  # fmt: skip
    return Task.from_examples(settings, world.learned[:40], world.judged[:test])


def test_a_pool_is_judged_and_reported(world, tmp_path):
    told = []
    with FakeServer(world.simulated()) as server:
        task = task_at(world, server.base_url)
        learn_from_task(task, tmp_path / "pool", LearnJob(), listener=silent)
        asked = Evaluation(
            questions=("k", "transfer"),
            pools={"itself": tmp_path / "pool"},
            names=(REFERENCE, "insights", "guide", "shuffled insights", "the expert itself"),
            simulated=True,
        )
        report, paths = evaluate_pool(
            task, tmp_path / "pool", tmp_path / "out", asked, listener=lambda *a, **more: told.append(more)
        )
        before = sum(server.paid.values())
        again, _ = evaluate_pool(task, tmp_path / "pool", tmp_path / "again", asked, listener=silent)
        assert sum(server.paid.values()) == before
    values = {row.name: row.value for row in report.systems}
    assert values["insights"] > values[REFERENCE]
    assert [row.value for row in again.systems] == [row.value for row in report.systems]
    assert report_from_json(json.loads(paths.json.read_text())) == report
    assert report.simulated
    assert report.n == 16
    assert [one.question for one in report.ablations] == ["k", "transfer"]
    assert report.guide is not None
    assert report.guide.text == ""  # the simulated model writes no rules, and none are made up
    assert "guide was not judged: there is no guide." in report.notes
    assert any(note.startswith("the expert itself was not judged") for note in report.notes)  # gold
    assert {"learn", "answer", "distil"} & {row.step for row in report.usage} >= {"answer", "distil"}
    assert {"name", "done", "of"} <= set(told[0])


def test_what_the_pool_was_learned_with_is_what_controls_use(world, tmp_path):
    with FakeServer(world.simulated()) as server:
        task = task_at(world, server.base_url).with_sections(report={"margin": 0.3})
        job = LearnJob(learning=Learning(heuristic="top1", ask="strategy"))
        learn_from_task(task, tmp_path / "pool", job, listener=silent)
        bench = bench_of(task)
        expert = open_expert(bench, "head")
        parts = parts_of(task, bench, tmp_path / "pool", Evaluation(), expert=expert, listener=silent)
        bench.llm.close()
    assert (parts.heuristic, parts.ask) == ("top1", "strategy")
    assert [one.row for one in parts.lessons] == list(task.shots)
    assert len(parts.expert(task.test)) == 16
    assert parts.margin == 0.3


def test_what_does_not_fit_is_refused(world, tmp_path):
    with FakeServer(world.simulated()) as server:
        task = task_at(world, server.base_url)
        learn_from_task(task, tmp_path / "pool", LearnJob(), listener=silent)
        with pytest.raises(InputError, match="no test rows"):
            evaluate_pool(
                task_at(world, server.base_url, test=0), tmp_path / "pool", tmp_path / "out", Evaluation(),
                listener=silent,
            )  # fmt: skip
        pool = InsightPool.load(tmp_path / "pool")
        foreign = InsightPool([], type(pool.header)("places", kind="classification", labels=("sea",)))
        foreign.save(tmp_path / "foreign")
        with pytest.raises(InputError, match="label 'sea' is none of the task's"):
            evaluate_pool(task, tmp_path / "foreign", tmp_path / "out", Evaluation(), listener=silent)
