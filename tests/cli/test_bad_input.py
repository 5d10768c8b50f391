"""Bad input of every kind: exit code 2, one clear message, and no half-written file."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kshot.cli import main

GOOD = [{"text": f"row {i}", "label": "ab"[i % 2]} for i in range(10)]
TEST = [{"text": f"held out {i}", "label": "ab"[i % 2]} for i in range(6)]
TASK = """version: 1
task: {type: classification, labels: [a, b]}
examples: {path: shots.jsonl}
test: test.jsonl
systems: [majority]
"""


def lines(rows: list[dict[str, object]] | list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@dataclass
class Case:
    """What is changed in a good task, the verb that meets it, and what the message must say."""

    name: str
    says: str
    files: dict[str, bytes | None] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("run", "task.yaml", "--out", "run")


def task(old: str, new: str) -> dict[str, bytes | None]:
    assert old in TASK
    return {"task.yaml": TASK.replace(old, new).encode()}


CASES = [
    Case("empty task file", "task.yaml", {"task.yaml": b""}),
    Case("binary task file", "task.yaml", {"task.yaml": bytes(range(256))}),
    Case("no task file", "task.yaml", {"task.yaml": None}),
    Case("a folder for a task file", "is a folder", {}, ("run", ".", "--out", "run")),
    Case("YAML syntax", "task.yaml:2", task("{type: classification, labels", "{type: classification, labels: [")),
    Case("unknown key", "exampels", task("examples:", "exampels:")),
    Case("unknown inner key", "path", task("{path: shots.jsonl}", "{pth: shots.jsonl}")),
    Case("key twice", "twice", task("version: 1\n", "version: 1\nversion: 1\n")),
    Case("YAML alias loop", "task.yaml", task("labels: [a, b]", "labels: &x [a, *x]")),
    Case("YAML tag", "task.yaml", task("type: classification", "type: !!python/object:os.system x")),
    Case("wrong type", "k", task("{path: shots.jsonl}", "{path: shots.jsonl, k: many}")),
    Case("wrong version", "version", task("version: 1", "version: 99")),
    Case("unknown task type", "classification", task("type: classification", "type: clasification")),
    Case("unknown metric", "exact_match", task("systems:", "metric: exact_mach\nsystems:")),
    Case("a metric file that is missing", "own.py", task("systems:", "metric: own.py:score\nsystems:")),
    Case("unknown system", "majority", task("[majority]", "[majorty]")),
    Case("secret in the file", "api_key", task("systems:", "knowledge: {llm: {base_url: 'http://x', model: m, api_key: sk-aaaaaaaaaaaaaaaaaaaa}}\nsystems:")),
    Case("missing rows file", "shots.jsonl", {"shots.jsonl": None}),
    Case("empty rows file", "the file is empty", {"shots.jsonl": b""}),
    Case("binary rows file", "shots.jsonl", {"shots.jsonl": bytes(range(256)) * 9}),
    Case("truncated last row", "shots.jsonl:10", {"shots.jsonl": lines(GOOD)[:-9]}),
    Case("a row of another shape", "shots.jsonl:11", {"shots.jsonl": lines(GOOD) + b"[1, 2]\n"}),
    Case("a field of the wrong type", "shots.jsonl:11", {"shots.jsonl": lines([*GOOD, {"text": {"a": 1}, "label": "a"}])}),
    Case("fields that fit no format", "expected", {"shots.jsonl": lines([{"foo": "1", "bar": "2"}])}),
    Case("bytes that are not UTF-8", "UTF-8", {"shots.jsonl": lines(GOOD) + b'{"text": "\xff", "label": "a"}\n'}),
    Case("truncated Parquet", "shots.parquet", task("shots.jsonl", "shots.parquet") | {"shots.parquet": b"PAR1abc"}),
    Case("an unknown label", "shots.jsonl:11", {"shots.jsonl": lines([*GOOD, {"text": "z", "label": "c"}])}),
    Case("shots of one class", "class", {"shots.jsonl": lines([row for row in GOOD if row["label"] == "a"])}),
    Case("one row", "class", {"shots.jsonl": lines(GOOD[:1])}),
    Case("k above the rows", "k is 50", task("{path: shots.jsonl}", "{path: shots.jsonl, k: 50}")),
    Case("k of zero", "k", task("{path: shots.jsonl}", "{path: shots.jsonl, k: 0}")),
    Case("test rows without answers", "test.jsonl:1", {"test.jsonl": lines([{"text": row["text"], "label": ""} for row in TEST])}),
    Case("a test row among the shots", "shots", {"test.jsonl": lines([*TEST, GOOD[0]])}),
    Case("missing test file", "test.jsonl", {"test.jsonl": None}),
    Case("missing bank", "bank", task("systems:", "model: {base: ./base}\nknowledge: {adapters: [./bank]}\nsystems:")),
    Case("missing base", "base", task("systems:", "model: {base: ./base}\nsystems:")),
    Case("a base that is no model", "config.json", task("systems: [majority]", "model: {base: ./task-base}\nsystems: [zero-shot]") | {"task-base/x": b""}),
    Case("a file for the run folder", "run", {"run": b"x"}),
    Case("a run folder of other things", "not empty", {"run/thesis.tex": b"x"}),
    Case("no such miniature", "single", {}, ("run", "miniature:nothing", "--out", "run")),
    Case("validate without a file", "nothing.yaml", {}, ("validate", "nothing.yaml")),
    Case("audit of a missing bank", "nothing", {}, ("bank", "audit", "nothing", "--base", ".")),
    Case("scan of an empty bank", "empty", {"empty/readme": b""}, ("bank", "scan", "empty")),
    Case("predict without a run", "no run", {}, ("predict", "nowhere", "majority", "test.jsonl")),
    Case("compare of one file", "two", {}, ("compare", "test.jsonl")),
    Case("compare of other rows", "id, prediction and answer", {}, ("compare", "test.jsonl", "shots.jsonl")),
    Case("init over a task", "there already", {}, ("init", ".")),
    Case("an unknown verb", "", {}, ("fly",)),
    Case("a wrong option", "", {}, ("run", "task.yaml", "--k", "many")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files: dict[str, bytes | None] = {
        "task.yaml": TASK.encode(),
        "shots.jsonl": lines(GOOD),
        "test.jsonl": lines(TEST),
    }
    for name, content in (files | case.files).items():
        if content is not None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["kshot", *case.arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2, error
    assert case.says in error
    assert "Traceback" not in error
    assert "sk-aaaa" not in error
    told = [line for line in error.splitlines() if line.startswith("kshot: ")]
    assert len(told) <= 1
    after = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path).parts[0] for path in after - before} <= {"run"}
    assert not [path for path in after - before if "partial" in path.name or "report" in path.name]


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a verb in a folder with a good task; gives the exit code."""
    for name, content in {
        "task.yaml": TASK.encode(),
        "shots.jsonl": lines(GOOD),
        "test.jsonl": lines(TEST),
    }.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["kshot", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0)

    return run


def test_the_good_task_is_good(good: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert good("run", "task.yaml", "--out", "run") == 0
    out = capsys.readouterr().out
    assert "report: run/report.html" in out
    assert good("validate", "task.yaml") == 0
    assert "rows of text_label, 10 rows" in capsys.readouterr().out
    assert good("predict", "run", "majority", "test.jsonl") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(TEST)
    assert good("compare", "run/predictions/majority.jsonl", "run/predictions/majority.jsonl") == 0
    capsys.readouterr()
    assert good("run", "task.yaml", "--out", "run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["task"]["k"] == 10


def test_ten_thousand_rows(
    good: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": f"held out number {i} é 🐎 \u2028", "label": "ab"[i % 2]} for i in range(10_000)]
    (tmp_path / "test.jsonl").write_bytes(lines(rows))
    assert good("run", "task.yaml", "--out", "run", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["task"]["n_test"] == 10_000
