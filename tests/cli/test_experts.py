"""``kshot experts`` end to end on two adapters of the miniature."""

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from kshot import miniature
from kshot.cli.experts import experts
from kshot.errors import InputError

app = typer.Typer()
app.command()(experts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task with six shots and a bank of two experts and one of NaN."""
    place = tmp_path_factory.mktemp("experts")
    for name in ("mason-lora", "smith-lora", "chandler-trade"):
        shutil.copytree(miniature.bank_folder() / name, place / "bank" / name)
    lines = (miniature.task_file("mixed").parent / "mixed" / "shots.jsonl").read_text().split("\n")
    (place / "shots.jsonl").write_text("\n".join(lines[:6]) + "\n")
    (place / "test.jsonl").write_text("\n".join(lines[6:8]) + "\n")
    settings = {
        "version": 1,
        "task": {"type": "generation", "instruction": "translate the trade words"},
        "examples": {"path": "shots.jsonl"},
        "test": "test.jsonl",
        "model": {"base": str(miniature.base_folder()), "max_new_tokens": 8},
        "knowledge": {"adapters": ["bank"]},
    }
    (place / "task.yaml").write_text(json.dumps(settings))
    return place


def ask(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [str(folder / "task.yaml"), "--run", str(folder / "run"), *arguments])


def test_the_table_marks_the_chosen_and_says_why_not(folder: Path) -> None:
    found = ask(folder, "--size", "1", "--rule", "accuracy")
    assert found.exit_code == 0, found.output
    rows = {line.split()[1]: line for line in found.stdout.splitlines() if line.startswith("*")}
    assert len(rows) == 1
    assert "place 2 by accuracy" in found.stdout
    assert "chandler-trade" in found.stdout
    assert "holds NaN" in found.stdout
    assert "chosen by accuracy: " in found.stdout


def test_json_and_a_file_hold_the_same(folder: Path) -> None:
    out = folder / "experts.json"
    found = ask(folder, "--size", "1", "--pool", "2", "--json", "--out", str(out), "--exclude", "smith-lora")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told == json.loads(out.read_text())
    assert told["chosen"] == ["mason-lora"]
    assert told["chosen_if_none_excluded"] is not None


def test_what_is_wrong_is_said_before_anything_is_scored(folder: Path) -> None:
    for arguments, words in (
        (("--rule", "best"), "expected one of coverage, paper"),
        (("--out", str(folder)), "is a folder"),
    ):
        found = ask(folder, *arguments)
        assert isinstance(found.exception, InputError)
        assert words in str(found.exception)
    assert ask(folder, "--size", "0").exit_code == 2
