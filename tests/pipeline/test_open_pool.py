"""Open rows are guarded first, embedded once, and never all held."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kshot.data.example import Example, Message
from kshot.data.task import Task
from kshot.errors import DataError
from kshot.models.base import Floats
from kshot.models.embed.hashing import HashingEncoder
from kshot.models.embed.store import EmbeddingStore
from kshot.pipeline.open_pool import (
    dataset_files,
    embed_pool,
    guard_pool,
    pool_of,
    protected_rows,
    read_rows,
    retrieval_text,
)

SHOTS = (Example("Where does the Danube rise?", "Germany"), Example("Where does the Rhine end?", "Rotterdam"))
TEST = (Example("Which river runs through Vienna?", "the Danube"),)


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(prompt: str, answer: str = "yes") -> dict[str, str]:
    return {"prompt": prompt, "answer": answer}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, ...]:
    one = [
        row("Name a bird."),
        row("Where does the Danube rise?", "in the Black Forest"),
        row("Is snow white?", " "),
        row("Name a fish."),
    ]
    two = [row("Name a bird."), row("WHICH river runs through  Vienna?"), row("Name a bird.", "no")]
    return write(tmp_path / "a" / "rows.jsonl", one), write(tmp_path / "b" / "rows.jsonl", two)


def test_each_row_that_falls_has_its_reason_and_the_others_stay(files: tuple[Path, ...]) -> None:
    found = guard_pool(files, {"shots": SHOTS, "test": TEST})
    assert found.kept.tolist() == [0, 3, 6]
    told = {drop.index: (drop.reason, drop.neighbour) for drop in found.dropped}
    assert told == {
        1: ("shots: equal", 0),
        2: ("no answer", None),
        4: ("repeats an earlier row", 0),
        5: ("test: equal", 0),
    }
    assert sum(found.counts().values()) + len(found.kept) == len(found.keys) == 7


def test_files_of_one_name_are_told_apart(files: tuple[Path, ...], tmp_path: Path) -> None:
    sources = [row.source for row in read_rows(files)]
    assert sources[0] == f"{files[0]}:1"
    assert sources[4] == f"{files[1]}:1"
    assert next(iter(read_rows(files[:1]))).source == "rows.jsonl:1"


def test_a_folder_stands_for_its_files_of_rows(files: tuple[Path, ...], tmp_path: Path) -> None:
    (files[0].parent / "README.md").write_text("not rows")
    later = write(files[0].parent / "later.jsonl", [row("x")])
    assert dataset_files([files[0].parent, files[1], files[0]]) == (later, files[0], files[1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no file of rows in this folder"):
        dataset_files([tmp_path / "empty"])
    with pytest.raises(DataError, match="kshot fetches no datasets"):
        dataset_files(["owner/dataset"])


def test_no_datasets_at_all_are_told() -> None:
    with pytest.raises(DataError, match="knowledge: datasets"):
        guard_pool((), {"shots": SHOTS})


@pytest.mark.parametrize("change", ["other row", "one less", "one more"])
def test_a_file_that_changes_between_two_readings_is_told(files: tuple[Path, ...], change: str) -> None:
    found = guard_pool(files[:1], {"shots": SHOTS})
    lines = files[0].read_text().splitlines()
    lines = {"other row": [*lines[:3], json.dumps(row("new"))], "one less": lines[:3]}.get(
        change, [*lines, json.dumps(row("new"))]
    )
    files[0].write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"the file was (changed|cut) while it was read"):
        list(found.rows())


class Counting:
    """The hashing encoder, which notes what it was asked for."""

    def __init__(self) -> None:
        self._encoder = HashingEncoder(64)
        self.asked: list[str] = []
        self.id, self.dim = self._encoder.id, self._encoder.dim

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        return self._encoder.encode(texts)


def test_rows_are_embedded_once_and_guarded_ones_never(files: tuple[Path, ...], tmp_path: Path) -> None:
    guarded = guard_pool(files, {"shots": SHOTS, "test": TEST})
    first, second = Counting(), Counting()
    pool = embed_pool(guarded, EmbeddingStore(tmp_path / "store", first))
    assert first.asked == ["Name a bird.\nyes", "Name a fish.\nyes", "Name a bird.\nno"]
    again = embed_pool(guarded, EmbeddingStore(tmp_path / "store", second))
    assert second.asked == []
    np.testing.assert_array_equal(pool.vectors.vectors[0:3], again.vectors.vectors[0:3])
    expected = HashingEncoder(64).encode(first.asked).astype(np.float16)
    np.testing.assert_array_equal(pool.vectors.vectors[0:3], expected)
    assert pool.vectors.keys.tolist() == guarded.keys[guarded.kept].tolist()


def test_the_same_parts_are_embedded_of_shots_and_pool() -> None:
    bare = Example("dretem slupix", "pearl leaf", reasoning="dretem is pearl")
    pooled = Example("Translate.\ndretem slupix", "pearl leaf\ndretem is pearl")
    record = "Translate.\ndretem slupix\npearl leaf\ndretem is pearl"
    for example in (bare, pooled):
        assert retrieval_text(example, instruction="Translate.") == record
        assert retrieval_text(example, instruction="Translate.", text="question") == "dretem slupix"
    whole = Example(
        "And Peru?",
        "Lima",
        choices=("Lima", "Rome"),
        system="Be brief.",
        history=(Message("user", "France?"), Message("assistant", "Paris")),
    )
    assert retrieval_text(whole) == "Be brief.\nFrance?\nParis\nAnd Peru?\nLima\nRome\nLima"
    assert (
        retrieval_text(Example("Translate.", "x"), instruction="Translate.", text="question") == "Translate."
    )


def task(tmp_path: Path, **changes: Any) -> Task:
    write(tmp_path / "shots.jsonl", [row(f"question {n} of many", str(n)) for n in range(12)])
    write(tmp_path / "test.jsonl", [row(f"held out number {n}", str(n)) for n in range(3)])
    write(tmp_path / "pool.jsonl", [row(f"open row {n * n}", str(n)) for n in range(9)])
    settings = {
        "version": 1,
        "task": {"type": "generation", "instruction": "Answer."},
        "examples": {"path": "shots.jsonl", "k": 5},
        "test": "test.jsonl",
        "knowledge": {"datasets": ["pool.jsonl"]},
    } | changes
    settings = {key: value for key, value in settings.items() if value is not None}
    (tmp_path / "task.yaml").write_text(json.dumps(settings))
    return Task.load(tmp_path / "task.yaml")


def test_shots_test_rows_and_undrawn_rows_are_all_protected(tmp_path: Path) -> None:
    groups = protected_rows(task(tmp_path))
    assert {name: len(rows) for name, rows in groups.items()} == {"shots": 5, "test": 3, "labelled": 7}


def test_under_folds_every_labelled_row_is_protected(tmp_path: Path) -> None:
    folded = task(tmp_path, test=None, examples={"path": "shots.jsonl"})
    assert {name: len(rows) for name, rows in protected_rows(folded).items()} == {"shots": 12}
    asked = {row.question for split in folded.splits() for row in (*split.shots, *split.test)}
    assert asked == {row.question for row in protected_rows(folded)["shots"]}


def test_a_task_given_as_rows_has_no_file_to_read() -> None:
    made = Task.from_examples({"task": {"type": "generation"}}, SHOTS, TEST)
    assert {name: len(rows) for name, rows in protected_rows(made).items()} == {"shots": 2, "test": 1}


@pytest.mark.parametrize(("kind", "text"), [("generation", "question"), ("classification", "record")])
def test_by_default_closed_answers_are_embedded_and_free_ones_are_not(
    tmp_path: Path, kind: str, text: str
) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    pool = pool_of(
        task(tmp_path, task={"type": kind, "instruction": "Answer."}, examples={"path": "shots.jsonl"}),
        HashingEncoder(64),
        folder=tmp_path / "stores",
        listener=lambda event, **fields: told.append((event, fields)),
    )
    assert (pool.text, pool.instruction, len(pool.vectors)) == (text, "Answer.", 9)
    assert told[-1] == ("data", {"stage": "embed", "rows": 9, "of": 9})


def test_each_encoder_has_a_store_of_its_own(tmp_path: Path) -> None:
    made = task(tmp_path)
    for dim in (32, 64):
        pool_of(made, HashingEncoder(dim), folder=tmp_path / "stores")
    assert len(list((tmp_path / "stores").iterdir())) == 2
