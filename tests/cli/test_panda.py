"""``panda`` as it is typed: learn, ask, and what is done with pools."""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kshot.cli import app
from kshot.methods.panda.pool import InsightPool
from kshot.models.fake import FakeServer

TEXTS = ["a calm sea at noon", "an angry crowd in town", "calm fields of wheat", "angry dogs in the yard"]
LABELS = ["calm", "angry", "calm", "angry"]


def answered(request: Mapping[str, Any]) -> str:
    """An explanation where one is asked for, else the label that the prompt holds most often."""
    text = request["messages"][-1]["content"]
    if request["max_tokens"] == 150:
        return "Its words are those of this mood."
    body = text.rpartition("Text:")[2]
    return "angry" if "angry" in body else "calm"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(answered) as found:
        yield found


@pytest.fixture
def task(tmp_path: Path, server: FakeServer) -> Path:
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
    (tmp_path / "shots.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "task.yaml").write_text(
        "version: 1\ntask: {name: moods, type: classification}\nexamples: {path: shots.jsonl}\n"
        f"folds: {{count: 2}}\nknowledge: {{llm: {{base_url: '{server.base_url}', model: fake}}}}\n"
    )
    return tmp_path / "task.yaml"


@pytest.fixture
def pool(task: Path, tmp_path: Path) -> Path:
    done("learn", str(task), "--out", str(tmp_path / "pool"))
    return tmp_path / "pool"


def done(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["panda", *arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_learn_says_what_it_did_and_what_it_cost(task: Path, tmp_path: Path) -> None:
    told = done("learn", str(task), "--out", str(tmp_path / "pool"))
    assert "4 insights" in told
    assert "learn: 4 requests, 0 from the journal" in told
    assert "0 requests, 4 from the journal" in done("learn", str(task), "--out", str(tmp_path / "other"))


def test_a_dry_run_asks_nobody(task: Path, tmp_path: Path, server: FakeServer) -> None:
    told = json.loads(done("learn", str(task), "--out", str(tmp_path / "pool"), "--dry-run", "--json"))
    assert (told["questions"], told["calls"]) == (4, 4)
    assert not server.requests
    assert not (tmp_path / "pool").exists()


def test_ask_answers_with_the_nearest_insights(pool: Path, server: FakeServer) -> None:
    server.reset()
    told = json.loads(done("ask", str(pool), "angry geese by the lake", "--json", "-k", "2"))
    assert told["answer"] == "angry"
    assert len(told["insights"]) == 2
    assert "Its words are those of this mood." in server.requests[0].body["messages"][-1]["content"]
    plain = json.loads(done("ask", str(pool), "angry geese by the lake", "--json", "-k", "0"))
    assert plain["insights"] == []


def test_the_verbs_of_pools_write_new_ones(pool: Path, tmp_path: Path) -> None:
    before = (pool / "insights.jsonl").read_bytes()
    facts = json.loads(done("inspect", str(pool), "--json"))
    assert (facts["count"], facts["distinct_keys"]) == (4, 4)
    assert "4 insights" in done("inspect", str(pool))
    assert TEXTS[0] in done("search", str(pool), "a calm sea", "-k", "1")
    some = InsightPool.load(pool)[0].id
    assert "1 dropped" in done("prune", str(pool), "--out", str(tmp_path / "fewer"), "--id", some)
    assert "3 insights" in done("inspect", str(tmp_path / "fewer"))
    apart = json.loads(done("diff", str(pool), str(tmp_path / "fewer"), "--json"))
    assert apart["only_first"] == [some]
    assert "4 insights" in done("merge", str(pool), str(tmp_path / "fewer"), "--out", str(tmp_path / "both"))
    # all explanations are equal here, keys are not
    done("deduplicate", str(pool), "--out", str(tmp_path / "distinct"))
    done("export", str(pool), "--out", str(tmp_path / "released.json"))
    assert len(json.loads((tmp_path / "released.json").read_text())) == 4
    assert "4 insights" in done("import", str(tmp_path / "released.json"), "--out", str(tmp_path / "back"))
    assert (pool / "insights.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["learn", "TASK", "--out", "P", "--heuristic", "best"], "none of top1, top2"),
        (["learn", "TASK", "--out", "P", "--choose", "luck"], "--choose: 'luck'"),
        (["learn", "TASK", "--out", "P", "--llm", "http://127.0.0.1:9/v1"], "--llm-model is missing"),
        (["learn", "TASK", "--out", "P", "--llm", "http://u:p@h/v1", "--llm-model", "m"], "(not shown)"),
        (["learn", "TASK", "--out", "P", "--usd", "1"], "prices"),
        (["learn", "TASK", "--out", "P", "--expert", "./nowhere"], "nowhere"),
        (["ask", "NOWHERE", "text"], "NOWHERE"),
        (["inspect", "NOWHERE"], "NOWHERE"),
        (["merge", "POOL", "--out", "POOL"], "POOL"),
        (["ask", "POOL", "text", "--render", "all"], "--render: 'all'"),
        (["ask", "POOL", "text", "--guide", "NOWHERE"], "NOWHERE"),
    ],
)
def test_bad_input_is_told(arguments: list[str], said: str, task: Path, pool: Path, tmp_path: Path) -> None:
    from kshot.errors import KshotError

    places = {"TASK": task, "POOL": pool, "P": tmp_path / "new", "NOWHERE": tmp_path / "NOWHERE"}
    given = [str(places.get(one, one)) for one in arguments]
    with pytest.raises(KshotError) as caught:
        CliRunner().invoke(app, ["panda", *given], catch_exceptions=False)
    assert said.replace("POOL", str(pool)) in str(caught.value)


def test_a_cascade_asks_the_expert_where_draws_differ(pool: Path, tmp_path: Path) -> None:
    from kshot.models.classifier import EmbeddingHead
    from kshot.models.embed import HashingEncoder

    head = EmbeddingHead.fit(HashingEncoder(), TEXTS, LABELS, label_names=("angry", "calm"))
    head.save(tmp_path / "head")
    expert = ("--json", "--cascade", str(tmp_path / "head"))
    told = done("ask", str(pool), "angry geese", "calm water", *expert)
    assert [json.loads(line)["note"] for line in told.splitlines()] == ["", ""]  # all draws agree here
    torn = count()
    with FakeServer(lambda request: ("angry", "calm")[next(torn) % 2]) as other:
        told = done("ask", str(pool), "calm evening", *expert, "--llm", other.base_url, "--llm-model", "fake")
    assert json.loads(told)["answer"] == "calm"
    assert json.loads(told)["note"].startswith("the expert's")


def test_measure_counts_on_held_out_shots(pool: Path, tmp_path: Path) -> None:
    rows = [{"text": "an angry goose", "label": "angry"}, {"text": "a calm pond", "label": "calm"}]
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = done(
        "measure", str(pool), str(tmp_path / "held.jsonl"), "--out", str(tmp_path / "counted"), "-k", "2"
    )
    assert "shown 4, helped 0, hurt 0" in told
    assert sum(one.counters.shown for one in InsightPool.load(tmp_path / "counted")) == 4
