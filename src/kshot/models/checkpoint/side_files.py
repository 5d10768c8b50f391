"""The small files that a mix takes over from its base: configuration, tokenizer, modules, licence, code."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kshot.errors import ModelError
from kshot.models.checkpoint.modules import module_entries, transformer_folder
from kshot.models.checkpoint.parts import Member
from kshot.models.safetensor_files import file_sha256
from kshot.models.text.chat import read_json

_CARRIED = (
    "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "*.spm", "*.vocab", "*.bpe",
    "LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*", "COPYING*",
)  # fmt: skip
# what the mix writes itself, and what tells of another model's training
_LEFT = (
    "*.index.json", "adapter_*", "trainer_state.json", "training_args.json", "*_results.json",
    "README*", "kshot_mix.json", "requirements*.txt", "*.log.txt", "train_log.txt", "eval_*.txt",
    "quantize_config.json", "scheduler.json", "optimizer.json", "similarity_evaluation_*", "global_step*",
)  # fmt: skip
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
# a second copy of the weights, or the state of a training
_NO_HEADS = ("pytorch_model*", "model*", "training_args*", "optimizer*", "scheduler*", "rng_state*",
             "adapter_model*", "consolidated*", "flax_model*", "tf_model*", "scaler*")  # fmt: skip
_TEMPLATES = "additional_chat_templates"


def side_files(
    base: Member, members: Sequence[Member], *, dtype: str | None = None
) -> tuple[Mapping[str, Path], Mapping[str, str]]:
    """What stands beside the weights of the output, by path in its folder: files to copy, and new texts.

    Everything is the base's. Its card is left out, as the mix has one of its own, and so are an index of
    shards, other copies of the weights and traces of its training. A pickled head that is no weights file
    of the model (``sparse_linear.pt``) is carried along, never opened; ``side_file_problems`` refuses it
    where members differ.

    Args:
        base: The member that the output looks like.
        members: All of them.
        dtype: Of the output's weights, where it is not the base's: ``float32``, ``bfloat16``, ``float16``.

    Raises:
        ModelError: A small file of the base is damaged.

    Example::

        copies, texts = side_files(base, members, dtype="bfloat16")
    """
    copies = {
        path.relative_to(base.folder).as_posix(): path
        for path in [*_carried(base), *_pickled(base.folder)]
        if _stays_inside(path, base.folder)
    }
    texts: dict[str, str] = {}
    config = transformer_folder(base.folder) / "config.json"
    if dtype is not None and config.is_file():
        name = config.relative_to(base.folder).as_posix()
        copies.pop(name, None)
        texts[name] = json.dumps(_with_dtype(read_json(config), dtype), indent=2, ensure_ascii=False) + "\n"
    return dict(sorted(copies.items())), texts


def side_file_problems(base: Member, members: Sequence[Member]) -> tuple[str, ...]:
    """Why the base's small files cannot be taken over: pickled heads that differ, links that lead outside."""
    found = []
    heads = {path.name for member in members if not member.is_lora for path in _pickled(member.folder)}
    for head in sorted(heads):
        paths = [member.folder / head for member in members if not member.is_lora]
        lacking = [m.name for m in members if not m.is_lora and not (m.folder / head).is_file()]
        if lacking:
            found.append(
                f"{lacking[0]}: lacks {head}, which another member has; it is pickled, so it is not mixed; "
                "delete it everywhere, or save it as safetensors in every member"
            )
        elif len({_content(path) for path in paths}) > 1:
            found.append(
                f"{head} differs between the members and is pickled, so it cannot be mixed; save it as "
                f"{Path(head).stem}.safetensors in every member and delete the pickles"
            )
    found += [
        f"{base.name}: {path.relative_to(base.folder)} is a link that leads outside the folder; "
        "put the file itself there"
        for path in _carried(base)
        if not _stays_inside(path, base.folder)
    ]
    return tuple(found)


def _carried(base: Member) -> list[Path]:
    """Small files of the folder and of its modules' folders, in sorted order."""
    folders = {base.folder: False, base.folder / _TEMPLATES: True}
    for entry in module_entries(base.folder):
        if entry.path:
            folders[base.folder / entry.path] = True
    code = (
        ("*.py",)
        if base.config.get("auto_map") or any(not e.is_known for e in module_entries(base.folder))
        else ()
    )
    found = {
        path
        for folder, deep in folders.items()
        for path in (folder.rglob("*") if deep else folder.glob("*"))
        if path.is_file() and _matches(path, (*_CARRIED, *code)) and not _matches(path, _LEFT)
    }
    return sorted(path for path in found if not path.name.startswith("."))


def _pickled(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.glob("*")
        if path.is_file() and _matches(path, _PICKLES) and not _matches(path, _NO_HEADS)
    )


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path.name, pattern) for pattern in patterns)


def _stays_inside(path: Path, folder: Path) -> bool:
    """Whether a file lies in the folder itself, or in the blobs of the hub's cache that the folder is of."""
    real, home = path.resolve(), folder.resolve()
    if real.is_relative_to(home):
        return True
    return home.parent.name == "snapshots" and real.parent == home.parent.parent / "blobs"


def _content(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error


def _with_dtype(config: dict[str, Any], dtype: str) -> dict[str, Any]:
    """The configuration with every stated dtype replaced, nested ones too; ``dtype`` where none is stated."""

    def changed(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            key: dtype
            if key in ("dtype", "torch_dtype") and isinstance(inner, str | None)
            else changed(inner)
            for key, inner in value.items()
        }

    found: dict[str, Any] = changed(config)
    return found if found.keys() & {"dtype", "torch_dtype"} else found | {"dtype": dtype}
