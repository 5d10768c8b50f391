"""Cached vectors: used where encoder and key are the same, never otherwise, and never believed blindly."""

import fcntl
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kshot.errors import DataError
from kshot.methods.panda.pool import InsightPool, PoolHeader, embed_pool, open_vectors, prune, vectors
from kshot.methods.panda.records import Insight
from kshot.models.base import Embedder, Floats
from kshot.models.embed import HashingEncoder


class Counting:
    """An encoder that tells what it was asked for."""

    def __init__(self, dim: int = 64, *, revision: str = "", wrong: float | None = None) -> None:
        self.inner = HashingEncoder(dim)
        self.asked: list[str] = []
        self.revision = revision
        self.wrong = wrong

    @property
    def id(self) -> str:
        return self.inner.id

    @property
    def dim(self) -> int:
        return self.inner.dim

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        rows = self.inner.encode(texts)
        return rows if self.wrong is None else rows * np.float32(self.wrong)


def a_pool(*keys: str) -> InsightPool:
    return InsightPool(
        [Insight(row, key, "x", model=f"{row}") for row, key in enumerate(keys)], PoolHeader("t")
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    a_pool("a cat", "a dog", "a cat", "größer \ud83d").save(tmp_path / "pool")
    return tmp_path / "pool"


def opened(folder: Path, embedder: Embedder, **options) -> vectors.PoolVectors:
    return open_vectors(folder, InsightPool.load(folder), embedder, **options)


def plain_rows(pool: InsightPool, dim: int = 64) -> Floats:
    return HashingEncoder(dim).encode([insight.key for insight in pool])


def test_each_different_key_is_embedded_once_and_then_never_again(folder: Path):
    embedder = Counting()
    first = opened(folder, embedder)
    assert embedder.asked == ["a cat", "a dog", "größer \ud83d"]
    assert (first.encoded, first.notes) == (3, ())
    again = opened(folder, embedder)
    assert len(embedder.asked) == 3
    assert (again.encoded, again.notes) == (0, ())
    assert isinstance(again.rows, np.memmap)
    expected = plain_rows(InsightPool.load(folder))
    for rows in (first.rows, again.rows, embed_pool(InsightPool.load(folder), embedder).rows):
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, expected)
    listed = json.loads((folder / "embeddings.json").read_text())
    assert listed["ids"] == list(InsightPool.load(folder).ids)
    assert listed["encoder"]["id"] == embedder.id


def test_only_what_differs_is_embedded(folder: Path):
    opened(folder, Counting())
    pool = InsightPool.load(folder)
    changed = [replace(pool[1], key="a red dog"), *(pool[place] for place in (0, 2))]
    moved = [replace(insight, row=9 - insight.row) for insight in changed]
    InsightPool(moved, pool.header).save(folder, overwrite=True)
    embedder = Counting()
    found = opened(folder, embedder)
    assert embedder.asked == ["a red dog"]
    assert found.notes == ("1 of 2 keys are new or changed: they are embedded now",)
    np.testing.assert_array_equal(found.rows, plain_rows(InsightPool.load(folder)))
    again = opened(folder, embedder)
    assert again.encoded == 0
    np.testing.assert_array_equal(again.rows, found.rows)


def test_a_part_of_a_pool_needs_nothing_new(folder: Path):
    opened(folder, Counting())
    pool = InsightPool.load(folder)
    prune(pool, ids=pool.ids[1:2]).pool.save(folder, overwrite=True)
    embedder = Counting()
    found = opened(folder, embedder)
    assert (embedder.asked, found.notes) == ([], ())
    np.testing.assert_array_equal(found.rows, plain_rows(InsightPool.load(folder)))


def test_a_changed_key_is_seen_where_the_number_is_the_same(folder: Path):
    opened(folder, Counting())
    pool = InsightPool.load(folder)
    changed = [replace(pool[0], key="a horse"), *pool.insights[1:]]
    pool.with_insights(changed).save(folder, overwrite=True)
    found = opened(folder, Counting())
    assert (found.encoded, len(found.notes)) == (1, 1)
    np.testing.assert_array_equal(found.rows, plain_rows(InsightPool.load(folder)))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (Counting(128), "was made by hashing-ngram-v1:dim=64; all keys are embedded anew"),
        (Counting(revision="v2"), "was made with other settings; all keys are embedded anew"),
    ],
)
def test_vectors_of_another_encoder_are_never_used(folder: Path, other, told):
    opened(folder, Counting())
    found = opened(folder, other)
    assert len(other.asked) == 3
    assert told in found.notes[0]
    np.testing.assert_array_equal(found.rows, plain_rows(InsightPool.load(folder), other.dim))
    assert opened(folder, other).notes == ()


def test_another_key_template_is_another_encoder(folder: Path):
    opened(folder, Counting())
    found = opened(folder, Counting(), key_template="observation")
    assert found.encoded == 3
    assert "other settings" in found.notes[0]


def truncated(folder: Path) -> None:
    path = folder / "embeddings.npy"
    path.write_bytes(path.read_bytes()[:-5])


def another_value(folder: Path) -> None:
    rows = np.load(folder / "embeddings.npy")
    rows[0, 0] = np.nan
    np.save(folder / "embeddings.npy", rows)


def swapped_rows(folder: Path) -> None:
    np.save(folder / "embeddings.npy", np.load(folder / "embeddings.npy")[::-1])


def pickled(folder: Path) -> None:
    np.save(folder / "embeddings.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)


DAMAGES = [
    truncated,
    another_value,
    swapped_rows,
    pickled,
    lambda folder: (folder / "embeddings.npy").unlink(),
    lambda folder: (folder / "embeddings.npy").write_bytes(b""),
    lambda folder: (folder / "embeddings.json").unlink(),
    lambda folder: (folder / "embeddings.json").write_text("{"),
    lambda folder: (folder / "embeddings.json").write_text("[]"),
    lambda folder: (folder / "embeddings.json").write_text('{"version": 2}'),
    lambda folder: (folder / "embeddings.json").write_text('{"version": 1, "encoder": null, "crc": 1}'),
    lambda folder: np.save(folder / "embeddings.npy", np.asfortranarray(np.load(folder / "embeddings.npy"))),
    lambda folder: np.save(folder / "embeddings.npy", np.load(folder / "embeddings.npy").astype("f2")),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=[str(number) for number in range(len(DAMAGES))])
def test_a_damaged_cache_is_told_and_made_anew(folder: Path, damage):
    opened(folder, Counting())
    damage(folder)
    embedder = Counting()
    found = opened(folder, embedder)
    assert len(embedder.asked) == 3
    assert "all keys are embedded anew" in found.notes[0]
    np.testing.assert_array_equal(found.rows, plain_rows(InsightPool.load(folder)))
    assert opened(folder, embedder).notes == ()


def test_without_writing_nothing_is_left(folder: Path):
    found = opened(folder, Counting(), write=False)
    assert found.encoded == 3
    assert not (folder / "embeddings.npy").exists()


def test_a_folder_that_refuses_is_told_and_works(folder: Path):
    (folder / "embeddings.npy").mkdir()  # no file can take its place
    found = opened(folder, Counting())
    assert "the vectors cannot be kept there" in found.notes[-1]
    np.testing.assert_array_equal(found.rows, plain_rows(InsightPool.load(folder)))


def test_while_another_process_learns_the_vectors_are_not_kept(folder: Path):
    with (folder / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = opened(folder, Counting())
    assert "another process writes there" in found.notes[0]
    assert len(found.rows) == 4


@pytest.mark.parametrize("wrong", [float("nan"), 2.0, float("inf")])
def test_an_encoder_that_gives_no_unit_rows_is_refused(folder: Path, wrong):
    with np.errstate(invalid="ignore"), pytest.raises(DataError, match="found a row of length"):
        opened(folder, Counting(wrong=wrong))
    assert not (folder / "embeddings.npy").exists()


def test_an_encoder_that_gives_another_shape_is_refused(folder: Path):
    embedder = Counting()
    embedder.encode = lambda texts: np.zeros((len(texts), 3), np.float32)  # type: ignore[method-assign]
    with pytest.raises(DataError, match=r"found shape \(3, 3\), expected unit rows of 64"):
        opened(folder, embedder)


def test_what_was_embedded_before_a_stop_is_kept(folder: Path, monkeypatch):
    monkeypatch.setattr(vectors, "BLOCK_KEYS", 1)
    embedder = Counting()
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(folder, embedder, on_block=stop)
    assert told == [(1, 3), (2, 3)]
    embedder.asked.clear()
    found = opened(folder, embedder)
    assert embedder.asked == ["größer \ud83d"]
    np.testing.assert_array_equal(found.rows, plain_rows(InsightPool.load(folder)))


def test_an_empty_pool(tmp_path: Path):
    a_pool().save(tmp_path / "pool")
    for _ in range(2):
        found = opened(tmp_path / "pool", Counting())
        assert found.rows.shape == (0, 64)
        assert found.notes == ()
