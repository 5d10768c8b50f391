"""Safetensors without torch: headers, exact values, and every damaged file."""

from __future__ import annotations

import contextlib
import json
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from safetensors.torch import save_file

from kshot.errors import ModelError
from kshot.models import safetensor_files
from kshot.models.safetensor_files import (
    file_sha256,
    folder_header,
    packed,
    read_header,
    stored_dtype,
    write_bytes,
)


def raw(path, header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_values_are_exactly_those_that_torch_reads(tmp_path, dtype):
    torch.manual_seed(0)
    value = torch.cat(
        [torch.randn(30) * 1e3, torch.tensor([0.0, -0.0, float("inf"), float("nan"), 1e-30])]
    ).to(dtype)
    save_file({"x": value.reshape(5, 7), "y": torch.ones(2, dtype=dtype)}, tmp_path / "m.safetensors")
    found = read_header(tmp_path / "m.safetensors")["x"]
    wide = np.float64 if dtype == torch.float64 else np.float32
    assert found.shape == (5, 7)
    assert found.read().dtype == wide
    np.testing.assert_array_equal(found.read(), value.reshape(5, 7).to(torch.float64).numpy().astype(wide))


def test_every_bfloat16_is_read_exactly(tmp_path):
    every = torch.arange(1 << 16, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
    save_file({"x": every}, tmp_path / "m.safetensors")
    np.testing.assert_array_equal(read_header(tmp_path / "m.safetensors")["x"].read(), every.float().numpy())


def test_norm_does_not_depend_on_blocks(tmp_path, monkeypatch):
    value = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    save_file({"x": value}, tmp_path / "m.safetensors")
    stored = read_header(tmp_path / "m.safetensors")["x"]
    whole = stored.norm()
    monkeypatch.setattr(safetensor_files, "_BLOCK_VALUES", 5)
    assert [part.size for part in stored.blocks()] == [5, 5, 5, 5, 4]
    assert stored.norm() == pytest.approx(whole, rel=1e-15) == pytest.approx(float(value.norm()))


def test_empty_tensors_and_empty_files(tmp_path):
    save_file({"none": torch.zeros(0, 3), "one": torch.ones(())}, tmp_path / "m.safetensors")
    header = read_header(tmp_path / "m.safetensors")
    assert header["none"].read().shape == (0, 3)
    assert header["one"].read() == 1.0
    assert read_header(raw(tmp_path / "no.safetensors", {})) == {}


def test_integers_have_no_values_here(tmp_path):
    save_file({"x": torch.ones(2, dtype=torch.int64)}, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match=r"x is stored as I64, expected one of F64"):
        read_header(tmp_path / "m.safetensors")["x"].read()


GOOD = {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
DAMAGED = {
    "no bytes": (b"", "cannot hold a header"),
    "header longer than the file": ((99).to_bytes(8, "little") + b"{}", "cannot hold a header"),
    "giant header": ((1 << 62).to_bytes(8, "little") + b"{}", "cannot hold a header"),
    "no JSON": ((2).to_bytes(8, "little") + b"{]", "no JSON"),
    "not UTF-8": ((2).to_bytes(8, "little") + b"\xff\xfe", "no JSON"),
    "a list": ((2).to_bytes(8, "little") + b"[]", "no JSON object"),
    "nested too deep": ((100_000).to_bytes(8, "little") + b"[" * 100_000, "no JSON"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files(tmp_path, name):
    content, message = DAMAGED[name]
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=rf"m\.safetensors: .*{message}.*download it again"):
        read_header(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    ("header", "body", "message"),
    [
        (GOOD, b"\0" * 7, "is cut short: .* bytes, expected"),
        (GOOD, b"\0" * 9, "more bytes than its header tells"),
        ({"x": {"dtype": "F32", "shape": [2]}}, b"", "lacks dtype, shape or data_offsets"),
        ({"x": 3}, b"", "lacks dtype, shape or data_offsets"),
        ({"x": GOOD["x"] | {"dtype": "F99"}}, b"\0" * 8, "unknown dtype 'F99'"),
        ({"x": GOOD["x"] | {"shape": [-2]}}, b"\0" * 8, "no whole numbers"),
        ({"x": GOOD["x"] | {"shape": [True, 2]}}, b"\0" * 8, "no whole numbers"),
        ({"x": GOOD["x"] | {"shape": [3]}}, b"\0" * 8, "does not take 8 bytes"),
        ({"x": GOOD["x"] | {"data_offsets": [8, 16]}}, b"\0" * 16, "does not begin where"),
        (GOOD | {"y": GOOD["x"]}, b"\0" * 8, "does not begin where"),
        (b'{"x": 1, "x": 2}', b"", "stands in it twice"),
    ],
)
def test_headers_that_lie(tmp_path, header, body, message):
    with pytest.raises(ModelError, match=message):
        read_header(raw(tmp_path / "m.safetensors", header, body))


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "no.safetensors", tmp_path):
        with pytest.raises(ModelError, match=r"cannot be read .* expected a safetensors file"):
            read_header(path)


@given(st.binary(max_size=60))
def test_any_bytes_give_tensors_or_a_model_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "m.safetensors"
    path.write_bytes(data)
    with contextlib.suppress(ModelError):
        assert isinstance(read_header(path), dict)


def test_shards_are_read_together(tmp_path):
    for number, name in enumerate("ab"):
        save_file({name: torch.ones(number + 1)}, tmp_path / f"part-{number}.safetensors")
    assert {n: t.shape for n, t in folder_header(tmp_path).items()} == {"a": (1,), "b": (2,)}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"b": "part-1.safetensors"}}))
    assert list(folder_header(tmp_path)) == ["b"]
    index.write_text(json.dumps({"weight_map": {"b": "part-9.safetensors"}}))
    with pytest.raises(ModelError, match=r"part-9\.safetensors: cannot be read"):
        folder_header(tmp_path)
    index.write_text("[]")
    with pytest.raises(ModelError, match="no index of shards"):
        folder_header(tmp_path)


def test_no_weights_at_all(tmp_path):
    with pytest.raises(ModelError, match=r"no \*\.safetensors file"):
        folder_header(tmp_path)


def test_what_is_written_is_read_and_depends_on_content_alone(tmp_path):
    one, other = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(2)
    write_bytes(tmp_path / "m.safetensors", packed({"a": one, "b": other.T}))
    found = load_file(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(found["a"], one)
    assert packed({"b": other, "a": np.asfortranarray(one)}) == (tmp_path / "m.safetensors").read_bytes()
    assert len(file_sha256(tmp_path / "m.safetensors")) == 64


def test_writing_leaves_nothing_half(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "x").touch()
    with pytest.raises(ModelError, match="cannot be written"):
        write_bytes(tmp_path / "m", b"data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]


def test_the_dtype_of_most_bytes_counts(tmp_path):
    tensors = {
        "a": torch.zeros(9, dtype=torch.bfloat16),
        "b": torch.zeros(2),
        "c": torch.zeros(99, dtype=torch.int64),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    assert stored_dtype(tmp_path) == "bfloat16"
    save_file(
        tensors | {"b": torch.zeros(5), "a": tensors["a"].repeat(2)[:10]}, tmp_path / "model.safetensors"
    )
    assert stored_dtype(tmp_path) == "float32"  # as many bytes of both: the finer
    save_file({"c": tensors["c"]}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="dequantise the model first"):
        stored_dtype(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="no regular file"):
        read_header(tmp_path / "model.safetensors")
