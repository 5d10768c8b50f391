"""Half precision becomes float32 to the last bit, and picks read what fancy indexing reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.models.embed.rows import PickedRows, floats

ALL_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(256, 256)


def test_every_half_there_is_becomes_the_same_float() -> None:
    finite = np.where(np.isfinite(ALL_HALVES), ALL_HALVES, np.float16(0))
    assert floats(finite).tobytes() == finite.astype(np.float32).tobytes()


def test_infinities_and_nan_stay_what_they_are() -> None:
    np.testing.assert_array_equal(floats(ALL_HALVES), ALL_HALVES.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f2"])
def test_other_floats_go_through_astype(dtype: object) -> None:
    rows = np.array([[0.25, -3.0]]).astype(dtype)  # type: ignore[arg-type]
    assert floats(rows).tolist() == [[0.25, -3.0]]
    assert floats(rows).dtype == np.float32


def test_slices_and_empty_blocks_are_read() -> None:
    strided = ALL_HALVES[::7, ::3]
    np.testing.assert_array_equal(floats(strided), strided.astype(np.float32))
    assert floats(np.zeros((0, 5), dtype=np.float16)).shape == (0, 5)


@given(index=st.lists(st.integers(0, 9), max_size=12), data=st.data())
def test_picks_read_what_fancy_indexing_reads(index: list[int], data: st.DataObject) -> None:
    rows = np.arange(20.0).reshape(10, 2)
    index_array = np.array(index, dtype=np.int64)
    picked = PickedRows(rows, index_array)
    whole = rows[index_array]
    start, stop = data.draw(st.integers(0, 12)), data.draw(st.integers(0, 12))
    assert (len(picked), picked.shape, picked.dtype) == (len(whole), whole.shape, whole.dtype)
    np.testing.assert_array_equal(picked[start:stop], whole[start:stop])
    if index:
        places = np.array(data.draw(st.lists(st.integers(0, len(index) - 1), max_size=5)), dtype=np.int64)
        np.testing.assert_array_equal(picked[places], whole[places])
        assert picked[0].tolist() == whole[0].tolist()


def test_a_stretch_of_a_memory_map_is_not_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.eye(50, dtype=np.float16))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    picked = PickedRows(mapped, np.arange(10, 40))
    assert np.shares_memory(picked[5:20], mapped)
    assert not np.shares_memory(PickedRows(mapped, np.array([3, 5]))[0:2], mapped)
