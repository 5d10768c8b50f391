"""Files of datasets: local ones, those of the hub as its client gives them, and what leaves the machine."""

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from kshot.errors import DataError
from kshot.pipeline.bank_build import BankRecipe, load_recipe
from kshot.pipeline.bank_build.sources import find_source, leaving, local_identity

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def recipe_of(folder: Path, **entry: Any) -> BankRecipe:
    given = {"name": "x", "columns": {"input": "{q}", "output": "{a}"}} | entry
    (folder / "bank.yaml").write_text(json.dumps({"datasets": [given]}))
    return load_recipe(folder / "bank.yaml")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A snapshot as the hub's client lays it out, with two parts and a file of another split."""
    snapshot = tmp_path / "snapshots" / COMMIT
    for name in (
        "main/train/0001.parquet",
        "main/train/0000.parquet",
        "main/test/0000.parquet",
        "raw/a.jsonl",
    ):
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).write_text('{"q": "x", "a": "y"}\n')
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(snapshot))
    return snapshot


def test_the_parquet_version_of_a_split_with_its_commit_and_hashes(hub: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, hub="a/b", config="main")
    found = find_source(recipe, recipe.jobs()[0])
    assert [name for name, _ in found.sha256] == ["main/train/0000.parquet", "main/train/0001.parquet"]
    assert found.revision == COMMIT
    assert local_identity(recipe, recipe.jobs()[0]) is None


def test_files_by_name(hub: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, hub="a/b", files="raw/*.jsonl")
    assert find_source(recipe, recipe.jobs()[0]).files == (hub / "raw/a.jsonl",)


def test_a_split_that_is_not_there(hub: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, hub="a/b", config="mian")
    with pytest.raises(DataError, match=r"has no file like mian/train/\*.parquet .*\(fetched: main, raw\)"):
        find_source(recipe, recipe.jobs()[0])


def test_a_hub_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    recipe = recipe_of(tmp_path, hub="nobody/nothing-of-this-name")
    with pytest.raises(DataError, match="hub dataset 'nobody/nothing-of-this-name' could not be fetched"):
        find_source(recipe, recipe.jobs()[0])


def test_a_local_file_that_went_away(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    recipe = recipe_of(tmp_path, path="rows.jsonl")
    before = local_identity(recipe, recipe.jobs()[0])
    (tmp_path / "rows.jsonl").write_text("{} \n")
    assert local_identity(recipe, recipe.jobs()[0]) != before
    (tmp_path / "rows.jsonl").unlink()
    with pytest.raises(DataError, match=r"rows.jsonl: the file cannot be read"):
        find_source(recipe, recipe.jobs()[0])


def test_what_leaves_is_said_once_and_local_places_are_not_named(tmp_path: Path) -> None:
    jobs = load_recipe("paper").jobs()[:4]
    assert leaving(str(tmp_path), jobs) == [
        "the name of the dataset 'allenai/ai2_arc', asked of the hub (no rows)",
    ]
    assert leaving("owner/base", ()) == [
        "the name of the base model 'owner/base', asked of the hub (no rows)"
    ]
