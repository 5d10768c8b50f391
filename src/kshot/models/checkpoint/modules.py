"""The modules of a sentence-transformers folder: their order, their folders, what their small files say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kshot.errors import ModelError
from kshot.models.text.chat import read_json

_LISTED = "modules.json"
_SETTINGS = "config_sentence_transformers.json"
# sentence-transformers names its transformer's settings after the architecture in older folders
_TRANSFORMER_SETTINGS = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)
_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# spelled in one way; older folders have the name on the left
_RENAMED = {"word_embedding_dimension": "embedding_dimension"}
_STATED_BY_NEWER_FOLDERS = {
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
}


@dataclass(frozen=True, slots=True)
class ModuleEntry:
    """One line of ``modules.json``: the class, and its folder relative to the model's (empty: the same)."""

    path: str
    type: str

    @property
    def kind(self) -> str:
        """The class alone: the package around it has moved between versions."""
        return self.type.rsplit(".", 1)[-1]

    @property
    def is_known(self) -> bool:
        """Whether the class is part of sentence-transformers and not code that a folder brings along."""
        return self.type.startswith("sentence_transformers.")


def module_entries(folder: Path) -> tuple[ModuleEntry, ...]:
    """The modules of a folder in order; empty where it is no sentence-transformers folder.

    Raises:
        ModelError: The list is damaged, or names a folder outside the model's.

    Example::

        [entry.kind for entry in module_entries(folder)]  # ['Transformer', 'Pooling', 'Normalize']
    """
    listed = folder / _LISTED
    if not listed.is_file():
        return ()
    try:
        found = json.loads(listed.read_text(encoding="utf-8"))
        entries = tuple(ModuleEntry(_plain(str(one["path"])), str(one["type"])) for one in found)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f"{listed}: cannot be read ({error}); expected a list of modules with type and path"
        ) from error
    for entry in entries:
        if PurePosixPath(entry.path).is_absolute() or ".." in PurePosixPath(entry.path).parts:
            raise ModelError(f"{listed}: module folder {entry.path!r} lies outside the model's folder")
    return entries


def transformer_folder(folder: Path) -> Path:
    """Where configuration and tokenizer lie: the folder itself, or that of its first module.

    Raises:
        ModelError: As ``module_entries``.
    """
    entries = module_entries(folder)
    return folder / entries[0].path if entries else folder


def module_settings(folder: Path, entry: ModuleEntry) -> dict[str, Any]:
    """What a module's own file says, in the newest spelling; of a transformer, its sentence settings.

    Raises:
        ModelError: A file is no JSON object.
    """
    inner = folder / entry.path
    if entry.kind in ("Transformer", "MLMTransformer"):
        found = next((inner / name for name in _TRANSFORMER_SETTINGS if (inner / name).is_file()), None)
        return read_json(found) if found else {}
    if not entry.path:  # the file there is the transformer's
        return {}
    return _newest(read_json(inner / "config.json"))


def folder_settings(folder: Path) -> dict[str, Any]:
    """Prompts, similarity and model type that a sentence-transformers folder states.

    Raises:
        ModelError: The file is no JSON object.
    """
    return read_json(folder / _SETTINGS)


def _plain(path: str) -> str:
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def _newest(settings: dict[str, Any]) -> dict[str, Any]:
    found = {_RENAMED.get(key, key): value for key, value in settings.items() if key not in _POOLING}
    if "pooling_mode" not in found and settings.keys() & _POOLING.keys():
        modes = [mode for key, mode in _POOLING.items() if settings.get(key)]
        found["pooling_mode"] = modes[0] if len(modes) == 1 else modes
    return {key: value for key, value in found.items() if _STATED_BY_NEWER_FOLDERS.get(key) != value}
