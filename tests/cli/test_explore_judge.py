"""``judge``, ``review``, ``vote`` and ``maths`` as they are typed."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer
from typer.testing import CliRunner

from kshot.cli import explore_judge
from kshot.errors import DataError, InputError, RunError
from kshot.models.fake import FakeServer

app = typer.Typer()
for verb in (explore_judge.judge, explore_judge.review, explore_judge.vote, explore_judge.maths):
    app.command()(verb)
DATA = Path(__file__).parents[2].parent / "shared" / "data" / "explore_eval" / "MATH_eval_set_sample.jsonl"
SERVE = (
    "import sys, typer\nfrom kshot.cli import explore_judge\napp = typer.Typer()\n"
    "app.command()(explore_judge.vote)\napp.command()(explore_judge.maths)\napp(standalone_mode=False)"
)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def prefers_long(request: Mapping[str, Any]) -> str:
    text = request["messages"][-1]["content"]
    found = re.search(r"## First answer\n(.*)\n\(end.*## Second answer\n(.*)\n\(end", text, re.DOTALL)
    assert found
    first, second = len(found[1]), len(found[2])
    return (
        f"Length decides.\nVerdict: {'tie' if first == second else 'first' if first > second else 'second'}"
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    a = [
        {"id": str(i), "question": f"Q{i}", "answer": "long " * (i % 4 + 1), "model": "fake"}
        for i in range(12)
    ]
    b = [{"id": str(i), "answer": "long " if i % 4 == 0 else "tiny"} for i in reversed(range(13))]
    return str(write(tmp_path / "mine.jsonl", a)), str(write(tmp_path / "theirs.jsonl", b))


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_judge_tells_writes_and_pays_once(files: tuple[str, str], tmp_path: Path) -> None:
    human = write(tmp_path / "human.jsonl", [{"id": str(i), "verdict": "a"} for i in range(1, 12)])
    with FakeServer(prefers_long) as server:
        given = ["judge", *files, "--llm", server.base_url, "--llm-model", "fake", "--human", str(human)]
        told = run(*given, "--out", str(tmp_path / "out"), "--simulated")
        paid = server.paid.total()
        assert paid == 18
        again = json.loads(run(*given, "--json"))
        assert server.paid.total() == paid
    assert "The judge prefers mine to theirs: 9 wins and 0 losses of 12 pairs." in told
    assert "fake judges answers that it wrote itself" in told
    assert again["figures"]["tally"] == {
        "win": 9, "tie": 3, "lose": 0, "split": 0, "unreadable": 0, "equal": 3,
    }  # fmt: skip
    assert (again["only"], again["by"], again["cost"][0]) == ([0, 1], "id", 0)
    assert again["agreement"]["joined"] == 11
    verdicts = [json.loads(line) for line in (tmp_path / "out" / "verdicts.jsonl").read_text().splitlines()]
    assert [row["id"] for row in verdicts] == [str(i) for i in range(12)]
    assert "simulated judge" in (tmp_path / "out" / "report.html").read_text()
    assert (tmp_path / "out" / "report.md").exists()


def test_judge_says_what_is_wrong(files: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--llm-model is missing"):
        run("judge", *files, "--llm", "http://127.0.0.1:9/v1")
    with pytest.raises(InputError, match="--language: 'fr'"):
        run("judge", *files, "--llm", "http://127.0.0.1:9/v1", "--llm-model", "m", "--language", "fr")
    with pytest.raises(InputError, match="is a file; give a folder"):
        run("judge", *files, "--llm", "http://127.0.0.1:9/v1", "--llm-model", "m", "--out", files[0])
    with pytest.raises(DataError, match="no such"):
        run(
            "judge",
            files[0],
            str(tmp_path / "absent.jsonl"),
            "--llm",
            "http://127.0.0.1:9/v1",
            "--model",
            "m",
        )
    with pytest.raises(InputError, match="give two names"):
        run("judge", *files, "--llm", "http://127.0.0.1:9/v1", "--model", "m", "--name-a", "theirs")
    with FakeServer(prefers_long) as server, pytest.raises(RunError, match="no pair could be judged"):
        run("judge", *files, "--llm", server.base_url, "--model", "fake", "--tokens", "1")


def test_a_budget_keeps_what_was_judged(files: tuple[str, str]) -> None:
    with FakeServer(prefers_long) as server:
        limits = ["--budget-calls", "8", "--concurrency", "1"]
        told = json.loads(
            run("judge", *files, "--llm", server.base_url, "--model", "fake", *limits, "--json")
        )
    assert told["unjudged"] == 5
    assert sum(told["figures"]["tally"][name] for name in ("win", "tie", "lose", "split", "unreadable")) == 7


def test_maths_joins_by_id_and_counts_what_is_missing(tmp_path: Path) -> None:
    gold = [
        {"question_id": "a", "question": "Q", "std_answer": r"so \boxed{\frac{1}{2}}"},
        {"question_id": "b", "question": "R", "std_answer": "7"},
        {"question_id": "c", "question": "S", "std_answer": r"\boxed{1000}"},
        {"question_id": "d", "question": "T", "std_answer": ""},
        {"question_id": "e", "question": "U", "std_answer": "9"},
    ]
    replies = [
        {"id": "c", "reply": r"It is \boxed{1,000}."},
        {"id": "b", "reply": "two\nlines"},
        {"id": "a", "reply": "The answer is 0.5."},
        {"id": "zz", "reply": "1"},
    ]
    files = [str(write(tmp_path / "gold.jsonl", gold)), str(write(tmp_path / "replies.jsonl", replies))]
    found = json.loads(run("maths", *files, "--json"))
    assert (found["right"], found["n"], found["share"]) == (2, 4, 0.5)
    assert (found["missing"], found["unstated"], found["without_gold"], found["extra"]) == (1, 1, 1, 1)
    assert found["wrong"] == ["b"]
    assert json.loads(run("maths", *files, "--strict", "--json"))["right"] == 1
    assert "50.0%" in run("maths", *files)
    with pytest.raises(DataError, match="no row has a right answer"):
        run("maths", str(write(tmp_path / "none.jsonl", [{"id": "1", "answer": ""}])), files[1])


@pytest.mark.skipif(not DATA.is_file(), reason="the shared data are not here")
def test_maths_on_the_shared_sample_against_itself() -> None:
    found = json.loads(run("maths", str(DATA), str(DATA), "--json"))
    assert (found["right"], found["n"], found["without_gold"]) == (500, 500, 0)


def test_vote_serves_until_ctrl_c_and_refuses_other_machines(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "votes.jsonl"
    with pytest.raises(InputError, match="add --allow-remote"):
        run("vote", *files, "--out", str(out), "--host", "0.0.0.0")
    with pytest.raises(InputError, match="no such folder"):
        run("vote", *files, "--out", str(tmp_path / "absent" / "v.jsonl"))
    command = [sys.executable, "-c", SERVE, "vote", *files, "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as served:
        try:
            address = ""
            while "http" not in address:
                address = served.stderr.readline()
                assert address, "the server ended"
            url = re.search(r"http://\S+", address)[0]
            with httpx2.Client(follow_redirects=True) as client:
                assert client.get(url).status_code == 200
                card = client.get(url.partition("?")[0] + "api/cards").json()["cards"][0]
                said = client.post(
                    url.partition("?")[0] + "api/votes", json={"id": card["id"], "verdict": "tie"}
                )
                assert said.json()["progress"]["done"] == 1
        finally:
            served.send_signal(signal.SIGINT)
            served.wait(20)
    assert json.loads(out.read_text())["verdict"] == "tie"


def test_review_needs_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        run("review", str(tmp_path))
