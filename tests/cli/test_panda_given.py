"""Options of ``panda``, and where the task file's own ways stand in their place."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kshot.cli import app
from kshot.cli.learn_episodes import learn_episodes
from kshot.cli.panda_given import tasks_of
from kshot.methods.panda.pool import InsightPool

NOT_GIVEN = (
    "shots", "seed", "llm", "calls", "tokens", "usd", "prompts", "heuristic", "gold", "expert", "expert_rows",
    "rows", "n", "metric",
)  # fmt: skip
DEFAULTS = {"ask": "reason", "render": "both", "min_probability": 0.0, "min_margin": 0.0, "choose": "first"}
GIVEN = dict.fromkeys(NOT_GIVEN) | DEFAULTS


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, ("far", "drop")), ({"heuristic": "top1", "gold": "keep"}, ("top1", "keep"))],
)
def test_the_task_files_ways_stand_where_an_option_is_not_given(options, expected, tmp_path: Path) -> None:
    rows = [{"text": f"row {at}", "label": ("calm", "angry", "sad")[at % 3]} for at in range(6)]
    (tmp_path / "shots.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "task.yaml").write_text(
        "version: 1\ntask: {name: moods, type: classification}\nexamples: {path: shots.jsonl}\n"
        "panda: {heuristic: far, gold: drop}\n"
    )
    (found,) = tasks_of(GIVEN | options, [str(tmp_path / "task.yaml")])
    assert (found.learning.learning.heuristic, found.learning.learning.gold) == expected


def test_an_imported_pool_can_be_given_its_task_and_labels(tmp_path: Path) -> None:
    released = [{"text": "so good", "query_prompt": "?", "insight": "It praises."}]
    ranked = [{"text": "so good", "preferences": "[1, 0]"}]
    (tmp_path / "pool.json").write_text(json.dumps(released))
    (tmp_path / "expert.json").write_text(json.dumps(ranked))
    more = [
        "--expert-file",
        str(tmp_path / "expert.json"),
        "--task",
        "moods",
        "--label",
        "bad",
        "--label",
        "good",
    ]
    arguments = ["panda", "import", str(tmp_path / "pool.json"), "--out", str(tmp_path / "pool"), *more]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    pool = InsightPool.load(tmp_path / "pool")
    assert (pool.header.task, pool.header.labels, pool[0].answer) == ("moods", ("bad", "good"), "good")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"llm": "./folder"}, {"model": "./folder"}),
        ({"llm": "http://h/v1", "llm_model": "m"}, {"base_url": "http://h/v1", "model": "m"}),
        ({"llm": "http://h/v1", "llm_model": "m", "render": "preference"}, {}),
    ],
)
def test_an_agents_pool_names_who_explained(given, expected, monkeypatch, tmp_path: Path) -> None:
    from contextlib import contextmanager

    import kshot.agents.scienceworld as world
    import kshot.cli.learn_episodes as verb

    seen = {}

    def learned(task, out, model, *, learning, header, told):
        seen["header"] = header
        raise KeyboardInterrupt

    @contextmanager
    def opened(given):
        yield None

    monkeypatch.setattr(world, "learn_scienceworld", learned)
    monkeypatch.setattr(verb, "opened_model", opened)
    monkeypatch.setattr(verb, "world_task", lambda name, where: name)
    with pytest.raises(KeyboardInterrupt):
        learn_episodes({"task": "scienceworld:6", "out": tmp_path / "pool", **given})
    assert dict(seen["header"].endpoint) == expected


def test_the_four_settings() -> None:
    from kshot.cli.panda_given import setting_of

    found = {name: setting_of(name) for name in ("zero-shot", "few-shot", "zero-shot-cot", "few-shot-cot")}
    assert [(one.shots, one.reasoning) for one in found.values()] == [
        (0, False),
        (3, False),
        (0, True),
        (3, True),
    ]
    assert {one.render for one in found.values()} == {"insight"}
