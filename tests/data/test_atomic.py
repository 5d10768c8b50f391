"""A file is there whole or not at all, and what stood there before outlives a failure."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kshot.data.atomic import write_atomically


def test_bytes_and_pieces(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"one")
    write_atomically(tmp_path / "b", (piece for piece in (b"t", b"wo")))
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"one", b"two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("no more")

    write_atomically(tmp_path / "a", b"whole")
    with pytest.raises(ValueError, match="no more"):
        write_atomically(tmp_path / "a", broken())
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "a", b"x")
