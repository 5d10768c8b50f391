"""Safetensors files: the header alone, tensors one at a time, and writing all at once, without torch."""

from __future__ import annotations

import hashlib
import json
import math
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kshot.data.atomic import write_atomically
from kshot.errors import ModelError

Array: TypeAlias = NDArray[np.floating[Any]]
# floating dtypes as headers and as torch spell them, the finer first
TORCH_NAMES: Mapping[str, str] = MappingProxyType(
    {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}
)

# bfloat16 has no numpy type: its 16 bits are read whole and become the upper half of a float32
_STORED = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_BYTES = {
    "F64": 8, "I64": 8, "U64": 8, "C64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2,
    "U16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
_LONGEST_HEADER = 100_000_000  # as in the safetensors library
_BLOCK_VALUES = 1 << 22


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where one tensor lies: dtype as the header spells it, shape, and bytes from ``start`` to ``end``."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def is_float(self) -> bool:
        """Whether ``read`` can give its numbers: F64, F32, F16 or BF16."""
        return self.dtype in _STORED

    def read(self) -> Array:
        """Its values, exactly: float64 for F64, else float32.

        Raises:
            ModelError: It holds integers or a packed type.
        """
        return _as_float(self._mapped().reshape(self.shape), self.dtype)

    def blocks(self) -> Iterator[Array]:
        """Its values in storage order, a bounded number at a time."""
        flat = self._mapped()
        for at in range(0, flat.size, _BLOCK_VALUES):
            yield _as_float(flat[at : at + _BLOCK_VALUES], self.dtype)

    def norm(self) -> float:
        """The Frobenius norm, summed in double."""
        return math.sqrt(sum(float(np.square(part, dtype=np.float64).sum()) for part in self.blocks()))

    def _mapped(self) -> NDArray[Any]:
        if not self.is_float:
            raise ModelError(
                f"{self.path}: tensor {self.name} is stored as {self.dtype}, expected one of "
                f"{', '.join(_STORED)}; save it as floating point"
            )
        count = math.prod(self.shape)
        if not count:  # nothing can be mapped
            return np.zeros(0, dtype=_STORED[self.dtype])
        return np.memmap(self.path, dtype=_STORED[self.dtype], mode="r", offset=self.start, shape=(count,))


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a file by name, in the order of the names; no weight is read.

    Raises:
        ModelError: The file is missing, cut short, damaged, or no safetensors file.

    Example::

        shapes = {name: tensor.shape for name, tensor in read_header(path).items()}
    """
    try:
        found = path.stat()
        size = found.st_size
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):  # a pipe would wait for ever
            raise ModelError(f"{path}: is no regular file; expected a safetensors file")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise _damaged(path, f"{size} bytes cannot hold a header of {length}")
            text = file.read(length)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); expected a safetensors file") from error
    try:
        header = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is no JSON object")
    tensors = [
        _stored(path, name, header[name], 8 + length) for name in sorted(header) if name != "__metadata__"
    ]
    _check_extent(path, tensors, 8 + length, size)
    return {tensor.name: tensor for tensor in tensors}


def folder_header(folder: Path) -> dict[str, StoredTensor]:
    """The tensors of all safetensors files of a model folder, shards together.

    Where an index lists the shards, the files that it names count, else every ``*.safetensors`` file.

    Raises:
        ModelError: There is no such file, a shard is missing, or a file is damaged.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ModelError(f"{index}: is no index of shards ({error}); download it again") from error
        paths = [folder / str(name) for name in names]
    else:
        paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise ModelError(f"{folder}: no *.safetensors file; expected model weights")
    return {name: tensor for path in paths for name, tensor in read_header(path).items()}


def stored_dtype(folder: Path) -> str:
    """The floating dtype of most bytes of a model folder, as torch spells it; ties: the finer.

    Raises:
        ModelError: There are no weights, or none of them is of a floating type.

    Example::

        stored_dtype(Path("models/llama"))  # 'bfloat16'
    """
    sizes = dict.fromkeys(TORCH_NAMES, 0)
    for tensor in folder_header(folder).values():
        if tensor.is_float:
            sizes[tensor.dtype] += tensor.end - tensor.start
    found = max(sizes, key=lambda dtype: sizes[dtype])
    if not sizes[found]:
        raise ModelError(f"{folder}: no weight is F64, F32, F16 or BF16; dequantise the model first")
    return TORCH_NAMES[found]


def packed(tensors: Mapping[str, Array]) -> bytes:
    """The bytes of a safetensors file: tensors by name, so that equal content is equal bytes."""
    from safetensors.numpy import save

    data: bytes = save(
        {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}, {"format": "pt"}
    )
    return data


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that it appears whole or not at all.

    Raises:
        ModelError: It cannot be written.
    """
    try:
        write_atomically(path, data)
    except OSError as error:
        raise ModelError(f"{path}: cannot be written ({error.strerror})") from error


def file_sha256(path: Path) -> str:
    """64 hexadecimal digits, streamed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stored(path: Path, name: str, entry: Any, offset: int) -> StoredTensor:
    try:
        dtype, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        numbers = [*shape, start, end]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"the header's entry of {name} lacks dtype, shape or data_offsets") from error
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise _damaged(path, f"shape or offsets of {name} are no whole numbers")
    if dtype not in _BYTES:
        raise _damaged(path, f"tensor {name} has the unknown dtype {dtype!r}")
    if end - start != math.prod(shape) * _BYTES[dtype]:
        raise _damaged(
            path, f"tensor {name} of shape {shape} and dtype {dtype} does not take {end - start} bytes"
        )
    return StoredTensor(path, name, dtype, shape, offset + start, offset + end)


def _check_extent(path: Path, tensors: list[StoredTensor], start: int, size: int) -> None:
    """Tensors must lie end to end and fill the file: anything else is damage, or an attempt to hide bytes."""
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != start:
            raise _damaged(path, f"tensor {tensor.name} does not begin where the one before it ends")
        start = tensor.end
    if start != size:
        kind = "is cut short" if size < start else "has more bytes than its header tells"
        raise ModelError(f"{path}: {kind}: {size} bytes, expected {start}; download it again")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a name stands in it twice")
    return dict(pairs)


def _as_float(values: NDArray[Any], dtype: str) -> Array:
    if dtype == "BF16":
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values.astype(np.float64 if dtype == "F64" else np.float32)


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError(f"{path}: is damaged or no safetensors file ({why}); download it again")
