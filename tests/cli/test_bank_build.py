"""``bank build`` and ``bank recipe`` on the command line."""

import json
from pathlib import Path

import pytest

from kshot import miniature
from kshot.cli import bank_build


def write(folder: Path) -> Path:
    rows = [json.loads(line) for line in miniature.open_rows().read_text().split("\n")[:30]]
    kept = [{key: row[key] for key in ("instruction", "input", "output")} for row in rows]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    recipe = {
        "training": {"steps": 1, "rank": 2},
        "datasets": [
            {"name": "good", "path": "rows.jsonl"},
            {"name": "bad", "path": "rows.jsonl", "format": "sharegpt"},
        ],
    }
    (folder / "bank.yaml").write_text(json.dumps(recipe))
    return folder / "bank.yaml"


def test_a_build_says_what_failed_and_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, base = str(write(tmp_path)), str(miniature.base_folder())
    assert bank_build.build(recipe, base, tmp_path / "bank") == 1
    out = capsys.readouterr().out
    assert "1 built, 0 kept, 1 failed" in out
    assert "failed: bad: rows.jsonl: no row format fits" in out
    assert bank_build.build(recipe, base, tmp_path / "bank", only=["good"], as_json=True) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["adapters"]] == ["good"]


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(write(tmp_path))
    assert bank_build.build(recipe, str(miniature.base_folder()), tmp_path / "bank", dry_run=True) == 0
    assert (
        capsys.readouterr().out
        == "build  good: rows.jsonl\nbuild  bad: rows.jsonl\nnothing leaves this machine\n"
    )
    assert not (tmp_path / "bank").exists()


def test_the_paper_s_recipe_is_printed_as_it_ships(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from kshot.pipeline.bank_build import load_recipe

    bank_build.recipe()
    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out)
    assert load_recipe(tmp_path / "mine.yaml").entries == load_recipe("paper").entries
