"""A pool's folder: its files, its header, and how a new one takes the place of an old one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from kshot.data.atomic import write_atomically
from kshot.data.nearest import no_such_path
from kshot.errors import DataError
from kshot.methods.panda.pool.header import PoolHeader
from kshot.methods.panda.pool.lines import Lines

HEADER: Final = "header.json"
INSIGHTS: Final = "insights.jsonl"
LOCK: Final = ".lock"
CACHE: Final = ("embeddings.npy", "embeddings.json")


def read_header(folder: Path) -> PoolHeader:
    """The header of a pool's folder.

    Raises:
        DataError: There is none, or it cannot be read.

    Example::

        read_header(Path("pools/irony")).task
    """
    path = folder / HEADER
    if not folder.is_dir():
        if folder.exists():
            raise DataError(f"{folder}: is a file, expected the folder of an insight pool")
        aside = sorted(folder.parent.glob(f".{folder.name}.*.old")) if folder.parent.is_dir() else []
        hint = f"; replacing it was interrupted, and the old pool lies in {aside[0]}" if aside else ""
        raise DataError(f"{folder}: {no_such_path(folder)}{hint}")
    if not path.is_file():
        raise DataError(f"{folder}: has no {HEADER}, so it is no insight pool; give the folder of one")
    try:
        plain: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    return PoolHeader.from_json(plain, where=str(path))


def write_header(folder: Path, header: PoolHeader) -> None:
    """Writes the header of a pool's folder, in one move.

    Example::

        write_header(Path("pools/irony"), PoolHeader("irony"))
    """
    text = json.dumps(header.to_json(), indent=1, ensure_ascii=True, default=str)
    write_atomically(folder / HEADER, text.encode() + b"\n")


def check_repeats(path: Path, lines: Lines) -> None:
    """Refuses a file in which one record stands twice, and names both lines.

    Raises:
        DataError: As said.

    Example::

        check_repeats(path, read_lines(path))
    """
    seen: dict[str, int] = {}
    for number, insight in zip(lines.numbers, lines.insights, strict=True):
        first = seen.setdefault(insight.id, number)
        if first != number:
            raise DataError(f"{path}:{number}: is the record of line {first} again; delete one of them")


def is_blank(folder: Path) -> bool:
    """Whether a folder holds nothing but what a process that died at once leaves behind.

    Example::

        is_blank(Path("pools/new"))
    """
    return all(e.name == LOCK or (e.name[0] == "." and e.suffix == ".partial") for e in folder.iterdir())


def replaces_pool(folder: Path, *, overwrite: bool) -> bool:
    """Whether a pool stands where one is to be written.

    Raises:
        DataError: Something else stands there, or a pool and ``overwrite`` is off.

    Example::

        replaces_pool(Path("pools/new"), overwrite=False)
    """
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise DataError(f"{folder}: is a file; give a folder for the pool")
    if (folder / HEADER).is_file():
        read_header(folder)  # only a pool is replaced
        if not overwrite:
            raise DataError(f"{folder}: holds a pool already; choose another folder, or overwrite it")
        return True
    if not is_blank(folder):
        raise DataError(f"{folder}: holds other things and no pool; give a new folder")
    return False


def put_in_place(partial: Path, folder: Path, *, old: bool) -> None:
    """Gives a finished folder its name; a pool that stands there goes when that is done.

    Raises:
        OSError: As the system says; the old pool is back then.

    Example::

        put_in_place(Path("pools/.new.partial"), Path("pools/new"), old=False)
    """
    if not old:
        if folder.exists():
            shutil.rmtree(folder)  # blank, as seen before
        partial.rename(folder)
        return
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    folder.rename(aside)
    try:
        partial.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
