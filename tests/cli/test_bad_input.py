"""Bad input of every kind: exit code 2, one clear message, and no half-written file."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kshot.cli import main
from kshot.runs import MARK, SIZES

STARTED = {".lock", MARK, "events.jsonl"}
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
    """What is changed in a good task, the verb that meets it, what the message must say, in how many lines."""

    name: str
    says: str
    files: dict[str, bytes | None] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("run", "task.yaml", "--out", "run")
    findings: int = 1


def task(old: str, new: str) -> dict[str, bytes | None]:
    assert old in TASK
    return {"task.yaml": TASK.replace(old, new).encode()}


CASES = [
    Case("empty task file", "task.yaml: the file is empty; `kshot init DIR` writes a task", {"task.yaml": b""}),
    Case("binary task file", "task.yaml:2: the bytes are no UTF-8", {"task.yaml": bytes(range(256))}),
    Case("no task file", "task.yaml: there is no such file or folder", {"task.yaml": None}),
    Case("a folder for a task file", ".: this is a folder; give the task file in it", {}, ("run", ".", "--out", "run")),
    Case("YAML syntax", "task.yaml:2: this is no valid YAML", task("{type: classification, labels", "{type: classification, labels: [")),
    Case("unknown key", "task.yaml:3: unknown key 'exampels'; did you mean 'examples'?", task("examples:", "exampels:"), findings=2),
    Case("unknown inner key", "task.yaml:3: unknown key 'pth' under 'examples'; did you mean 'path'?", task("{path: shots.jsonl}", "{pth: shots.jsonl}"), findings=2),
    Case("key twice", "task.yaml:2: key 'version' stands twice (first in line 1)", task("version: 1\n", "version: 1\nversion: 1\n")),
    Case("YAML alias loop", "task.yaml:2: anchors (&) and aliases (*) are not allowed", task("labels: [a, b]", "labels: &x [a, *x]")),
    Case("YAML tag", "task.yaml:2: tags (!) are not allowed", task("type: classification", "type: !!python/object:os.system x")),
    Case("wrong type", "task.yaml:3: examples.k is 'many', expected a whole number", task("{path: shots.jsonl}", "{path: shots.jsonl, k: many}")),
    Case("wrong version", "task.yaml:1: version is 99, expected 1", task("version: 1", "version: 99")),
    Case("unknown task type", "task.type is 'clasification', expected classification, choice,", task("type: classification", "type: clasification")),
    Case("unknown metric", "metric 'exact_mach' does not exist; did you mean 'exact_match'?", task("systems:", "metric: exact_mach\nsystems:")),
    Case("a metric file that is missing", "metric 'own.py:score': there is no such file", task("systems:", "metric: own.py:score\nsystems:")),
    Case("unknown system", "'majorty' is no system for this task; there are: majority,", task("[majority]", "[majorty]")),
    Case("secret in the file", "the value of 'knowledge.llm.api_key' looks like a secret key", task("systems:", "knowledge: {llm: {base_url: 'http://x', model: m, api_key: sk-aaaaaaaaaaaaaaaaaaaa}}\nsystems:")),
    Case("missing rows file", "task.yaml:3: 'shots.jsonl': there is no such file", {"shots.jsonl": None}),
    Case("empty rows file", "shots.jsonl: the file is empty; expected rows", {"shots.jsonl": b""}),
    Case("binary rows file", "shots.jsonl: this is a binary file", {"shots.jsonl": bytes(range(256)) * 9}),
    Case("truncated last row", "shots.jsonl:10: this is no valid JSON", {"shots.jsonl": lines(GOOD)[:-9]}),
    Case("a row of another shape", "shots.jsonl:11: found a list, expected one JSON object a line", {"shots.jsonl": lines(GOOD) + b"[1, 2]\n"}),
    Case("a field of the wrong type", "shots.jsonl:11: field 'text' is an object, expected text", {"shots.jsonl": lines([*GOOD, {"text": {"a": 1}, "label": "a"}])}),
    Case("fields that fit no format", "shots.jsonl: no row format fits; columns found: bar, foo", {"shots.jsonl": lines([{"foo": "1", "bar": "2"}])}),
    Case("bytes that are not UTF-8", "shots.jsonl:11: the bytes are no UTF-8", {"shots.jsonl": lines(GOOD) + b'{"text": "\xff", "label": "a"}\n'}),
    Case("truncated Parquet", "shots.parquet: the Parquet file is cut off or damaged", task("shots.jsonl", "shots.parquet") | {"shots.parquet": b"PAR1abc"}),
    Case("an unknown label", "shots.jsonl:11: label 'c' is none of a, b", {"shots.jsonl": lines([*GOOD, {"text": "z", "label": "c"}])}),
    Case("shots of one class", "all 5 shots have the label 'a'; classification needs at least two", {"shots.jsonl": lines([row for row in GOOD if row["label"] == "a"])}),
    Case("one row", "all 1 shots have the label 'a'; classification needs at least two", {"shots.jsonl": lines(GOOD[:1])}),
    Case("k above the rows", "k is 50, but the file has 10 different rows", task("{path: shots.jsonl}", "{path: shots.jsonl, k: 50}")),
    Case("k of zero", "task.yaml:3: examples.k is 0, expected a number greater", task("{path: shots.jsonl}", "{path: shots.jsonl, k: 0}")),
    Case("test rows without answers", "test.jsonl:1: the row has no answer", {"test.jsonl": lines([{"text": row["text"], "label": ""} for row in TEST])}, findings=4),
    Case("a test row among the shots", "shots.jsonl:1 asks the same as test.jsonl:7", {"test.jsonl": lines([*TEST, GOOD[0]])}),
    Case("missing test file", "task.yaml:4: 'test.jsonl': there is no such file", {"test.jsonl": None}),
    Case("missing bank", "task.yaml:6: './bank': there is no such file", task("systems:", "model: {base: ./base}\nknowledge: {adapters: [./bank]}\nsystems:"), findings=2),
    Case("missing base", "task.yaml:5: './base': there is no such file", task("systems:", "model: {base: ./base}\nsystems:")),
    Case("a base that is no model", "task-base: config.json is missing", task("systems: [majority]", "model: {base: ./task-base}\nsystems: [zero-shot]") | {"task-base/x": b""}),
    Case("a file for the run folder", "run: a file stands where the run folder should be", {"run": b"x"}),
    Case("a run folder of other things", "run: the folder is not empty and holds no run", {"run/thesis.tex": b"x"}),
    Case("no such miniature", "miniature task 'nothing' does not exist; expected one of single,", {}, ("run", "miniature:nothing", "--out", "run")),
    Case("validate without a file", "nothing.yaml: there is no such file", {}, ("validate", "nothing.yaml")),
    Case("audit of a missing bank", "nothing: no such folder of adapters", {}, ("bank", "audit", "nothing", "--base", ".")),
    Case("scan of an empty bank", "empty: no adapter folder in it", {"empty/readme": b""}, ("bank", "scan", "empty")),
    Case("a name that is too long", "so long a name", {}, ("bank", "scan", "x" * 300)),
    Case("predict without a run", "nowhere: no run lies here", {}, ("predict", "nowhere", "majority", "test.jsonl")),
    Case("predict into a missing folder", "missing: there is no such folder; make it", {}, ("predict", "run", "majority", "test.jsonl", "--out", "missing/x.jsonl")),
    Case("predict into a folder", "--out: 'empty' is a folder; give a file", {"empty/x": b""}, ("predict", "run", "majority", "test.jsonl", "--out", "empty")),
    Case("predict under a file", "test.jsonl: this is a file, and no folder", {}, ("predict", "run", "majority", "test.jsonl", "--out", "test.jsonl/x")),
    Case("compare of one file", "give at least two predictions files", {}, ("compare", "test.jsonl")),
    Case("compare of other rows", "test.jsonl:1: expected an object with id, prediction and answer", {}, ("compare", "test.jsonl", "shots.jsonl"), findings=4),
    Case("compare with an empty label", "--labels: 'a,,b' has an empty label", {}, ("compare", "test.jsonl", "test.jsonl", "--labels", "a,,b")),
    Case("compare with no label", "--labels: '' has an empty label", {}, ("compare", "test.jsonl", "test.jsonl", "--labels", "")),
    Case("init over a task", "task.yaml: is there already; choose another folder", {}, ("init", ".")),
    Case("an unknown verb", "No such command 'fly'; see `", {}, ("fly",)),
    Case("an unknown option", "No such option: --nope; see `", {}, ("--nope",)),
    Case("an argument missing", "Missing argument 'TASK'; see `", {}, ("run",)),
    Case("a wrong option", "Invalid value for '--k': ", {}, ("run", "task.yaml", "--k", "many")),
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
    out, error = capsys.readouterr()
    assert stop.value.code == 2, error
    assert "Traceback" not in error
    assert "sk-aaaa" not in error
    told = [line for line in error.splitlines() if not line.startswith("{")]
    assert told[0].startswith("kshot: ")
    assert len(told) == case.findings, error
    assert case.says in "\n".join(told)
    assert all(is_sentence(line) for line in told), error
    assert out == ""
    after = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    left = after - {path.relative_to(tmp_path) for path in before}
    assert {path.parts[0] for path in left} <= {"run"}
    assert all((path.parent == Path("run") and path.name in STARTED) or in_whole_step(path) for path in left)


def is_sentence(line: str) -> bool:
    """A message is words on one line: no blank ends, no repr of an exception, no full stop in its middle."""
    return line == line.strip() and len(line.split()) >= 4 and not re.search(r"Error\(|\.;|\.\.;|^\W*$", line)


def in_whole_step(path: Path) -> bool:
    """Whether a file of a run folder belongs to a step that was finished."""
    if path.parts[:2] != ("run", "steps") or len(path.parts) < 5:
        return False
    step = Path(*path.parts[:4])
    return not step.name.startswith(".") and all((step / name).is_file() for name in ("inputs.json", SIZES))


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
