"""``kshot calls``: what was asked, what it cost, and how it is cleared."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from journal_calls import call, key
from typer.testing import CliRunner, Result

from kshot.cli.calls import app
from kshot.errors import InputError
from kshot.models.journal import Call, Journal, Prices

NOW = datetime.now(UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three calls: a learned one of ten days ago, a failed one, and one that was used again."""
    file = tmp_path / "calls.sqlite"
    with Journal(file) as journal:
        paid = {"prices": Prices(1, 2), "usd": 0.25, "prompt_tokens": 7, "completion_tokens": 3}
        old = (NOW - timedelta(days=10)).isoformat()
        journal.settle(call(0, step="learn", created=old, **paid))
        journal.settle(call(1, step="answer", status="failed", error="HTTP 500", text=""))
        request = {"messages": [{"role": "user", "content": "two\n  lines \x1b[31m"}], "seed": 1}
        journal.settle(
            call(2, step="answer", request=request, text="long " * 40, endpoint="http://h/v1", **paid)
        )
        journal.find(key(2))
    return file


def ask(verb: str, path: Path, *arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(app, [verb, *arguments, "--journal", str(path)], **more)


def test_list_shows_the_latest_last(path: Path) -> None:
    found = ask("list", path)
    assert found.exit_code == 0, found.output
    header, *lines = found.stdout.splitlines()
    assert header.split()[:2] == ["key", "created"]
    assert [line.split()[0] for line in lines] == [key(i)[:12] for i in range(3)]
    assert "HTTP 500" in lines[1]
    assert "0.2500" in lines[2]
    assert lines[2].endswith("…")
    assert len(ask("list", path, "--limit", "1").stdout.splitlines()) == 2
    assert len(ask("list", path, "--limit", "0").stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--step", "answer"), [1, 2]),
        (("--status", "failed"), [1]),
        (("--model", "n"), []),
        (("--older-than", "5"), [0]),
        (("--older-than", "11"), []),
        (("--limit", "1"), [2]),
    ],
)
def test_list_chooses(path: Path, arguments: tuple[str, ...], expected: list[int]) -> None:
    found = ask("list", path, "--json", *arguments)
    assert [row["key"] for row in json.loads(found.stdout)] == [key(i) for i in expected]


def test_json_holds_whole_calls(path: Path) -> None:
    rows = json.loads(ask("list", path, "--json").stdout)
    with Journal(path, mode="read_only") as journal:
        assert [Call.from_json(row) for row in rows] == list(journal.calls())


def test_usage_sums_up(path: Path) -> None:
    found = ask("usage", path)
    assert found.exit_code == 0, found.output
    answer, learn = found.stdout.splitlines()[1:3]
    assert answer.split() == ["answer", "m", "2", "1", "1", "7", "3", "0.2500", "0.2500", "1"]
    assert learn.split() == ["learn", "m", "1", "0", "0", "7", "3", "0.2500", "0.0000"]
    assert "3 calls, 0.5000 USD paid, 0.2500 USD saved" in found.stdout
    rows = json.loads(ask("usage", path, "--json").stdout)
    assert [(row["step"], row["hits"]) for row in rows] == [("answer", 1), ("learn", 0)]


def test_show_tells_request_and_reply(path: Path) -> None:
    found = ask("show", path, key(2)[:8])
    assert found.exit_code == 0, found.output
    lines = found.stdout.splitlines()
    assert lines[0] == f"key: {key(2)}"
    assert lines[lines.index("[user]") + 1 :][:2] == ["two", "  lines [31m"]
    assert 'settings: {"seed": 1}' in lines
    assert "\x1b" not in found.stdout
    assert "7 + 3 tokens, 0.2500 USD" in found.stdout
    assert "error: HTTP 500" in ask("show", path, key(1)).stdout
    assert json.loads(ask("show", path, key(1), "--json").stdout)[0]["error"] == "HTTP 500"


def test_show_of_no_key_or_of_many(path: Path) -> None:
    for digits, words in (("f" * 32, "no call's key begins with"), ("xyz", "digits 0-9 and a-f")):
        found = ask("show", path, digits)
        assert isinstance(found.exception, InputError)
        assert words in str(found.exception)
    with Journal(path) as journal:
        journal.settle_many([call(i) for i in range(3, 40)])
    found = ask("show", path, key(5)[0])
    assert isinstance(found.exception, InputError)
    assert "give more digits" in str(found.exception)


def test_export_writes_jsonl(path: Path, tmp_path: Path) -> None:
    found = ask("export", path, str(tmp_path / "out.jsonl"), "--step", "answer")
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("2 calls written to ")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().split("\n") if line]
    assert [row["key"] for row in rows] == [key(1), key(2)]
    assert isinstance(ask("export", path, str(tmp_path)).exception, InputError)
    assert isinstance(ask("export", path, str(path)).exception, InputError)


def test_clear_wants_a_yes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ask("clear", path)
    assert isinstance(found.exception, InputError)
    assert "3 calls, 0.5000 USD: say --yes" in str(found.exception)
    asked: list[str] = []
    monkeypatch.setattr("typer.confirm", lambda text: bool(asked.append(text)))
    monkeypatch.setattr("kshot.cli.calls._can_be_asked", lambda: True)
    assert ask("clear", path).stdout == "nothing was cleared\n"
    assert "3 calls, 0.5000 USD paid for them. Clear?" in asked[0]
    assert len(json.loads(ask("list", path, "--json").stdout)) == 3
    monkeypatch.setattr("typer.confirm", lambda text: True)
    assert ask("clear", path, "--older-than", "5").stdout == "1 calls cleared\n"


def test_clear_takes_what_is_chosen(path: Path) -> None:
    assert ask("clear", path, "--yes", "--step", "learn").stdout == "1 calls cleared\n"
    assert ask("clear", path, "--yes", "--model", "n").stdout == "0 calls cleared\n"
    assert ask("clear", path, "--yes").stdout == "2 calls cleared\n"
    assert json.loads(ask("list", path, "--json").stdout) == []
    assert ask("usage", path, "--json").stdout == "[]\n"


@pytest.mark.parametrize("verb", [("list",), ("usage",), ("show", "a"), ("export", "x"), ("clear", "--yes")])
def test_looking_makes_no_journal(
    verb: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KSHOT_JOURNAL", str(tmp_path / "none" / "calls.sqlite"))
    found = CliRunner().invoke(app, list(verb))
    assert isinstance(found.exception, InputError)
    assert "there is no journal" in str(found.exception)
    assert list(tmp_path.iterdir()) == []


def test_wrong_options_are_refused(path: Path) -> None:
    for arguments, words in (
        (("--status", "open"), "done, failed"),
        (("--older-than", "1e99"), "no calendar"),
    ):
        found = ask("list", path, *arguments)
        assert isinstance(found.exception, InputError)
        assert words in str(found.exception)
    assert ask("list", path, "--older-than", "-1").exit_code == 2
