"""``panda ablate`` with several tasks, and TweetEval's folders wherever a task is named."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kshot.cli import app
from kshot.errors import InputError, KshotError
from kshot.methods.panda.pool import InsightPool
from kshot.models.fake import FakeServer

LABELS = ("calm", "angry")


def split(place, name, count):
    place.mkdir(parents=True, exist_ok=True)
    (place / "mapping.txt").write_text("0\tcalm\n1\tangry")
    texts = [f"{LABELS[at % 2]} {name} {at}" for at in range(count)]
    (place / f"{name}_text.txt").write_text("\n".join(texts) + "\n")
    (place / f"{name}_labels.txt").write_text("".join(f"{at % 2}\n" for at in range(count)))


@pytest.fixture
def tweets(tmp_path: Path) -> Path:
    for task in ("hate", "irony"):
        split(tmp_path / "tweets" / task, "train", 30)
        split(tmp_path / "tweets" / task, "test", 8)
    return tmp_path / "tweets"


def reply(request):
    text = request["messages"][-1]["content"]
    if request["max_tokens"] == 150:
        return "Its words are those of this mood."
    return "angry" if "angry" in text.rpartition("Text:")[2] else "calm"


def called(*arguments, **more):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False, **more)


QUICK = ("--condition", "insights", "--question", "none", "--simulated", "--shots", "6")


def test_a_folder_of_tasks_gives_a_summary(tweets, tmp_path):
    out = tmp_path / "out"
    with FakeServer(reply) as server:
        llm = ("--llm", server.base_url, "--llm-model", "fake")
        found = called("panda", "ablate", f"tweeteval:{tweets}", "--out", out, *QUICK, *llm, "--n", "10")
    assert found.exit_code == 0
    assert "# PANDA on 2 tasks · simulated model" in found.stdout
    assert (out / "hate" / "panda.html").is_file()
    summary = json.loads((out / "summary.json").read_text())
    assert [one["name"] for one in summary["tasks"]] == ["hate", "irony"]
    assert summary["official_tasks"] == ["hate", "irony"]
    assert len(InsightPool.load(out / "irony" / "pool")) == 10  # of train, by the stratified draw


def test_one_task_has_its_report_in_the_folder_itself(tweets, tmp_path):
    out = tmp_path / "out"
    with FakeServer(reply) as server:
        llm = ("--llm", server.base_url, "--llm-model", "fake", "--metric", "official", "--json")
        found = called("panda", "ablate", f"tweeteval:{tweets}/irony", "--out", out, *QUICK, *llm)
    report = json.loads(found.stdout[found.stdout.index("{\n") :])
    assert report["metric"] == "tweeteval:irony"
    assert report["systems"][0]["more"].keys() >= {"macro_f1", "accuracy"}
    assert not (out / "summary.json").exists()
    assert len(InsightPool.load(out / "pool")) == 6  # the shots


def test_what_is_not_finished_ends_with_an_error_after_the_summary(tweets, tmp_path):
    with FakeServer(reply) as server:
        llm = ("--llm", server.base_url, "--llm-model", "fake", "--calls", "4")
        with pytest.raises(KshotError, match="2 of 2 tasks are not finished") as caught:
            called("panda", "ablate", f"tweeteval:{tweets}", "--out", tmp_path / "out", *QUICK, *llm)
    assert not isinstance(caught.value, InputError)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert list(summary["missing"]) == ["hate", "irony"]


def test_learn_takes_one_task(tweets, tmp_path):
    with FakeServer(reply) as server:
        llm = ("--llm", server.base_url, "--llm-model", "fake", "--expert", "head", "--shots", "6")
        found = called("panda", "learn", f"tweeteval:{tweets}/hate", "--out", tmp_path / "pool", *llm)
        assert "6 insights" in found.stdout
        with pytest.raises(InputError, match=r"2 tasks \(hate, irony\); learn one at a time"):
            called("panda", "learn", f"tweeteval:{tweets}", "--out", tmp_path / "none", *llm)
    pool = InsightPool.load(tmp_path / "pool")
    assert (pool.header.task, pool.header.labels) == ("hate", LABELS)
    assert pool.header.expert.kind == "classifier"


def test_run_takes_a_tweeteval_task(tweets, tmp_path):
    found = called("run", f"tweeteval:{tweets}/irony", "--k", 8, "--out", tmp_path / "run", "--json")
    report = json.loads(found.stdout)
    assert (report["task"]["name"], report["task"]["k"], report["task"]["n_test"]) == ("irony", 8, 8)
    with pytest.raises(InputError, match=r"give tweeteval:FOLDER/TASK"):
        called("run", f"tweeteval:{tweets}", "--dry-run")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--metric", "best"), "--metric: 'best'"),
        (("--rows", "x.jsonl"), "--rows: a file of one task's rows, and there are 2 tasks"),
        (("--expert-rows", "x.jsonl"), "--expert-rows: a file of one task's"),
    ],
)
def test_options_that_do_not_fit_are_told(more, said, tweets, tmp_path):
    with pytest.raises(InputError, match=said):
        called("panda", "ablate", f"tweeteval:{tweets}", "--out", tmp_path / "out", *more)
    assert not (tmp_path / "out").exists()
