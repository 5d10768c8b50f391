"""``kshot data``: with a task, and with files alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from kshot.cli.data import data
from kshot.errors import InputError

app = typer.Typer()
app.command("data")(data)


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def write(path: Path, prompts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"prompt": p, "answer": "yes"}) + "\n" for p in prompts))
    return path


def test_a_task_chooses_from_its_datasets(tmp_path: Path) -> None:
    out = tmp_path / "out"
    printed = run("miniature:mixed", "--out", out, "--count", "300", "--similarity", "round_robin")
    told = json.loads((out / "choice.json").read_text())
    assert told["asked"] | {"count": 300, "similarity": "round_robin"} == told["asked"]
    assert f"{told['counts']['chosen']}" in printed
    assert len((out / "chosen.jsonl").read_text().splitlines()) == told["counts"]["chosen"]
    assert list((out / "embeddings").iterdir())


def test_files_alone_will_do_and_the_guard_holds(tmp_path: Path) -> None:
    shots = write(tmp_path / "shots.jsonl", ["Which bird sings at dawn?", "Is grass green?"])
    test = write(tmp_path / "test.jsonl", ["Is the rose red?"])
    pool = write(
        tmp_path / "pool.jsonl", ["Is the rose red?", "Which bird sings best?", "How many legs has a cow?"]
    )
    printed = run(
        "--shots", shots, "--pool", pool, "--guard", test,
        "--out", tmp_path / "out", "--count", "1", "--json", "--store", tmp_path / "vectors",
    )  # fmt: skip
    told = json.loads(printed)
    assert [row["source"] for row in told["chosen"]] == ["pool.jsonl:2"]
    assert told["counts"] == {"read": 3, "chosen": 1, "guard: equal": 1, "not among the nearest": 1}
    assert (tmp_path / "vectors").is_dir()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a task file, or --shots FILE and --pool FILE"),
        (("miniature:mixed", "--shots", "x"), "give a task file, or"),
        (("miniature:mixed", "--pool", "x"), "--shots and --pool go together"),
        (("--shots", "x"), "--shots and --pool go together"),
        (("miniature:mixed", "--text", "all"), "--text is 'all', expected one of auto, record, question"),
        (("miniature:mixed", "--similarity", "best"), "similarity is 'best'"),
        (("miniature:nothing",), "miniature task 'nothing' does not exist"),
    ],
)
def test_what_cannot_be_done_is_told_before_any_work(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = [*arguments, "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=message):
        CliRunner().invoke(app, given, catch_exceptions=False)
    assert not (tmp_path / "out").exists()


def test_a_task_without_datasets_is_told(tmp_path: Path) -> None:
    write(tmp_path / "shots.jsonl", [f"question {n}" for n in range(6)])
    write(tmp_path / "test.jsonl", ["one", "two"])
    (tmp_path / "task.yaml").write_text(
        json.dumps(
            {"version": 1, "task": {"type": "generation"}, "examples": "shots.jsonl", "test": "test.jsonl"}
            | {"examples": {"path": "shots.jsonl"}}
        )
    )
    with pytest.raises(InputError, match="no open datasets are given"):
        CliRunner().invoke(
            app, [str(tmp_path / "task.yaml"), "--out", str(tmp_path / "out")], catch_exceptions=False
        )
