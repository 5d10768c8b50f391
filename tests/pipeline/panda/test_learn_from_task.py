"""From a task file to a pool on the disk, over real sockets: cost, resumption, budget, guards."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kshot.data.example import Example
from kshot.data.task import Task
from kshot.data.template import Template
from kshot.errors import BudgetError, DataError, InputError, ModelError, TaskError
from kshot.methods.panda.pool import InsightPool, encoder_facts
from kshot.models.embed import HashingEncoder
from kshot.models.fake import FakeServer, Faults
from kshot.pipeline.panda.expert import confused
from kshot.pipeline.panda.learn_job import LearnJob, estimated, learn_from_task
from kshot.pipeline.panda.learn_pool import Learning
from kshot.runs import silent

SILENT: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
LABELS = ("calm", "angry")
PRICES = {"prompt_usd": 1.0, "completion_usd": 2.0}


def told(request: Mapping[str, Any]) -> str:
    """An explanation that says which text it is of."""
    text = request["messages"][-1]["content"]
    return f"It sounds so because of word {len(text) % 7} in it."


def rows(count: int, *, start: int = 0) -> list[Example]:
    return [Example(f"the sea is row number {i}", LABELS[i % 2]) for i in range(start, start + count)]


def task_at(base_url: str, *, budget: dict[str, Any] | None = None, test: int = 4, **panda: Any) -> Task:
    settings = {
        "task": {"name": "moods", "type": "classification", "labels": list(LABELS)},
        "knowledge": {
            "llm": {"base_url": base_url, "model": "fake", "prompt_usd": 1.0, "completion_usd": 2.0}
        },
        "budget": budget or {},
        "panda": panda,
    }
    return Task.from_examples(settings, rows(10), rows(test, start=100))


def test_each_shot_is_explained_once_and_a_second_call_pays_nothing(tmp_path: Path) -> None:
    with FakeServer(told) as server:
        first = learn_from_task(task_at(server.base_url), tmp_path / "pool", LearnJob(), listener=silent)
        again = learn_from_task(task_at(server.base_url), tmp_path / "pool", LearnJob(), listener=silent)
        anew = learn_from_task(task_at(server.base_url), tmp_path / "other", LearnJob(), listener=silent)
        assert sum(server.paid.values()) == 10
    assert (len(first.pool), first.new, again.new) == (10, 10, 0)
    assert [one.key for one in first.pool] == [row.prompt for row in rows(10)]
    assert {step.step: (step.calls, step.cached) for step in first.usage} == {"learn": (10, 0)}
    assert {step.step: (step.calls, step.cached) for step in anew.usage} == {"learn": (0, 10)}
    assert [one.insight for one in anew.pool] == [one.insight for one in first.pool]
    assert first.pool.header.expert is not None
    assert first.pool.header.expert.kind == "gold"
    assert first.pool.header.endpoint["base_url"].startswith("http://127.0.0.1")
    assert first.pool.header.encoder == encoder_facts(HashingEncoder())
    assert dict(first.pool.header.counts) == {"insights": 10, "left_out": 0}


def test_the_journal_can_be_bypassed_and_its_replies_asked_for_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeServer(told) as server:
        task = task_at(server.base_url)
        for number, (mode, paid) in enumerate([("use", 10), ("use", 10), ("off", 20), ("refresh", 30)]):
            monkeypatch.setenv("KSHOT_JOURNAL_MODE", mode)
            learn_from_task(task, tmp_path / str(number), LearnJob(), listener=silent)
            assert sum(server.paid.values()) == paid
        monkeypatch.setenv("KSHOT_JOURNAL_MODE", "read_only")
        learn_from_task(task, tmp_path / "again", LearnJob(), listener=silent)
        assert sum(server.paid.values()) == 30


def test_a_budget_stops_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    with FakeServer(told) as server:
        small = task_at(server.base_url, budget={"calls": 4})
        with pytest.raises(BudgetError, match="calls"):
            learn_from_task(small, tmp_path / "pool", LearnJob(), listener=silent)
        assert 0 < len(InsightPool.load(tmp_path / "pool")) <= 4
        found = learn_from_task(task_at(server.base_url), tmp_path / "pool", LearnJob(), listener=silent)
        assert sum(server.paid.values()) == 10
    assert len(found.pool) == 10


def test_the_estimate_asks_nobody(tmp_path: Path) -> None:
    with FakeServer(told) as server:
        facts = estimated(task_at(server.base_url), LearnJob())
        assert (facts["questions"], facts["cached"]) == (10, 0)
        assert facts["usd"] > 0
        learn_from_task(task_at(server.base_url), tmp_path / "pool", LearnJob(), listener=silent)
        assert estimated(task_at(server.base_url), LearnJob())["cached"] == 10
        assert sum(server.paid.values()) == 10


def test_preferences_alone_are_learned_without_a_call(tmp_path: Path) -> None:
    job = LearnJob(learning=Learning(render="preference"))
    with FakeServer(told) as server:
        found = learn_from_task(task_at(server.base_url), tmp_path / "pool", job, listener=silent)
        assert not server.requests
    assert [(one.insight, one.answer) for one in found.pool][:2] == [("", "calm"), ("", "angry")]


def test_rows_of_a_file_are_learned_but_never_test_rows(tmp_path: Path) -> None:
    lines = [*rows(6, start=50), *rows(2, start=100)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"prompt": row.prompt}) + "\n" for row in lines))
    with FakeServer(told) as server:
        job = LearnJob(rows=file, expert="head")
        found = learn_from_task(task_at(server.base_url), tmp_path / "pool", job, listener=silent)
    assert len(found.pool) == 6
    assert found.reasons == {"equals a test row": 2}
    assert all(one.preference is not None and one.preference.gold is None for one in found.pool)


def test_labels_cannot_be_the_expert_of_unlabelled_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "no label here"}\n')
    with FakeServer(told) as server, pytest.raises(DataError, match="give --expert"):
        learn_from_task(
            task_at(server.base_url), tmp_path / "pool", LearnJob(rows=file, expert="gold"), listener=silent
        )


def test_a_label_that_the_task_does_not_have_is_no_preference(tmp_path: Path) -> None:
    job = LearnJob(rows=(Example("a boat", "Calm", source="more.jsonl:1"),))
    with FakeServer(told) as server:
        with pytest.raises(TaskError, match=r"more\.jsonl:1: label 'Calm' is none of calm, angry"):
            learn_from_task(task_at(server.base_url), tmp_path / "pool", job, listener=silent)
        assert not server.requests


def test_where_no_row_gives_an_insight_there_is_an_error(tmp_path: Path) -> None:
    with (
        FakeServer(lambda request: "") as server,
        pytest.raises(ModelError, match="no row gave an insight: an empty reply"),
    ):
        learn_from_task(task_at(server.base_url), tmp_path / "pool", LearnJob(), listener=silent)


def test_a_file_of_test_rows_alone_teaches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row.to_row()) + "\n" for row in rows(3, start=100)))
    with FakeServer(told) as server, pytest.raises(InputError, match="equals a test row"):
        learn_from_task(task_at(server.base_url), tmp_path / "pool", LearnJob(rows=file), listener=silent)


def test_a_pool_of_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    with FakeServer(told) as server:
        learn_from_task(task_at(server.base_url), tmp_path / "pool", LearnJob(), listener=silent)
        job = LearnJob(learning=Learning(ask="strategy"))
        with pytest.raises(DataError, match="strategy"):
            learn_from_task(task_at(server.base_url), tmp_path / "pool", job, listener=silent)


def test_n_rows_are_drawn_and_the_draw_repeats(tmp_path: Path) -> None:
    with FakeServer(told) as server:
        for choose in ("first", "stratified", "diverse"):
            job = LearnJob(n=4, choose=choose)  # type: ignore[arg-type]
            out = tmp_path / choose
            one = learn_from_task(task_at(server.base_url), out, job, listener=silent)
            two = learn_from_task(task_at(server.base_url), tmp_path / f"{choose}2", job, listener=silent)
            # these rows nearly repeat one another, and diverse keeps no repeats
            assert len(one.pool) == (1 if choose == "diverse" else 4)
            assert [x.key for x in one.pool] == [x.key for x in two.pool]


def test_failed_rows_are_counted_and_never_filled(tmp_path: Path) -> None:
    def mostly(request: Mapping[str, Any]) -> str:
        return "" if "number 3" in request["messages"][0]["content"] else told(request)

    with FakeServer(mostly) as server:
        found = learn_from_task(task_at(server.base_url), tmp_path / "pool", LearnJob(), listener=silent)
    assert len(found.pool) == 9
    assert sum(found.reasons.values()) == 1


def task_file(folder: Path, base_url: str, *, count: int, concurrency: int) -> Path:
    folder.mkdir()
    lines = "".join(json.dumps(row.to_row()) + "\n" for row in rows(count))
    (folder / "shots.jsonl").write_text(lines)
    (folder / "task.yaml").write_text(
        "version: 1\ntask: {name: moods, type: classification, labels: [calm, angry]}\n"
        "examples: {path: shots.jsonl}\nfolds: {count: 2}\n"
        f"knowledge: {{llm: {{base_url: '{base_url}', model: fake, concurrency: {concurrency}}}}}\n"
    )
    return folder / "task.yaml"


def killed_and_resumed(tmp_path: Path, *, kills: int, count: int, concurrency: int, seed: int) -> None:
    """Kills ``panda learn`` again and again, then lets it end; the pool is that of one undisturbed run."""
    with FakeServer(told, faults=Faults(latency=(0.02, 0.1), seed=seed)) as server:
        task = task_file(tmp_path / "task", server.base_url, count=count, concurrency=concurrency)
        learn_from_task(Task.load(task), tmp_path / "whole", LearnJob(), listener=silent)
        server.reset()
        environment = os.environ | {"KSHOT_JOURNAL": str(tmp_path / "calls.sqlite")}
        command = [
            sys.executable,
            "-m",
            "kshot",
            "panda",
            "learn",
            str(task),
            "--out",
            str(tmp_path / "pool"),
        ]
        draw = random.Random(seed)
        for _ in range(kills):
            process = subprocess.Popen(command, env=environment, **SILENT)
            before, more = len(server.requests), draw.randrange(1, max(2, count // kills))
            limit = time.monotonic() + 60
            while len(server.requests) < before + more and process.poll() is None:
                assert time.monotonic() < limit
                time.sleep(0.003)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert server.requests, "the process was killed before it asked anything"
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert sum(server.paid.values()) <= count + kills * concurrency
    whole, resumed = (InsightPool.load(tmp_path / name) for name in ("whole", "pool"))
    facts = [[(one.id, one.row, one.key, one.insight) for one in pool] for pool in (whole, resumed)]
    assert facts[0] == facts[1]
    assert len(resumed) == count


def test_killed_and_resumed_it_is_the_same_pool(tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, kills=2, count=12, concurrency=2, seed=0)


@pytest.mark.slow
def test_killed_ten_times_and_resumed_it_is_the_same_pool(tmp_path: Path) -> None:
    killed_and_resumed(tmp_path, kills=10, count=200, concurrency=8, seed=1)


def test_what_stands_against_a_label_is_what_is_said_in_its_place() -> None:
    template = Template(kind="classification", labels=("a", "b", "c"))
    shots = [Example("1", "a"), Example("2", "a"), Example("3", "a"), Example("4", "b"), Example("5", "c")]

    def said(some: Sequence[Example]) -> list[str | None]:
        return ["b", "c", "a", "b", None][: len(some)]

    # its own wrong answer; else the one most often said for this label (a tie: the earlier); else nothing
    assert confused(template, said)(shots) == ["b", "c", "b", None, None]
    two = Template(kind="classification", labels=("a", "b"))
    assert confused(two, said)([Example("1", "a"), Example("2", "b")]) == ["b", "a"]


def test_an_estimate_asks_nobody_for_the_rivals_of_labels(tmp_path: Path) -> None:
    labels = ("calm", "angry", "sad")
    shots = [Example(f"the sea is row number {i}", labels[i % 3]) for i in range(6)]
    with FakeServer(told) as server:
        settings = {
            "task": {"name": "moods", "type": "classification", "labels": list(labels)},
            "knowledge": {"llm": {"base_url": server.base_url, "model": "fake"}},
        }
        task = Task.from_examples(settings, shots)
        assert estimated(task, LearnJob())["calls"] == 12  # one zero-shot answer a shot, then why
        assert not server.requests
        learn_from_task(task, tmp_path / "pool", LearnJob(), listener=silent)
        assert sum(server.paid.values()) == 12
        again = estimated(task, LearnJob())
        assert (again["questions"], again["calls"], again["cached"]) == (6, 0, 6)
