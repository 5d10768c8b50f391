"""``panda act`` and learning from gold paths, against a served simulated model."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kshot.agents import SimulatedActor
from kshot.agents.scienceworld import simulator, why_absent
from kshot.cli.act import act, learn_episodes
from kshot.errors import InputError
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.records import Insight
from kshot.models.fake import FakeServer

needs_java = pytest.mark.skipif(bool(why_absent()), reason=why_absent() or "ScienceWorld is here")
app = typer.Typer()
app.command()(act)


@pytest.fixture(autouse=True)
def _own_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with FakeServer(SimulatedActor()) as server:
        yield server.base_url


@needs_java
def test_preferences_are_learnt_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {
        "task": "scienceworld:17",
        "out": tmp_path / "pool",
        "n": 1,
        "render": "preference",
        "as_json": True,
    }
    learn_episodes(given)
    facts = json.loads(capsys.readouterr().out)
    learnt = InsightPool.load(tmp_path / "pool")
    assert facts["insights"] == len(learnt) == facts["new"] > 1
    assert learnt[0].key.startswith("[observation]: This")
    assert learnt[0].source.startswith("17-30 step 0")


@pytest.mark.slow
@needs_java
def test_learn_then_act_with_insights_and_without(
    served: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool, episodes = tmp_path / "pool", tmp_path / "episodes.jsonl"
    learn_episodes({"task": "scienceworld:17", "out": pool, "n": 1, "llm": served, "llm_model": "fake"})
    assert f"insights in {pool}" in capsys.readouterr().out
    learnt = InsightPool.load(pool)
    assert (learnt.header.task, learnt.header.kind) == ("scienceworld:lifespan-longest-lived", "agent")
    assert learnt.header.endpoint["base_url"] == served
    asked = [
        "--env",
        "scienceworld:lifespan-longest-lived",
        "--pool",
        str(pool),
        "--episodes",
        "1",
        "--compare",
    ]
    asked += ["--llm", served, "--llm-model", "fake", "--out", str(episodes), "--json"]
    result = CliRunner().invoke(app, asked, catch_exceptions=False)
    facts = json.loads(result.stdout)
    assert facts["insights"]["episodes"] == facts["none"]["episodes"] == 1
    assert facts["difference"]["variations"] == 1
    lines = [json.loads(line) for line in episodes.read_text(encoding="utf-8").split("\n") if line]
    assert len(lines) == 2
    assert lines[0]["peak_bytes"] < 700e6


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--env", "alfworld:1"], "expected scienceworld:TASK"),
        (["--env", "scienceworld:boill"], "no such task"),
        (["--env", "scienceworld:boil", "--policy", "dreamer"], "expected one of react"),
        (["--env", "scienceworld:boil", "--render", "all"], "none of insight"),
        (["--env", "scienceworld:boil", "--compare"], "give a pool"),
        (["--env", "scienceworld:boil", "--pool", "nowhere"], "nowhere"),
        (["--env", "scienceworld:boil", "--llm", "http://127.0.0.1:9/v1"], "--llm-model is missing"),
        (["--env", "scienceworld:boil"], "--llm"),
    ],
)
@needs_java
def test_what_cannot_be_done_is_said(more: list[str], message: str) -> None:
    result = CliRunner().invoke(app, more)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


@needs_java
def test_a_pool_of_texts_is_no_pool_of_an_agent(tmp_path: Path) -> None:
    header = PoolHeader("moods", kind="classification", labels=("calm", "angry"))
    InsightPool([Insight(0, "a calm sea", "It is calm.")], header).save(tmp_path / "pool")
    result = CliRunner().invoke(app, ["--env", "scienceworld:boil", "--pool", str(tmp_path / "pool")])
    assert isinstance(result.exception, InputError)
    assert "is a pool of classification (moods), and no agent's" in str(result.exception)


def test_without_java_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator.shutil, "which", lambda name: None)
    result = CliRunner().invoke(app, ["--env", "scienceworld:boil"])
    assert isinstance(result.exception, InputError)
    assert "java" in str(result.exception)


@needs_java
@pytest.mark.parametrize(
    "wrong",
    [{"expert": "head"}, {"rows": Path("x")}, {"heuristic": "top9"}, {"render": "all"}, {"llm": None}],
)
def test_options_that_do_not_fit_are_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        learn_episodes({"task": "scienceworld:boil", "out": tmp_path / "pool", **wrong})


@needs_java
def test_a_dry_run_learns_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learn_episodes({"task": "scienceworld:boil", "out": tmp_path / "pool", "dry_run": True, "n": 3})
    assert "up to 3 train variations" in capsys.readouterr().out
    assert not (tmp_path / "pool").exists()
