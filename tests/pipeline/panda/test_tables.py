"""Several tasks, a report each and one summary: over real sockets, with stops and failures."""

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from kshot.data.taskfile.settings import BudgetSection
from kshot.data.tweeteval import STANCES, read_tweeteval, tweeteval_task, tweeteval_tasks
from kshot.errors import InputError
from kshot.models.fake import FakeServer
from kshot.models.fake.simulated import SimulatedReader
from kshot.pipeline.panda.conditions import REFERENCE
from kshot.pipeline.panda.evaluation import Evaluation
from kshot.pipeline.panda.learn_job import LearnJob
from kshot.pipeline.panda.purse import Purse
from kshot.pipeline.panda.tables import TableTask, ablate_tasks
from kshot.report.panda import summary_from_json
from kshot.runs import silent

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "tweeteval"
CONDITIONS = ("majority", REFERENCE, "insights", "shuffled insights")
ASKED = Evaluation(names=CONDITIONS, questions=("transfer",), guide_tokens=0, simulated=True)
LABELS = {"irony": ("plain", "ironic"), "stance": ("none", "against", "favor")}


def released(folder, labels, *, train, test, seed):
    """A task in the released layout whose texts carry words of their class."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    mapping = "".join(f"{code}\t{label}\n" for code, label in enumerate(labels))
    (folder / "mapping.txt").write_text(mapping)
    for split, count in (("train", train), ("test", test)):
        codes = [at % len(labels) for at in range(count)]
        texts = []
        for at, code in enumerate(codes):
            signal = [f"w{code}{rng.choice('abcdef')}x" for _ in range(3)]
            texts.append(" ".join([*signal, f"{split}{seed}n{at}"]))
        (folder / f"{split}_text.txt").write_text("\n".join(texts))
        (folder / f"{split}_labels.txt").write_text("\n".join(map(str, codes)) + "\n")


@pytest.fixture
def tweets(tmp_path):
    folder = tmp_path / "tweets"
    released(folder / "irony", LABELS["irony"], train=30, test=10, seed=1)
    for at, name in enumerate(STANCES):
        place = folder / "stance" / name.removeprefix("stance_")
        released(place, LABELS["stance"], train=24, test=9, seed=10 + at)
    return folder


def simulated(folder, names=()):
    """One model for all tasks: it knows a task by its instruction."""
    readers = []
    for place, name in tweeteval_tasks(f"tweeteval:{folder}"):
        if names and name not in names:
            continue
        rows = read_tweeteval(place, name)
        truth = {row.prompt: row.answer for row in (*rows.train, *rows.test)}
        reader = SimulatedReader(rows.labels, truth=truth, right_share=0.3)
        readers.append((tweeteval_task(rows).template.instruction, reader))

    def say(request):
        prompt = "\n".join(message["content"] for message in request["messages"])
        return next(reader(request) for instruction, reader in readers if instruction in prompt)

    return say


def tables(folder, server, *, names=(), expert="gold"):
    found = []
    for place, name in tweeteval_tasks(f"tweeteval:{folder}"):
        if names and name not in names:
            continue
        rows = read_tweeteval(place, name)
        llm = {"base_url": server.base_url, "model": "fake"}
        task = tweeteval_task(rows, k=6).with_sections(knowledge={"llm": llm})
        learning = LearnJob(expert=expert, expert_rows=rows.train, rows=rows.train, n=20)
        found.append(TableTask(task=task, learning=learning, official=rows.official))
    return found


def test_every_task_has_its_report_and_all_have_a_summary(tweets, tmp_path):
    told = []
    with FakeServer(simulated(tweets)) as server:
        tasks, out = tables(tweets, server), tmp_path / "out"
        summary, paths = ablate_tasks(
            tasks, out, ASKED, listener=lambda event, **more: told.append((event, more))
        )
        paid = sum(server.paid.values())
        again, _ = ablate_tasks(tasks[:2], tmp_path / "again", ASKED, listener=silent)
        assert sum(server.paid.values()) == paid > 0
    assert [one.score for one in again.cells] == [one.score for one in summary.cells[: len(again.cells)]]
    names = ["irony", *STANCES]
    assert [one.name for one in summary.single] == names
    assert summary.missing == {}
    for name in names:
        assert {path.name for path in (out / name).iterdir()} == {
            "panda.html", "panda.json", "panda.md", "pool",
        }  # fmt: skip
        report = json.loads((out / name / "panda.json").read_text())
        insights = next(row for row in report["systems"] if row["name"] == "insights")
        assert summary.cell(name, "insights").score.value == insights["value"]
        official = "tweeteval:irony" if name == "irony" else "tweeteval:stance"
        assert summary.cell(name, "insights").official.value == insights["more"][official]
    assert summary_from_json(json.loads(paths.json.read_text())) == summary
    assert summary.systems == CONDITIONS
    assert summary.simulated
    assert "simulated model" in paths.markdown.read_text().splitlines()[0]
    assert [more["name"] for event, more in told if event == "task"] == names
    pooled = summary.tasks[-1]
    assert (pooled.pooled, pooled.n) == (True, 45)
    assert summary.official_tasks == ("irony", "stance")
    assert summary.official_missing == ("emoji", "emotion", "hate", "offensive", "sentiment")
    transfer = next(one for one in summary.ablations if one.question == "transfer")
    assert transfer.variants == ("no insights", "the task's own pool", "the pool of the task before")
    others = {one.task: one.name for one in transfer.cells if one.variant == "the pool of the task before"}
    assert others == {name: f"pool of {before}" for before, name in pairwise(names)}


def test_one_budget_stops_all_and_keeps_what_is_finished(tweets, tmp_path):
    with FakeServer(simulated(tweets)) as server:
        tasks = tables(tweets, server, names=("irony", STANCES[0]), expert="head")
        alone, _ = ablate_tasks(tasks[:1], tmp_path / "alone", ASKED, listener=silent)
        needed = sum(row.calls for row in alone.usage)
    with FakeServer(simulated(tweets)) as server:
        tasks = tables(tweets, server, names=("irony", STANCES[0]), expert="head")
        limits = BudgetSection(calls=needed + 5)
        summary, paths = ablate_tasks(tasks, tmp_path / "out", ASKED, limits=limits, listener=silent)
        assert sum(server.paid.values()) <= needed + 5
        assert [one.name for one in summary.single] == ["irony"]
        assert summary.missing[STANCES[0]].startswith("stopped by the budget: ")
        assert f"{STANCES[0]}: not finished" in paths.markdown.read_text().replace("\\", "")
        before = sum(server.paid.values())
        whole, _ = ablate_tasks(tasks, tmp_path / "out", ASKED, listener=silent)
        assert whole.missing == {}
        again = next(row for row in whole.usage if row.step == "answer")
        assert again.cached >= 10 * 2
        assert sum(server.paid.values()) > before


def test_a_task_that_fails_is_named_and_the_others_go_on(tweets, tmp_path):
    with FakeServer(simulated(tweets)) as server:
        first, second = tables(tweets, server, names=("irony", STANCES[0]))
        broken = TableTask(task=first.task, learning=LearnJob(expert="./nowhere"), official=first.official)
        summary, paths = ablate_tasks([broken, second], tmp_path / "out", ASKED, listener=silent)
    assert list(summary.missing) == ["irony"]
    assert "nowhere" in summary.missing["irony"]
    assert [one.name for one in summary.single] == [STANCES[0]]
    assert "1 of 2 tasks" in paths.markdown.read_text().splitlines()[0]
    assert summary.official == ()  # one target is no official score


def test_after_the_budget_no_task_is_begun(tweets, tmp_path):
    with FakeServer(simulated(tweets)) as server:
        tasks = tables(tweets, server, names=STANCES[:2])
        limits = BudgetSection(calls=3)
        summary, _ = ablate_tasks(tasks, tmp_path / "out", ASKED, limits=limits, listener=silent)
        assert sum(server.paid.values()) == 3
    assert summary.missing[STANCES[0]].startswith("stopped by the budget")
    assert summary.missing[STANCES[1]] == "not begun: the budget is used up"
    assert not (tmp_path / "out" / STANCES[1]).exists()


def test_two_tasks_of_one_name_are_refused(tweets, tmp_path):
    with FakeServer(simulated(tweets)) as server:
        one = tables(tweets, server, names=("irony",))
        with pytest.raises(InputError, match="two tasks are called 'irony'"):
            ablate_tasks([*one, *one], tmp_path / "out", ASKED, listener=silent)
        with pytest.raises(InputError, match="no task"):
            ablate_tasks([], tmp_path / "out", ASKED, listener=silent)
        assert not server.requests


def test_a_purse_gives_what_is_left():
    told = []
    purse = Purse(BudgetSection(calls=10, usd=0.5), lambda event, **more: told.append(event))
    purse("learning", done=1)
    purse("spent", calls=4, tokens=1000, usd=0.2)
    assert purse.left() == {"calls": 6, "usd": pytest.approx(0.3)}
    assert told == ["learning", "spent"]
    assert Purse(BudgetSection(minutes=3)).left() == {}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data is not here")
def test_real_tweets(tmp_path):
    names = ("emotion", "stance_climate")
    with FakeServer(simulated(SHARED, names)) as server:
        tasks = tables(SHARED, server, names=names)
        asked = Evaluation(
            names=(REFERENCE, "insights"), questions=("k",), most=8, guide_tokens=0, simulated=True
        )
        summary, _ = ablate_tasks(tasks, tmp_path / "out", asked, listener=silent)
        assert sum(server.paid.values()) < 400  # the rows to learn from are drawn before anybody is asked
    assert [(one.name, one.n) for one in summary.single] == [("emotion", 8), ("stance_climate", 8)]
    assert summary.missing == {}
    assert summary.official_tasks == ("emotion",)
    assert "stance" in summary.official_missing
    assert any("repeat an earlier row's text" in note for note in summary.single[0].notes)
