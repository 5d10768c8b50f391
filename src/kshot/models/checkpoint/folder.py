"""The output folder of a mix: space for it, its small files, hashes, and the move to its name."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kshot.models.checkpoint.journal import Workplace
from kshot.models.checkpoint.parts import MixPlan
from kshot.models.safetensor_files import file_sha256

_SPARE_BYTES = 1 << 22  # for what the file system itself writes down


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and time of change in nanoseconds.

    Raises:
        OSError: It is missing.

    Example::

        stamp_of(Path("model.safetensors"))  # (90868376, 1700000000000000000)
    """
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def check_space(plan: MixPlan, texts: Mapping[str, str], place: Workplace, *, begun: bool) -> None:
    """Refuse to begin what the disk cannot hold; what an earlier process took already counts as there.

    Raises:
        OSError: ENOSPC; a workplace where nothing was begun is taken away.

    Example::

        check_space(plan, {}, place, begun=False)
    """
    copies = sum(path.stat().st_size for path in plan.side_files.values())
    need = sum(file.size for file in plan.files) + copies + sum(len(text.encode()) for text in texts.values())
    taken = sum(path.stat().st_blocks * 512 for path in place.output.rglob("*"))
    if need - taken + _SPARE_BYTES > shutil.disk_usage(place.folder).free:
        if not begun:
            place.clear()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place.folder))


def fill(folder: Path, plan: MixPlan, texts: Mapping[str, str], *, threads: int) -> dict[str, str]:
    """Write the small files beside the weights, flush all to the disk, and hash all.

    Returns:
        Path in the folder to SHA-256, by path.

    Raises:
        OSError: As the system says.

    Example::

        hashes = fill(place.output, plan, {"README.md": card}, threads=2)
    """
    for name, source in plan.side_files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for name, text in texts.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    everything = sorted(folder.rglob("*"))
    for path in [*everything, folder]:
        flush(path)
    files = [path for path in everything if path.is_file()]
    with ThreadPoolExecutor(threads) as pool:
        hashes = pool.map(file_sha256, files)
        names = [path.relative_to(folder).as_posix() for path in files]
        return dict(zip(names, hashes, strict=True))


def appear(folder: Path, out: Path) -> None:
    """Give a finished folder its name, in one move.

    Raises:
        OSError: As the system says; there is something at ``out`` by now.

    Example::

        appear(place.output, Path("mixed"))
    """
    folder.replace(out)
    flush(out.parent)


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk.

    Raises:
        OSError: As the system says.

    Example::

        flush(Path("mixed/config.json"))
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
