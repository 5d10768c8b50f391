"""Each text is embedded once; what a killed process left is cut off; another encoder is told."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import DataError, ModelError, RunError
from kshot.models.base import Floats
from kshot.models.embed import store as module
from kshot.models.embed.hashing import HashingEncoder
from kshot.models.embed.store import EmbeddingStore, text_key


class Counting:
    """The hashing encoder, which notes what it was asked for."""

    def __init__(self, dim: int = 16, *, length: float = 1.0) -> None:
        self._encoder = HashingEncoder(dim)
        self._length = np.float32(length)
        self.asked: list[str] = []

    @property
    def id(self) -> str:
        return self._encoder.id

    @property
    def dim(self) -> int:
        return self._encoder.dim

    def encode(self, texts: Sequence[str]) -> Floats:
        self.asked += texts
        return self._encoder.encode(texts) * self._length


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def test_a_text_is_embedded_once_over_calls_and_processes(folder: Path) -> None:
    encoder = Counting()
    store = EmbeddingStore(folder, encoder)
    first = store.add(["red", "blue", "red", ""])
    again = EmbeddingStore(folder, encoder).add(["blue", "green", "red"])
    assert first.tolist() == [0, 1, 0, 2]
    assert again.tolist() == [1, 3, 0]
    assert encoder.asked == ["red", "blue", "", "green"]


def test_rows_are_what_the_encoder_gives_in_half_precision(folder: Path) -> None:
    texts = ["red", "žluťoučký kůň 東京", "half a character \ud800", "", "x" * 10_000]
    store = EmbeddingStore(folder, Counting())
    rows = store.add(texts)
    expected = HashingEncoder(16).encode(texts).astype(np.float16)
    np.testing.assert_array_equal(EmbeddingStore(folder, Counting()).vectors[rows], expected)


def test_an_empty_store_has_no_rows_and_writes_nothing(folder: Path) -> None:
    store = EmbeddingStore(folder, Counting())
    assert (len(store), store.vectors.shape) == (0, (0, 16))
    assert store.add([]).tolist() == []
    assert store.find([text_key("red")]).tolist() == [-1]
    assert not folder.exists()


def test_blocks_are_told_as_they_are_finished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", 3)
    told: list[tuple[int, int]] = []
    EmbeddingStore(folder, Counting()).add(
        [f"word {n}" for n in range(7)], on_block=lambda *x: told.append(x)
    )
    assert told == [(3, 7), (6, 7), (7, 7)]
    assert [json.loads(line)["rows"] for line in (folder / "blocks.jsonl").read_text().split("\n")[:-1]] == [
        3,
        6,
        7,
    ]


@settings(max_examples=25)
@given(calls=st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=8), max_size=5))
def test_any_calls_give_each_text_one_row_of_its_own(
    calls: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = EmbeddingStore(tmp_path_factory.mktemp("store") / "vectors", Counting())
    known: dict[str, int] = {}
    for texts in calls:
        for text, row in zip(texts, store.add(texts).tolist(), strict=True):
            assert known.setdefault(text, row) == row
    assert sorted(known.values()) == list(range(len(store)))


def test_keys_that_share_their_first_half_are_told_apart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "text_key", lambda text: b"12345678" + text_key(text)[8:])
    store = EmbeddingStore(folder, Counting())
    texts = [f"word {n}" for n in range(9)]
    assert store.add(texts).tolist() == list(range(9))
    assert EmbeddingStore(folder, Counting()).add(texts[::-1]).tolist() == list(range(8, -1, -1))
    assert store.find([b"12345678" + bytes(8)]).tolist() == [-1]


@pytest.mark.parametrize("tail", ["vectors.f16", "keys.bin", "blocks.jsonl"])
def test_what_nobody_finished_is_cut_off_by_the_next_append(folder: Path, tail: str) -> None:
    """As after a kill within a block: each file is written before the next, the line of the block last."""
    store = EmbeddingStore(folder, Counting())
    store.add(["red", "blue"])
    before = sizes(folder)
    for name in ("vectors.f16", "keys.bin", "blocks.jsonl"):
        with (folder / name).open("ab") as file:
            file.write(b'{"rows": 5' if name == "blocks.jsonl" else b"\x01" * 41)
        if name == tail:
            break
    encoder = Counting()
    opened = EmbeddingStore(folder, encoder)
    assert (len(opened), opened.add(["blue", "red"]).tolist()) == (2, [1, 0])
    assert opened.add(["green"]).tolist() == [2]
    assert encoder.asked == ["green"]
    np.testing.assert_array_equal(
        opened.vectors, HashingEncoder(16).encode(["red", "blue", "green"]).astype(np.float16)
    )
    assert sizes(folder)["vectors.f16"] == before["vectors.f16"] // 2 * 3


def test_a_process_killed_in_the_middle_loses_the_last_block_at_most(folder: Path) -> None:
    program = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from kshot.models.embed import store
        from kshot.models.embed.hashing import HashingEncoder
        store.BLOCK_ROWS = 10
        write = store._write_through
        def killed(path, content):
            if path.name == "keys.bin" and path.exists() and path.stat().st_size == 16 * 30:
                write(path, content[:23])
                os.kill(os.getpid(), signal.SIGKILL)
            write(path, content)
        store._write_through = killed
        texts = [f"word {{n}}" for n in range(100)]
        store.EmbeddingStore(Path({str(folder)!r}), HashingEncoder(16)).add(texts)
        """
    )
    died = subprocess.run([sys.executable, "-c", program], check=False)
    assert died.returncode == -signal.SIGKILL
    encoder = Counting()
    store = EmbeddingStore(folder, encoder)
    assert len(store) == 30
    texts = [f"word {n}" for n in range(100)]
    assert store.add(texts).tolist() == list(range(100))
    assert encoder.asked == texts[30:]
    np.testing.assert_array_equal(store.vectors, HashingEncoder(16).encode(texts).astype(np.float16))


def test_two_open_stores_see_what_the_other_appended(folder: Path) -> None:
    one, two = EmbeddingStore(folder, Counting()), EmbeddingStore(folder, Counting())
    one.add(["red", "blue"])
    encoder = two.embedder
    assert two.add(["green", "blue"]).tolist() == [2, 1]
    assert encoder.asked == ["green"]  # type: ignore[attr-defined]
    assert one.add(["green"]).tolist() == [2]


def test_another_encoder_is_told_with_both_names(folder: Path) -> None:
    EmbeddingStore(folder, Counting()).add(["red"])
    with pytest.raises(ModelError, match=r"dim=16' with 16 numbers .*expected 'hashing-ngram-v1:dim=8'"):
        EmbeddingStore(folder, HashingEncoder(8))


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("vectors.f16", b"short", RunError, "2 rows were finished, but the files hold 0"),
        ("keys.bin", bytes(32), RunError, "the last 2 rows are not what was written"),
        ("blocks.jsonl", b"no json\n", RunError, "blocks.jsonl: cannot be read"),
        ("blocks.jsonl", b'{"rows": 1}\n', RunError, "blocks.jsonl: cannot be read"),
        ("header.json", b"{", ModelError, "header.json: cannot be read"),
        ("header.json", b"[1]", ModelError, "holds no object"),
    ],
)
def test_a_damaged_store_is_refused(
    folder: Path, name: str, content: bytes, error: type[Exception], message: str
) -> None:
    EmbeddingStore(folder, Counting()).add(["red", "blue"])
    (folder / name).write_bytes(content)
    with pytest.raises(error, match=message):
        EmbeddingStore(folder, Counting())


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    for place in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(ModelError, match="something else than an embedding store"):
            EmbeddingStore(place, Counting())
    (tmp_path / "thesis.tex").unlink()
    (tmp_path / ".header.json.7.partial").write_text("{")  # a process died at its first write
    assert len(EmbeddingStore(tmp_path, Counting())) == 0


@pytest.mark.parametrize("length", [2.0, 0.5, np.nan, np.inf])
def test_rows_that_are_no_unit_vectors_are_refused(folder: Path, length: float) -> None:
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(DataError, match=r"row 0 of length .*expected unit rows"),
    ):
        EmbeddingStore(folder, Counting(length=length)).add(["red"])
    assert len(EmbeddingStore(folder, Counting())) == 0


def test_a_full_disk_is_told_and_what_is_finished_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddingStore(folder, Counting())
    store.add(["red"])

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(module, "_write_through", full)
        with pytest.raises(RunError, match="no space is left"):
            store.add(["blue"])
    assert EmbeddingStore(folder, Counting()).add(["blue"]).tolist() == [1]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = EmbeddingStore(tmp_path / "file" / "vectors", Counting())
    with pytest.raises(RunError, match="cannot be read or written"):
        store.add(["red"])


def test_many_rows_are_opened_without_an_object_for_each(folder: Path) -> None:
    """200,000 rows as another process left them: what is held is their keys, twice."""
    import tracemalloc

    count, dim = 200_000, 2
    keys = np.random.default_rng(0).bytes(16 * count)
    keys = text_key("red") + keys[16:]
    rows = np.tile(np.array([1, 0], dtype="<f2"), (count, 1))
    folder.mkdir()
    header = {"format": 1, "encoder": HashingEncoder(dim).id, "dim": dim, "dtype": "float16"}
    (folder / "header.json").write_text(json.dumps(header))
    (folder / "vectors.f16").write_bytes(rows.tobytes())
    (folder / "keys.bin").write_bytes(keys)
    last = module._checksum(rows[count - 1 :].tobytes(), keys[-16:])
    blocks = [{"rows": count - 1, "crc": 0}, {"rows": count, "crc": last}]
    (folder / "blocks.jsonl").write_text("".join(json.dumps(block) + "\n" for block in blocks))
    tracemalloc.start()
    store = EmbeddingStore(folder, HashingEncoder(dim))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert store.find([text_key("red"), text_key("blue")]).tolist() == [0, -1]
    assert peak < 80 * count


def test_the_limit_on_file_size_leaves_a_store_that_opens(folder: Path) -> None:
    """A real refusal of the system, in the middle of a write."""
    program = textwrap.dedent(
        f"""
        import resource, signal, sys
        from pathlib import Path
        from kshot.errors import RunError
        from kshot.models.embed import store
        from kshot.models.embed.hashing import HashingEncoder
        store.BLOCK_ROWS = 10
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            store.EmbeddingStore(Path({str(folder)!r}), HashingEncoder(16)).add([str(n) for n in range(100)])
        except RunError as error:
            print(error)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "cannot be read or written" in done.stdout
    store = EmbeddingStore(folder, Counting())
    assert len(store) == 30
    assert store.add([str(n) for n in range(100)]).tolist() == list(range(100))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000
