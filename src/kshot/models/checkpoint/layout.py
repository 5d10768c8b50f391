"""Where every byte of the output will lie, known before a weight is read: the base's files, names, order."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kshot.errors import ModelError
from kshot.models.checkpoint.parts import Member, OutputFile, TensorPlan
from kshot.models.safetensor_files import StoredTensor

DTYPES: Mapping[str, str] = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
_BYTES = {"F32": 4, "BF16": 2, "F16": 2}
_INDEX = ".index.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tensor of the base goes.

    Attributes:
        full: Its name among the base's tensors, with the sub-folder.
        name: In the file.
        path: The file, relative to the output folder.
        dtype: In the output, as the header spells it.
        start: First byte in the file.
    """

    full: str
    name: str
    path: str
    dtype: str
    start: int


def lay_out(
    base: Member, kept: Collection[str], *, dtype: str | None = None
) -> tuple[tuple[OutputFile, ...], tuple[Place, ...]]:
    """The output's files with their headers, and its tensors in the order of files and offsets.

    Files, order and ``__metadata__`` are the base's. Only where a dtype is set, wider tensors come first, so
    that each begins at a multiple of its width, as the format asks for.

    Args:
        base: A full model.
        kept: Names among its tensors that the output has; the head of a tied model is left out.
        dtype: ``float32``, ``bfloat16`` or ``float16`` for all floating point; None: each tensor's own.

    Raises:
        ModelError: The dtype is none of these.

    Example::

        files, places = lay_out(base, base.tensors.keys())
    """
    if dtype is not None and dtype not in DTYPES:
        raise ModelError(f"dtype {dtype!r}: expected one of {', '.join(DTYPES)}, or none for the base's own")
    groups: dict[Path, list[str]] = {}
    for full, stored in base.tensors.items():
        groups.setdefault(stored.path, []).append(full)
    files: list[OutputFile] = []
    places: list[Place] = []
    for path in sorted(groups, key=lambda path: relative(base, path)):
        file, found = _file(base, path, [full for full in groups[path] if full in kept], dtype)
        files.append(file)
        places += found
    return tuple(files), tuple(places)


def relative(member: Member, path: Path) -> str:
    """A file's path in its model's folder, with forward slashes.

    >>> relative(Member("m", Path("/models/m"), {}, {}), Path("/models/m/2_Dense/model.safetensors"))
    '2_Dense/model.safetensors'
    """
    return path.relative_to(member.folder).as_posix()


def full_name(tensor: TensorPlan) -> str:
    """A tensor's name among all files of the output: the sub-folder, where there is one, and its name.

    >>> full_name(TensorPlan("linear.weight", "2_Dense/model.safetensors", "F32", (), 0, (), ()))
    '2_Dense/linear.weight'
    """
    folder = tensor.path.rpartition("/")[0]
    return f"{folder}/{tensor.name}" if folder else tensor.name


def indexes(base: Member, files: Sequence[OutputFile], tensors: Sequence[TensorPlan]) -> dict[str, str]:
    """The text of each ``*.index.json`` that the base has, for the output's tensors and sizes.

    Args:
        base: Its index gives the other metadata; a base without one gets none.
        files: Of the output.
        tensors: Of the output.

    Example::

        indexes(base, plan.files, plan.tensors)["model.safetensors.index.json"]
    """
    texts = {}
    for folder in sorted({file.path.rpartition("/")[0] for file in files}):
        name = f"{folder}/model.safetensors{_INDEX}".lstrip("/")
        if not (base.folder / name).is_file():
            continue
        found = json.loads((base.folder / name).read_text(encoding="utf-8"))
        metadata = dict(found.get("metadata") or {})
        sizes = [file.size - len(file.header) for file in files if file.path.rpartition("/")[0] == folder]
        metadata["total_size"] = sum(sizes)
        parts = [(tensor.name, *tensor.path.rpartition("/")) for tensor in tensors]
        where = {tensor: file for tensor, parent, _, file in parts if parent == folder}
        text = json.dumps({"metadata": metadata, "weight_map": dict(sorted(where.items()))}, indent=2)
        texts[name] = text + "\n"
    return texts


def _file(
    base: Member, path: Path, names: list[str], dtype: str | None
) -> tuple[OutputFile, tuple[Place, ...]]:
    raw = _header(path)
    order = {name: at for at, name in enumerate(raw)}  # decides between empty tensors at one offset
    names.sort(key=lambda full: (base.tensors[full].start, order[base.tensors[full].name]))
    if dtype is not None:
        names.sort(key=lambda full: -_width(base.tensors[full], dtype))
    where = relative(base, path)
    entries: dict[str, Any] = {"__metadata__": {**raw.get("__metadata__", {}), "format": "pt"}}
    at, spots = 0, []
    for full in names:
        stored = base.tensors[full]
        size = math.prod(stored.shape) * _width(stored, dtype)
        kind = _dtype(stored, dtype)
        entries[stored.name] = {"dtype": kind, "shape": stored.shape, "data_offsets": [at, at + size]}
        spots.append((full, stored.name, kind, at))
        at += size
    header = _packed(entries)
    places = tuple(Place(full, name, where, kind, len(header) + at) for full, name, kind, at in spots)
    return OutputFile(where, header, len(header) + at), places


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    return header


def _packed(entries: Mapping[str, Any]) -> bytes:
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # weights begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text


def _dtype(stored: StoredTensor, dtype: str | None) -> str:
    return DTYPES[dtype] if dtype is not None and stored.is_float else stored.dtype


def _width(stored: StoredTensor, dtype: str | None) -> int:
    """Bytes of one value in the output; 1 where an empty tensor does not tell and it does not matter."""
    kind = _dtype(stored, dtype)
    return _BYTES.get(kind) or (stored.end - stored.start) // max(1, math.prod(stored.shape)) or 1
