"""``kshot train``: from files to a folder, in words that name the option to mend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kshot import miniature
from kshot.cli.train import train
from kshot.errors import InputError

TASKS = miniature.data_folder() / "tasks"
BASE = ["--base", str(miniature.base_folder()), "--instruction", "translate the trade words"]
QUICK = ["--epochs", "2", "--batch-size", "8"]

app = typer.Typer()
app.command()(train)


def kshot(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """rows.jsonl, test.jsonl, general.jsonl."""
    folder = tmp_path_factory.mktemp("rows")
    for name, source, count in (
        ("rows", "single/shots", 20),
        ("test", "single/test", 6),
        ("general", "echo/shots", 6),
    ):
        lines = (TASKS / f"{source}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        plain = [{key: row[key] for key in ("prompt", "answer")} for row in map(json.loads, lines)]
        text = "".join(json.dumps(row) + "\n" for row in plain)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_auto_prints_what_was_chosen_and_what_it_scores(files: Path, tmp_path: Path) -> None:
    done = kshot(
        files / "rows.jsonl", *BASE, *QUICK, "--out", tmp_path / "mix", "--keep-general", "auto",
        "--general", files / "general.jsonl", "--general-instruction", "repeat the words",
        "--test", files / "test.jsonl", "--alpha-step", "0.5",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    for part in ("chosen on held-back and general rows", "selection scores, no evidence", "held out", "Holm"):
        assert part in done.stdout
    assert json.loads((tmp_path / "mix/elastic.json").read_text())["rows"]["learned"] == 15


def test_a_lora_by_a_given_share_as_json(files: Path, tmp_path: Path) -> None:
    done = kshot(
        files / "rows.jsonl", *BASE, *QUICK, "--out", tmp_path / "mix", "--lora", "--rank", 2,
        "--keep-general", "0.5", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["alpha"], told["method"], told["inputs"]["settings"]["rank"]) == (0.5, "lora", 2)
    assert (tmp_path / "mix/adapter_config.json").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--keep-general", "much"], "expected a number from 0 to 1, or auto"),
        (["--keep-general", "auto"], "give --general FILE"),
        (["--keep-general", "2"], "from 0 to 1"),
        (["--rank", "4"], "give --lora"),
        (["--merge"], "--full"),
        (["--alpha-step", "0"], "from 0.01 to 1"),
        (["--metric", "macro_f1"], "no number for each row"),
        (["--epochs", "0"], "expected a positive number"),
        (["--test", "EMPTY"], "the file is empty"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    files: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    given = [str(empty) if word == "EMPTY" else word for word in words]
    done = kshot(files / "rows.jsonl", *BASE, "--out", tmp_path / "out", *given)
    assert isinstance(done.exception, InputError)
    assert sentence in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_an_empty_file_of_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").touch()
    done = kshot(tmp_path / "rows.jsonl", *BASE, "--out", tmp_path / "out")
    assert "the file is empty" in str(done.exception)
