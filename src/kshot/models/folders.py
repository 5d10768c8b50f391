"""Folders that appear under their name only when every byte in them is on the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kshot.errors import ModelError


def check_free(out: Path) -> None:
    """Refuse to write where something is.

    Raises:
        ModelError: ``out`` is a file, a folder that is not empty, or a link.
    """
    if out.is_symlink():
        raise ModelError(f"{out}: is a link, which a new folder cannot replace; give another folder")
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise ModelError(f"{out}: exists and is not empty; give another folder or delete it first")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill inside the block; it becomes ``out`` at its end, or nothing is left of it.

    Raises:
        ModelError: ``out`` is a file or a folder that is not empty, or cannot be written.
    """
    check_free(out)
    part = out.parent / f".{out.name}.{os.getpid()}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
    except OSError as error:
        raise ModelError(f"{out}: cannot be written ({error.strerror})") from error
    try:
        yield part
        for path in [*part.iterdir(), part]:
            _flush(path)
        part.replace(out)
        _flush(out.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
