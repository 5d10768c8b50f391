"""Bank: a folder, or a list, of adapters. Scanned without reading a weight, opened one at a time, audited."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, final

from kshot.errors import InputError, ModelError
from kshot.models.bank.audit import Audit, audited
from kshot.models.bank.entry import BankEntry, bank_entry
from kshot.models.lora.adapter import LoraAdapter
from kshot.models.lora.config import CONFIG
from kshot.models.lora.files import PICKLED, WEIGHTS

__all__ = ["Audit", "Bank", "BankEntry"]

_HUB = re.compile(r"(?P<id>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+))?")
_HUB_FILES = (
    "adapter_config.json",
    "adapter_model.*",
    "README.md",
    "tokenizer*.json",
    "special_tokens_map.json",
)


@final
class Bank:
    """The adapters at hand, sorted by name.

    Args:
        places: A folder that holds adapter folders, up to two levels deep; or a list of such folders, adapter
            folders and hub ids (``owner/name`` or ``owner/name@revision``). Folders whose names begin with a
            dot are passed over.
        base: The base model that ``audit`` judges by, unless it is told another.
        download: Whether a hub id that is not in the local cache may be downloaded.

    Names are the adapters' folders within their bank; where two places give the same name, as much of the
    path before it as tells them apart.

    Raises:
        InputError: There is no such folder, or no adapter in it.
        ModelError: A hub id is not in the cache and cannot, or must not, be downloaded.

    Example::

        bank = Bank("adapters")
        for entry in bank.entries:
            print(entry.name, entry.rank_text, entry.problem or "")
    """

    def __init__(
        self,
        places: str | Path | Sequence[str | Path],
        *,
        base: str | Path | None = None,
        download: bool = False,
    ) -> None:
        listed = [places] if isinstance(places, str | Path) else list(places)
        if not listed:
            raise InputError("the list of adapters is empty; give at least one folder")
        self._base = base
        self._folders = _named([found for place in listed for found in _located(place, download)])

    @cached_property
    def entries(self) -> tuple[BankEntry, ...]:
        """What each folder says about itself, by name; a bad one tells its problem and stops nothing."""
        return tuple(bank_entry(name, folder) for name, folder in sorted(self._folders.items()))

    def __len__(self) -> int:
        return len(self._folders)

    def rows(self) -> list[dict[str, Any]]:
        """The inventory as JSON objects, by name."""
        return [entry.to_row() for entry in self.entries]

    def adapter(self, name: str) -> LoraAdapter:
        """Read one adapter.

        Raises:
            InputError: The bank has no such name.
            AdapterError: It cannot be used.
        """
        if name not in self._folders:
            raise InputError(f"the bank has no adapter {name!r}{_nearest(name, self._folders)}")
        return LoraAdapter.load(self._folders[name], name=name)

    def audit(self, base: str | Path | None = None) -> Audit:
        """What is wrong with each adapter, judged by tensors and not by what cards say; see ``audit.py``.

        Args:
            base: The base model's folder (config.json and safetensors; only headers are read, and norms where
                an adapter is suspiciously small). None: the bank's own; without any, no fit is judged.

        Raises:
            ModelError: The base cannot be read.
        """
        return audited(self.entries, base=base if base is not None else self._base)


def is_adapter_folder(folder: Path) -> bool:
    """Whether a folder holds an adapter, be it a broken one."""
    return any((folder / name).is_file() for name in (CONFIG, WEIGHTS, PICKLED))


def _located(place: str | Path, download: bool) -> list[tuple[str, Path]]:
    """(name, folder) of each adapter that one place stands for."""
    folder = Path(place)
    if folder.is_dir():
        found = [(folder.resolve().name, folder)] if is_adapter_folder(folder) else list(_inside(folder))
        if not found:
            raise InputError(
                f"{folder}: no adapter folder in it; expected folders with {CONFIG} and {WEIGHTS}, "
                "up to two levels deep"
            )
        return found
    hub = _HUB.fullmatch(str(place)) if isinstance(place, str) else None
    if folder.exists() or hub is None or folder.parent.is_dir():
        what = "is a file, expected a folder" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {what} of adapters{_nearest(folder.name, _neighbours(folder))}")
    return [(hub["id"], _from_hub(hub["id"], hub["revision"], download))]


def _inside(folder: Path) -> Iterator[tuple[str, Path]]:
    for child in _folders_in(folder):
        if is_adapter_folder(child):
            yield child.name, child
            continue
        for grandchild in _folders_in(child):
            if is_adapter_folder(grandchild):
                yield f"{child.name}/{grandchild.name}", grandchild


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror})") from error


def _named(found: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Unique names: a folder given twice counts once, by its first name; equal ones take on parents."""
    once = {folder.resolve(): (name, folder) for name, folder in sorted(found, reverse=True)}
    names = {place: name for place, (name, _) in once.items()}
    while clashes := [name for name, count in Counter(names.values()).items() if count > 1]:
        for place, name in names.items():
            if name in clashes:
                names[place] = "/".join(place.parts[-name.count("/") - 2 :]).lstrip("/")
    return {names[place]: folder for place, (_, folder) in once.items()}


def _from_hub(name: str, revision: str | None, download: bool) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name, revision=revision, allow_patterns=list(_HUB_FILES), local_files_only=not download
            )
        )
    except Exception as error:  # the hub client raises a dozen kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        remedy = (
            "check the name and the network"
            if download
            else "download it first, allow downloads, or give a folder"
        )
        raise ModelError(
            f"{name}: no such folder, and not in the local hub cache ({reason}); {remedy}"
        ) from error


def _neighbours(folder: Path) -> list[str]:
    return [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []


def _nearest(name: str, known: Sequence[str] | dict[str, Path]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
