"""Sentence encoders behind ``Embedder``: a sentence-transformers folder or hub name, or the hashing one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np

from kshot.errors import DataError, ModelError
from kshot.models.base import Embedder, Floats
from kshot.models.embed.hashing import HashingEncoder

HASHING = "hashing"
_HUB_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_READ = ("*.json", "*.txt", "*.model", "*.safetensors")  # no other file is downloaded, or part of the id
_SURROGATE = re.compile("[\ud800-\udfff]")
_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}


def load_embedder(spec: str, *, device: str = "auto") -> Embedder:
    """The embedder that a task file names: ``hashing``, a folder, or a hub name ``owner/name[@revision]``.

    Raises:
        ModelError: There is no such folder or name, or what is there cannot be used.

    >>> load_embedder("hashing").id
    'hashing-ngram-v1:dim=1024'
    """
    return HashingEncoder() if spec == HASHING else SentenceEmbedder(spec, device=device)


@final
class SentenceEmbedder:
    """Texts to unit vectors by a sentence-transformers model.

    The folder's own pooling, its longest length (what is beyond is cut) and its default prompt are used,
    on shots, pool and queries alike. Weights are read from safetensors only, and code that a folder brings
    along is not run. A hub name is downloaded to the usual cache first.

    Args:
        folder_or_name: A folder with a ``modules.json``, or ``owner/name`` with an optional ``@revision``.
        device: A torch device; ``auto`` takes an accelerator where there is one.
        batch_size: Texts a batch; batches hold texts of like length.

    Raises:
        ModelError: The package is missing (``pip install "kshot[embed]"``), the folder or name is, or the
            model cannot be loaded.

    Example::

        SentenceEmbedder("sentence-transformers/all-MiniLM-L6-v2").encode(["a text"])
    """

    def __init__(self, folder_or_name: str | Path, *, device: str = "auto", batch_size: int = 64) -> None:
        if batch_size < 1:
            raise ModelError(f"SentenceEmbedder: batch_size is {batch_size}, expected at least 1")
        self._batch_size = batch_size
        self._name, self._folder = _found(str(folder_or_name))
        self._model = sentence_model(self._folder, device=device)
        self._dim = int(self._rows(["."]).shape[1])

    @cached_property
    def id(self) -> str:
        """Name, and a hash of the files that are read; the path does not count."""
        digest = hashlib.sha256()
        files = {file for pattern in _READ for file in self._folder.rglob(pattern) if file.is_file()}
        for file in sorted(files, key=lambda file: file.relative_to(self._folder).as_posix()):
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{file.relative_to(self._folder).as_posix()} {content}\n".encode())
        return f"{self._name}#sha256:{digest.hexdigest()[:16]}"

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    def encode(self, texts: Sequence[str]) -> Floats:
        """(N, dim) float32 rows of length 1, in order.

        Raises:
            DataError: ``texts`` is one text, or holds something that is no Unicode text.
            ModelError: The model gave NaN or infinite values.
        """
        if isinstance(texts, str):
            raise DataError("SentenceEmbedder.encode: found one text, expected a list of texts")
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"text {row} is {type(text).__name__}, expected text")
            if _SURROGATE.search(text):
                raise DataError(f"text {row} holds half a character (a lone surrogate), expected Unicode")
        if not len(texts):
            return np.zeros((0, self._dim), dtype=np.float32)
        return self._rows(texts)

    def _rows(self, texts: Sequence[str]) -> Floats:
        found = self._model.encode(
            list(texts), batch_size=self._batch_size, show_progress_bar=False, convert_to_numpy=True
        )
        rows = np.asarray(found, dtype=np.float64)  # (N, dim)
        if not np.isfinite(rows).all():
            raise ModelError(f"{self._name}: the model gives NaN or infinite vectors; use another embedder")
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return (rows / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def _found(spec: str) -> tuple[str, Path]:
    """The name to show, and the local folder."""
    try:
        folder = Path(spec).expanduser().resolve() if spec.strip() else None
        if folder and folder.is_dir():
            return folder.name, folder
    except (OSError, RuntimeError, ValueError):  # no such user, a name too long, a zero byte
        folder = None
    hub = _HUB_NAME.fullmatch(spec)
    if not hub or spec.startswith(".") or (folder and folder.exists()):
        raise ModelError(
            f"embedder {spec!r} is no folder; expected {HASHING!r}, a sentence-transformers folder, "
            "or a hub name owner/name"
        )
    _require_package()
    from huggingface_hub import snapshot_download

    try:
        fetched = snapshot_download(hub["name"], revision=hub["revision"], allow_patterns=list(_READ))
    except Exception as error:  # a dozen classes, by version: offline, missing, gated, no such revision
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise ModelError(
            f"embedder {spec!r} is no folder here and could not be downloaded ({reason[0]}); "
            f"give a local folder, or {HASHING!r}, which needs no download"
        ) from error
    return spec, Path(fetched)


def _check_folder(folder: Path) -> None:
    """Refuse what is no encoder, would run code, or has weights in pickles only."""
    listed = folder / "modules.json"
    if not listed.is_file():
        raise ModelError(f"{folder}: modules.json is missing; expected a sentence-transformers folder")
    try:
        modules = [(str(module["type"]), str(module["path"])) for module in json.loads(listed.read_bytes())]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(
            f"{listed}: cannot be read; expected a list of modules with type and path"
        ) from error
    for kind, path in modules:
        if not kind.startswith("sentence_transformers."):
            raise ModelError(f"{listed}: module type {kind!r} is code of its own, which kshot does not run")
        files = [file for file in (folder / path).glob("*") if file.is_file()]
        pickled = sorted(file.name for file in files if file.suffix in _PICKLES)
        if pickled and not any(file.suffix == ".safetensors" for file in files):
            raise ModelError(
                f"{folder / path}: weights are in {pickled[0]} only, a pickle, which kshot does not open; "
                "convert them to safetensors"
            )


def _require_package() -> None:
    try:
        import sentence_transformers  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"sentence-transformers is not installed ({error}); "
            f'pip install "kshot[embed]", or use {HASHING!r}'
        ) from error


def sentence_model(folder: Path, *, device: str = "auto", dtype: Any = None) -> Any:
    """The ``SentenceTransformer`` of a local folder in evaluation mode, checked before anything is loaded.

    Args:
        folder: With a ``modules.json``.
        device: A torch device; ``auto`` takes an accelerator where there is one.
        dtype: A torch dtype; None: as sentence-transformers would load it.

    Raises:
        ModelError: The package is missing, the folder is no encoder, has pickled weights only, would run
            code, or is damaged.
    """
    _check_folder(folder)
    _require_package()
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(
            str(folder),
            device=None if device == "auto" else device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True} | ({} if dtype is None else {"dtype": dtype}),
        )
    except Exception as error:  # whatever a damaged folder makes the loaders raise
        raise ModelError(f"{folder}: cannot be loaded as an encoder ({error})") from error
    return model.eval()
