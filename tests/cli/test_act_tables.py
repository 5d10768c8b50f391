"""``panda ablate scienceworld:LIST``: options, estimates, and one whole run with a real Java machine."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kshot.agents import Episode, SimulatedActor
from kshot.agents.episode import Step
from kshot.agents.scienceworld import simulator, why_absent
from kshot.cli.act_tables import courses_of, is_worlds, tables_asked
from kshot.cli.panda import app
from kshot.errors import BudgetError, InputError
from kshot.models.fake import FakeServer

needs_java = pytest.mark.skipif(bool(why_absent()), reason=why_absent() or "ScienceWorld is here")


@pytest.fixture(autouse=True)
def _own_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))


def ablate(*options: str, out: Path) -> tuple[str, BaseException | None]:
    result = CliRunner().invoke(app, ["ablate", *options, "--out", str(out)])
    return result.stdout, result.exception


def test_lists_of_tasks() -> None:
    assert [one.name for one in courses_of(["scienceworld:25, boil", "scienceworld:13"])] == [
        "scienceworld:power-component", "scienceworld:boil", "scienceworld:identify-life-stages-2",
    ]  # fmt: skip
    assert len(courses_of(["scienceworld:paper"])) == 20
    with pytest.raises(InputError, match="missing between commas"):
        courses_of(["scienceworld:25,,13"])
    with pytest.raises(InputError, match=r"task\.yaml: interactive tasks and texts"):
        is_worlds(["scienceworld:25", "task.yaml"])


def test_a_dry_run_says_how_much_it_is_and_writes_nothing(tmp_path: Path) -> None:
    told, failed = ablate(
        "scienceworld:25,17", "--dry-run", "--episodes", "4", "--rounds", "2", out=tmp_path / "out"
    )
    assert failed is None
    assert "2 tasks, 18 cells, 144 episodes to play; at most 28,800 requests to act" in told
    plain, _ = ablate("scienceworld:25", "--dry-run", "--json", "--policy", "saycan", out=tmp_path / "out")
    assert json.loads(plain)["act_requests"] == 9 * 8 * 200 * 5
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["scienceworld:boill"], "no such task"),
        (["scienceworld:25,25"], "stands in the list twice"),
        (["scienceworld:25", "--policy", "dreamer"], "policy 'dreamer'"),
        (["scienceworld:25", "--question", "mmr"], "none of render"),
        (["scienceworld:25", "--condition", "guide"], "none of no insights"),
        (["scienceworld:25", "--shots", "3"], "--shots: does not belong to interactive tasks"),
        (["scienceworld:25", "--heuristic", "far"], "`--question heuristic` compares them"),
        (["scienceworld:25", "--limit", "9"], "--limit: does not belong"),
        (["scienceworld:25", "--min-margin", "0.2"], "no probabilities"),
        (["scienceworld:25", "--ask", "what"], "none of reason"),
        (["scienceworld:25", "--expert", "nowhere.jsonl"], "expected gold, or a file of episodes"),
        (["scienceworld:25", "--llm", "http://127.0.0.1:9/v1"], "--llm-model is missing"),
        (["scienceworld:25"], "--llm"),
        (["task.yaml", "--episodes", "3"], "--episodes: belongs to interactive tasks"),
        (["task.yaml", "--dry-run"], "--dry-run: only for interactive tasks"),
    ],
)
def test_what_cannot_be_done_is_said(options: list[str], message: str, tmp_path: Path) -> None:
    _, failed = ablate(*options, out=tmp_path / "out")
    assert isinstance(failed, InputError)
    assert message in str(failed)
    assert not (tmp_path / "out").exists()


def test_without_java_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator.shutil, "which", lambda name: None)
    given = ["scienceworld:25", "--llm", "http://127.0.0.1:9/v1", "--llm-model", "m"]
    _, failed = ablate(*given, out=tmp_path / "out")
    assert isinstance(failed, InputError)
    assert "java" in str(failed)


def test_an_agents_episodes_are_an_expert(tmp_path: Path) -> None:
    steps = (Step("x", "", "thought", "OK.", 0, 0), Step("go", "open door", "grounded", "o", 0, 1))
    lines = [
        Episode("scienceworld:boil", 3, "react", steps=steps, scores=(0, 0, 0)),
        Episode("scienceworld:boil", 3, "react", ended="model"),
        Episode("scienceworld:other", 1, "react"),
    ]
    path = tmp_path / "episodes.jsonl"
    path.write_text("\n".join(json.dumps(one.to_json()) for one in lines) + "\n", encoding="utf-8")
    asked = tables_asked({"expert": str(path), "n": 4}, courses_of(["scienceworld:boil"]))
    assert asked.paths == {"scienceworld:boil": {3: ("open door",)}}
    assert (asked.learn_from, asked.expert) == (4, "episodes of episodes.jsonl")
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1: is no episode"):
        tables_asked({"expert": str(path)}, courses_of(["scienceworld:boil"]))


@pytest.mark.slow
@needs_java
def test_one_task_from_nothing_to_a_report_and_again_for_free(tmp_path: Path) -> None:
    with FakeServer(SimulatedActor()) as server:
        given = ["scienceworld:17", "--episodes", "1", "--n", "1", "--question", "none", "--simulated"]
        given += ["--condition", "insights", "--llm", server.base_url, "--llm-model", "fake"]
        told, stopped = ablate(*given, "--calls", "5", out=tmp_path / "out")
        assert isinstance(stopped, BudgetError)
        assert "episodes are missing" in str(stopped)
        told, failed = ablate(*given, out=tmp_path / "out")
        assert failed is None
        assert "PANDA on scienceworld:lifespan-longest-lived · simulated model · react" in told
        before = len(server.requests)
        plain, _ = ablate(*given, "--json", out=tmp_path / "out")
        assert len(server.requests) == before
    report = json.loads(plain)
    rows = {row["name"]: row for row in report["conditions"]["tasks"][0]["rows"]}
    assert set(rows) == {"no insights", "insights", "the gold path"}
    assert rows["the gold path"]["score"] == 100
    assert rows["insights"]["episodes"] == rows["no insights"]["episodes"] == 1
    assert (tmp_path / "out" / "scienceworld.html").is_file()
