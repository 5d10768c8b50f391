"""Sentence encoders from folders, sentence-transformers' own and plain ones, loaded whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kshot.errors import ModelError
from kshot.models.checkpoint.modules import module_entries
from kshot.models.embed.sentence import sentence_model
from kshot.models.hf.loading import check_folder, first_line, quiet


def load_encoder(folder: Path, *, device: str, dtype: str) -> Any:
    """The ``SentenceTransformer`` of a folder, in evaluation mode.

    A folder without ``modules.json`` gets the pooling that sentence-transformers gives it: the mean of all
    tokens, or the last token of a causal model.

    Args:
        folder: On this machine.
        device: A torch device.
        dtype: A torch dtype by name.

    Raises:
        ModelError: sentence-transformers is missing, the folder cannot be used, or weights are missing.

    Example::

        load_encoder(Path("models/minilm"), device="cpu", dtype="float32").encode_query(["a question"])
    """
    import torch

    with quiet(), _silent():
        if (folder / "modules.json").is_file():
            model = sentence_model(folder, device=device, dtype=getattr(torch, dtype))
        else:
            model = _plain(folder, device, getattr(torch, dtype))
        for place, transformer in _transformers(folder, model):
            _check_complete(place, transformer)
    return model.eval()


def _module_paths(folder: Path) -> list[str]:
    """Of every module in the folder; of a plain one the folder itself."""
    return [entry.path for entry in module_entries(folder)] or [""]


def _plain(folder: Path, device: str, dtype: Any) -> Any:
    check_folder(folder)
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ModelError(
            f'sentence-transformers is not installed ({error}); pip install "kshot[embed]"'
        ) from error
    try:
        return SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": dtype},
        )
    except Exception as error:  # whatever a damaged folder makes the loaders raise
        raise ModelError(f"{folder}: cannot be loaded as an encoder: {first_line(error)}") from error


def _transformers(folder: Path, model: Any) -> Iterator[tuple[Path, Any]]:
    """The transformers modules of an encoder, each with its folder."""
    for path, module in zip(_module_paths(folder), model, strict=False):
        if hasattr(module, "auto_model"):
            yield folder / path, module.auto_model


def _check_complete(folder: Path, model: Any) -> None:
    """Refuse a folder that lacks weights, which the loader would make up; a pooler is not used.

    Raises:
        ModelError: Names the first weight.
    """
    try:
        _, info = type(model).from_pretrained(
            folder,
            config=model.config,
            device_map="meta",
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:  # transformers raises OSError, ValueError, RuntimeError, KeyError ...
        raise ModelError(f"{folder}: cannot be loaded as an encoder: {first_line(error)}") from error
    names = [*map(str, info["missing_keys"]), *map(str, info["mismatched_keys"])]
    missing = sorted(name for name in names if not name.startswith("pooler."))
    if missing:
        raise ModelError(
            f"{folder}: {len(missing)} weights are missing or of another shape, first {missing[0]}; "
            f"the folder is no complete {type(model).__name__}"
        )


@contextmanager
def _silent() -> Iterator[None]:
    """No notes of sentence-transformers on plain folders and dtypes: both are wanted here."""
    logger = logging.getLogger("sentence_transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
