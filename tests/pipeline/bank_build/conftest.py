"""A small bank built once: two datasets of the miniature's open rows, one whose columns do not fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kshot import miniature
from kshot.pipeline.bank_build import BankBuilt, build_bank, load_recipe

TRAINING = {"steps": 4, "rank": 4, "learning_rate": 5e-3, "batch_size": 8, "accumulation": 1}
WriteRecipe = Callable[..., Path]
Events = list[dict[str, Any]]


def datasets() -> list[dict[str, Any]]:
    """Entries of the recipe, in its order: good, broken, good."""
    columns = {"instruction": "{instruction}", "input": "{input}", "output": "{meaning}"}
    return [
        {"name": "words", "path": "words.jsonl", "licence": "cc0-1.0", "note": "Words of | trades."},
        {"name": "broken", "path": "words.jsonl", "columns": {"input": "{question}", "output": "{answer}"}},
        {"name": "meanings", "path": "meanings.jsonl", "columns": columns},
    ]


def write_recipe(folder: Path, entries: list[dict[str, Any]] | None = None, **top: Any) -> Path:
    """Rows and a recipe beside them."""
    folder.mkdir(exist_ok=True)
    rows = [json.loads(line) for line in miniature.open_rows().read_text().split("\n")[:120]]
    kept = [{key: row[key] for key in ("instruction", "input", "output")} for row in rows]
    (folder / "words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept[:60]))
    renamed = [{"meaning": row.pop("output"), **row} for row in kept[60:]]
    (folder / "meanings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in renamed))
    recipe = {"training": TRAINING, "datasets": datasets() if entries is None else entries} | top
    (folder / "bank.yaml").write_text(json.dumps(recipe))
    return folder / "bank.yaml"


def build(recipe: Path, out: Path, **options: Any) -> tuple[BankBuilt, Events]:
    """A build on the miniature's base, and what it told."""
    events: Events = []

    def listen(event: str, **fields: Any) -> None:
        events.append({"event": event, **fields})

    base = options.pop("base", miniature.base_folder())
    return build_bank(load_recipe(recipe), base=base, out=out, listener=listen, **options), events


def begun(events: Events) -> list[str]:
    """Names of the adapters whose training was begun."""
    return [e["name"] for e in events if e["event"] == "adapter" and e["state"] == "begun"]


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BankBuilt, Events]:
    """The folder of recipe and bank, what was built, and what was told. Copy it to change it."""
    folder = tmp_path_factory.mktemp("built")
    return (folder, *build(write_recipe(folder), folder / "bank"))
