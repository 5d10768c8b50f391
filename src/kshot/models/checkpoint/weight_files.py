"""The weights files of a model folder and of its modules: which count, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath

from kshot.errors import ModelError
from kshot.models.checkpoint.modules import module_entries
from kshot.models.safetensor_files import StoredTensor, read_header
from kshot.models.text.chat import read_json

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
# another layout of the same weights, or an adapter beside them: no part of the model that transformers loads
_FOREIGN = re.compile(r"(consolidated|adapter_)")
_PICKLED = ("pytorch_model*.bin", "model*.bin", "*.pth", "pytorch_model*.pt", "model*.pt")
_ROUTERS = frozenset({"Router", "Asym"})
_WITHOUT_FILES = frozenset({"Normalize"})  # nor a folder, in models saved before version 6 of the library


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of a model folder by name; those of a sub-folder's files carry its path before a slash.

    Raises:
        ModelError: There are no weights, or pickled ones only; a file is missing or damaged; an index and
            its shards disagree; one tensor stands in two files.

    Example::

        stored_tensors(folder)["2_Dense/linear.weight"].shape
    """
    found: dict[str, StoredTensor] = {}
    for inner in _weight_folders(folder):
        start = inner.relative_to(folder).as_posix() + "/" if inner != folder else ""
        for name, tensor in _folder_tensors(inner, root=folder).items():
            found[start + name] = tensor
    if not found:
        raise ModelError(f"{folder}: no *.safetensors file with a tensor; expected model weights")
    return found


def left_out(folder: Path) -> tuple[str, ...]:
    """Names of weights files beside the model's own that are another layout of it, or an adapter."""
    return tuple(sorted(path.name for path in folder.glob("*.safetensors") if _FOREIGN.match(path.name)))


def _weight_folders(folder: Path) -> list[Path]:
    """The model's folder and those of its modules; a router has folders of modules in its own."""
    entries = module_entries(folder)
    found = [folder] if not entries or any(not entry.path for entry in entries) else []
    for entry in entries:
        inner = folder / entry.path
        if entry.path and not inner.is_dir():
            if entry.kind in _WITHOUT_FILES:
                continue
            raise ModelError(f"{folder}: module folder {entry.path} is missing; download the model again")
        if entry.path:
            found.append(inner)
        if entry.kind in _ROUTERS:
            found += sorted({path.parent for path in inner.glob("*/*.safetensors")})
    return list(dict.fromkeys(found))


def _folder_tensors(folder: Path, *, root: Path) -> dict[str, StoredTensor]:
    found: dict[str, StoredTensor] = {}
    paths = _weight_paths(folder)
    if not paths:
        _refuse_pickles(folder, root)
    for path in paths:
        for name, tensor in read_header(path).items():
            if name in found:
                raise ModelError(
                    f"{folder}: tensor {name} stands in {found[name].path.name} and in {path.name}; "
                    "delete the file that is no part of the model"
                )
            found[name] = tensor
    _check_index(folder, found)
    return found


def _weight_paths(folder: Path) -> list[Path]:
    """The index's files, or the single one, then every other file that is no other layout of the same."""
    single, index = folder / SINGLE, folder / INDEX
    if single.is_file() and index.is_file():
        raise ModelError(
            f"{folder}: has {SINGLE} and an index of shards ({INDEX}), which may be two models; keep one"
        )
    listed = [single] if single.is_file() else []
    if index.is_file():
        listed = [folder / name for name in sorted(set(_weight_map(index).values()))]
    others = {path for path in folder.glob("*.safetensors") if not _FOREIGN.match(path.name)}
    return [*listed, *sorted(others - set(listed))]


def _weight_map(index: Path) -> Mapping[str, str]:
    found = read_json(index).get("weight_map")
    if not isinstance(found, dict) or not found:
        raise ModelError(f"{index}: has no weight_map; download it again")
    for name in found.values():
        if not isinstance(name, str) or PurePath(name).name != name:
            raise ModelError(f"{index}: names the file {name!r}; expected a file of the same folder")
    return found


def _check_index(folder: Path, found: Mapping[str, StoredTensor]) -> None:
    index = folder / INDEX
    if not index.is_file():
        return
    listed = _weight_map(index)
    shards = set(listed.values())
    held = {name: tensor.path.name for name, tensor in found.items() if tensor.path.name in shards}
    if wrong := sorted(name for name in listed.keys() | held.keys() if listed.get(name) != held.get(name)):
        name = wrong[0]
        raise ModelError(
            f"{index}: and the shards disagree on {len(wrong)} tensors, first {name}: the index says "
            f"{listed.get(name, 'nothing')}, it is in {held.get(name, 'no shard')}; download the model again"
        )


def _refuse_pickles(folder: Path, root: Path) -> None:
    pickled = sorted({path.name for pattern in _PICKLED for path in folder.glob(pattern)})
    if not pickled:
        return
    if module_entries(root):
        convert = f"from sentence_transformers import SentenceTransformer as M; M({str(root)!r}).save(OUT)"
    else:
        named = read_json(folder / "config.json").get("architectures")
        name = (
            str(named[0])
            if isinstance(named, list) and named and str(named[0]).isidentifier()
            else "AutoModel"
        )
        convert = (
            f"from transformers import {name} as M; M.from_pretrained({str(root)!r}).save_pretrained(OUT)"
        )
    raise ModelError(
        f"{folder}: has pickled weights only ({pickled[0]}), which kshot does not open; convert them where "
        f'you trust them: python -c "OUT = {str(root) + "-safetensors"!r}; {convert}", '
        "and save the tokenizer there too"
    )
