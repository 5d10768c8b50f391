"""What the options of ``explore`` reach, and what a folder remembers for the next verb."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from kshot.cli import app, main
from kshot.models.fake import FakeServer
from kshot.models.fake.ontology import Ontology, OntologySpeaker, RecallModel

PRICES = ("--prompt-usd", "0.5", "--completion-usd", "1.5")


@pytest.fixture(scope="module")
def server():
    speaker = OntologySpeaker(Ontology.made((6, 4, 4), seed=0), RecallModel(1.0), seed=0)
    with FakeServer(speaker) as found:
        yield found


def options(server, out):
    return ("--llm", server.base_url, "--model", "fake", "--simulated", "--out", str(out))


def done(*arguments):
    found = CliRunner().invoke(app, ["explore", *arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def refused(monkeypatch, capsys, *arguments, code=2):
    monkeypatch.setattr("sys.argv", ["kshot", "explore", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == code
    return capsys.readouterr().err


def report(place):
    return json.loads((place / "report.json").read_text())


def test_filling_goes_on_with_method_prices_and_form_of_growing(server, tmp_path):
    place = tmp_path / "x"
    begin = ("brainstorming", *options(server, place), "--method", "fixed", "--depth", "1", "--breadth", "3")
    limits = ("--budget-usd", "0.01", *PRICES)
    done("grow", *begin, *limits)
    done("fill", str(place), "--lanes", "2")
    asked = json.loads((place / "state.json").read_text())["settings"]["asked"]
    assert (asked["method"], asked["prompt_usd"], asked["replies"]) == ("fixed", 0.5, "json")
    assert 0 < report(place)["usd"] <= 0.01
    assert report(place)["share"] is None  # a fixed breadth is held to no share
    done("run", *begin, *limits, "--lanes", "2")  # the same method: not refused


def test_blocks_stay_blocks(tmp_path):
    place = tmp_path / "x"
    with FakeServer(lambda body: "1. yes") as mute:
        begin = ("brainstorming", "--model", "fake", "--budget-calls", "9", "--out", str(place))
        done("grow", *begin, "--llm", mute.base_url, "--replies", "blocks")
        done("fill", str(place), "--lanes", "1")
        assert all("=== end ===" in one.body["messages"][0]["content"] for one in mute.requests)
        assert "blocks" in json.loads((place / "state.json").read_text())["settings"]["fill"]["prompts"]


@pytest.mark.parametrize("method", ["self_instruct", "depth_zero"])
def test_a_baseline_without_a_tree_is_not_filled_as_one(monkeypatch, capsys, server, tmp_path, method):
    begin = ("brainstorming", *options(server, tmp_path / "x"), "--budget-calls", "3", "--lanes", "1")
    done("run", *begin, "--method", method)
    told = refused(monkeypatch, capsys, "fill", str(tmp_path / "x"), "--budget-calls", "9")
    assert "no tree to fill" in told


def test_money_alone_leaves_most_of_itself_to_filling(server, tmp_path):
    place = tmp_path / "x"
    done("run", "brainstorming", *options(server, place), "--budget-usd", "0.05", *PRICES, "--lanes", "4")
    steps = {step["step"]: step["usd"] for step in report(place)["usage"]}
    assert 0 < steps["grow"] + steps.get("relevance", 0) <= 0.25 * 0.05  # a fifth, planned by the mean call
    assert 0.6 * 0.05 < sum(steps.values()) <= 0.05
    assert report(place)["row_count"] > 100


def test_money_needs_prices_before_a_folder_is_made(monkeypatch, capsys, server, tmp_path):
    begin = ("brainstorming", *options(server, tmp_path / "x"), "--budget-usd", "0.05")
    assert "prices" in refused(monkeypatch, capsys, "run", *begin)
    assert not (tmp_path / "x").exists()


def test_what_ends_tasks_can_be_said(server, tmp_path):
    place = tmp_path / "x"
    begin = ("brainstorming", *options(server, place), "--budget-calls", "60", "--lanes", "4", "--depth", "1")
    done("run", *begin, "--cap", "4", "--least-yield", "0.1", "--least-kept", "0", "--leaves-only",
         "--length", "2,9", "--probe")  # fmt: skip
    tasks = report(place)["tasks"]
    assert len(tasks) <= 5
    assert tasks[0]["rows"] == 0
    assert all(task["rows"] for task in tasks[1:])
    texts = [json.loads(line)["instruction"] for line in (place / "rows.jsonl").read_text().splitlines()]
    assert all(2 <= len(text.split()) <= 9 for text in texts)
    assert tasks[0]["estimate"] > 0
    assert "subtasks in all by a blind probe" in done("show", str(place))


@pytest.mark.parametrize("length", ["9", "9,2", "a,b"])
def test_lengths_that_cannot_be(monkeypatch, capsys, server, tmp_path, length):
    begin = ("brainstorming", *options(server, tmp_path / "x"), "--budget-calls", "9")
    told = refused(monkeypatch, capsys, "run", *begin, "--length", length)
    assert "3,150" in told or "least" in told


def test_curated_rows_are_a_baseline_that_asks_nobody(monkeypatch, capsys, tmp_path):
    place, file = tmp_path / "x", tmp_path / "mine.jsonl"
    texts = [
        "Tell the old tale of the mill.",
        "Tell the old tale of the fox.",
        "Shorten a long letter to an aunt.",
        "Turn three notes into one verse.",
        "Say this news as a child would.",
    ]
    rows = [{"instruction": text, "input": "", "output": "Done."} for text in [*texts, texts[0], "Go."]]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    guard = tmp_path / "guard.jsonl"
    guard.write_text(json.dumps({"prompt": texts[0], "completion": "x"}) + "\n")
    facts = json.loads(
        done("curated", "rewriting", str(file), "--out", str(place), "--guard", str(guard), "--json")
    )
    rules = [json.loads(line)["rule"] for line in (place / "refused.jsonl").read_text().splitlines()]
    assert sorted(rules) == ["overlap", "repeat", "too_short"]
    assert (facts["kept"], facts["rows"], facts["calls"]) == (4, 3, 0)
    card = (place / "pool" / "README.md").read_text()
    assert "attached" in card
    assert "written by" not in card
    assert "yield" not in done("show", str(place))
    told = refused(monkeypatch, capsys, "fill", str(place), "--llm", "x", "--budget-calls", "9")
    assert "nothing is asked for more" in told


def test_shots_keep_a_ready_domain_and_carry_their_tasks_instruction(server, tmp_path):
    shots, task = tmp_path / "shots.jsonl", tmp_path / "task.yaml"
    shots.write_text(
        "".join(json.dumps({"text": f"Plum {n}.", "label": ["no", "yes"][n % 2]}) + "\n" for n in range(8))
    )
    task.write_text(
        "version: 1\ntask: {name: plums, type: classification, instruction: Say whether it is ripe.}\n"
        "examples: {path: shots.jsonl, k: 8}\n"
    )
    before = len(server.requests)
    done("run", "rewriting", "--task", str(task), *options(server, tmp_path / "x"), "--budget-calls", "20",
         "--lanes", "1")  # fmt: skip
    first = server.requests[before].body["messages"][-1]["content"]
    shown = [json.loads(line) for line in re.findall(r"^\{\"instruction.*\}$", first, re.MULTILINE)][:8]
    assert {one["instruction"] for one in shown} == {"Say whether it is ripe."}
    assert sorted(one["input"] for one in shown) == [f"Plum {n}." for n in range(8)]
    assert "name the subtasks that they belong to" in first
    assert "Reason: Changing a text" in first


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(server, tmp_path):
    place = tmp_path / "x"
    command = [
        "explore",
        "run",
        "brainstorming",
        *options(server, place),
        "--budget-calls",
        "60",
        "--lanes",
        "2",
    ]
    # a job in the background ignores it otherwise
    script = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += "from kshot.cli import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stderr:
        if '"event": "round"' in line and '"fill"' in line:
            os.kill(process.pid, signal.SIGINT)
            break
    _, told = process.communicate(timeout=60)
    assert (process.returncode, "the same command goes on" in told) == (130, True)
    assert not (place / "pool").exists()
    done(*command[1:])
    assert report(place)["grow_calls"] + report(place)["fill_calls"] == 60
