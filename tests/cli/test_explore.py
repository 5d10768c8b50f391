"""``explore`` as it is typed, against a simulated model over real HTTP."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from kshot.cli import app, main
from kshot.models.fake import FakeServer
from kshot.models.fake.ontology import Ontology, OntologySpeaker, RecallModel


@pytest.fixture(scope="module")
def server():
    speaker = OntologySpeaker(Ontology.made((3, 3, 3), seed=0), RecallModel(1.0), seed=0)
    with FakeServer(speaker) as found:
        yield found


@pytest.fixture(scope="module")
def explored(server, tmp_path_factory):
    place = tmp_path_factory.mktemp("cli") / "out"
    return place, done("run", "the domain", *options(server), "--out", str(place), "--rows", "60")


def options(server, calls=40):
    return (
        "--description", "All of it.", "--llm", server.base_url, "--model", "fake",
        "--budget-calls", str(calls), "--simulated", "--lanes", "4",
    )  # fmt: skip


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


def test_run_says_what_it_made_and_where(explored):
    place, told = explored
    assert "simulated model" in told
    assert f"rows: {place / 'pool' / 'rows.jsonl'} (60)" in told
    assert len((place / "pool" / "rows.jsonl").read_text().splitlines()) == 60
    for name in ("tree.md", "tree.json", "report.html", "report.md", "report.json", "pool/README.md"):
        assert (place / name).is_file(), name


def test_run_again_asks_nothing(explored, server):
    place, _ = explored
    before = len(server.requests)
    facts = json.loads(
        done("run", "the domain", *options(server), "--out", str(place), "--rows", "60", "--json")
    )
    assert facts["rows"] == 60
    assert len(server.requests) == before


def test_show_prints_the_tree(explored):
    told = done("show", str(explored[0]), "--refused")
    assert told.startswith("the domain")
    assert "rows" in told
    assert json.loads(done("show", str(explored[0]), "--json"))["rows"] >= 60


def test_grow_then_fill(server, tmp_path):
    told = done("grow", "the domain", *options(server)[:-2], "--out", str(tmp_path / "x"))
    assert "edit" in told
    told = done("fill", str(tmp_path / "x"), "--lanes", "4", "--rows", "30")
    assert "(30)" in told


def test_export_and_evaluate(explored, tmp_path):
    told = done("export", str(explored[0]), "--form", "messages", "--out", str(tmp_path / "out"), "-n", "20")
    assert told.startswith("20 rows in")
    told = done("evaluate", str(explored[0]), "--parser", "plain", "--against", f"self={explored[0]}")
    assert "explored:" in told
    assert "self:" in told


def test_dry_run_asks_nothing(server, tmp_path):
    before = len(server.requests)
    told = done("run", "rewriting", *options(server)[2:], "--out", str(tmp_path / "x"), "--dry-run")
    assert "calls, about: 40" in told
    assert len(server.requests) == before
    assert not (tmp_path / "x").exists()


def test_a_task_guides_and_guards(server, tmp_path):
    told = done(
        "run",
        "trades",
        "--task",
        "miniature:single",
        *options(server)[2:],
        "--out",
        str(tmp_path / "x"),
        "--json",
    )
    assert json.loads(told)["rows"] > 0
    facts = json.loads((tmp_path / "x" / "report.json").read_text())
    assert "test rows" in facts["contamination"]["against"]
    sent = "\n".join(json.dumps(one.body) for one in server.requests)
    from kshot import miniature
    from kshot.data.task import Task

    task = Task.load(miniature.task_file("single"))
    assert any(shot.prompt in sent for shot in task.shots)
    assert not any(row.prompt in sent for row in task.test)


def test_no_later_step_forgets_what_guards(server, tmp_path):
    place, guard = tmp_path / "x", tmp_path / "guard.jsonl"
    done("grow", "the domain", *options(server)[:-2], "--out", str(place))
    done("fill", str(place), "--lanes", "4")
    rows = [json.loads(line) for line in (place / "pool" / "rows.jsonl").read_text().splitlines()]
    copies = [json.dumps({"prompt": row["instruction"], "answer": ""}) for row in rows[:9]]
    guard.write_text("\n".join(copies) + "\n")
    done("fill", str(place), "--lanes", "4", "--guard", str(guard))
    done("fill", str(place), "--lanes", "4")
    done("export", str(place), "--out", str(tmp_path / "out"))
    protected = {row["instruction"] for row in rows[:9]}
    for file in (place / "pool" / "rows.jsonl", tmp_path / "out" / "rows.jsonl"):
        kept = {json.loads(line)["instruction"] for line in file.read_text().splitlines()}
        assert kept
        assert not kept & protected
    guard.unlink()
    found = CliRunner().invoke(app, ["explore", "export", str(place), "--out", str(tmp_path / "out")])
    assert "put it back" in str(found.exception)


def test_a_folder_of_the_domains_name_goes_on(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for calls in (4, 6):
        told = done("run", "rewriting", *options(server, calls)[2:], "--out", "rewriting", "--json")
        assert json.loads(told)["calls"] == calls


NOWHERE = ("--llm", "http://127.0.0.1:9/v1", "--model", "x")
CASES = [
    (("run", "wine", *NOWHERE, "--budget-calls", "5"), "--description"),
    (("run", "rewriting", "--model", "x", "--budget-calls", "5"), "--llm is missing"),
    (("run", "rewriting", "--llm", "http://127.0.0.1:9/v1", "--budget-calls", "5"), "--model is missing"),
    (("run", "rewriting", *NOWHERE), "nothing says when to stop"),
    (("run", "rewriting", *NOWHERE, "--budget-calls", "5",
      "--breadth", "wide"), "--breadth"),
    (("run", "rewriting", *NOWHERE, "--budget-calls", "5",
      "--breadth", "8"), "breadth"),
    (("run", "rewriting", *NOWHERE, "--budget-calls", "5",
      "--without", "to_short"), "too_short"),
    (("run", "none.json", *NOWHERE, "--budget-calls", "5"), "none.json"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "says"), CASES)
def test_what_cannot_be_run_is_said_at_once(monkeypatch, capsys, tmp_path, arguments, says):
    told = refused(monkeypatch, capsys, *arguments, "--out", str(tmp_path / "out"))
    assert says in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["show", "fill", "evaluate", "attach", "export"])
def test_a_folder_that_is_none(monkeypatch, capsys, tmp_path, verb):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "a b c", "completion": "d"}\n')
    more = {"attach": (str(rows),), "export": ("--out", str(tmp_path / "out")), "fill": ("--rows", "5")}
    told = refused(monkeypatch, capsys, verb, str(tmp_path / "none"), *more.get(verb, ()))
    assert "no exploration here" in told


def test_a_dead_endpoint_leaves_a_folder_that_goes_on(monkeypatch, capsys, server, tmp_path):
    place = tmp_path / "out"
    arguments = ("run", "the domain", "--description", "All.", "--model", "fake", "--budget-calls", "20")
    told = refused(
        monkeypatch, capsys, *arguments, "--llm", "http://127.0.0.1:9/v1", "--out", str(place), code=2
    )
    assert "cannot be reached" in told
    done(*arguments, "--llm", server.base_url, "--out", str(place), "--lanes", "4")
    assert (place / "pool" / "rows.jsonl").is_file()
