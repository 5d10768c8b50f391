"""The output folder of a mix: space for it, its small files, and the move to its name."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from kshot.models.checkpoint.journal import Workplace
from kshot.models.checkpoint.parts import MixPlan

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


def check_space(plan: MixPlan, texts: Mapping[str, bytes], place: Workplace, *, begun: bool) -> None:
    """Refuse to begin what the disk cannot hold; what an earlier process took already counts as there.

    Raises:
        OSError: ENOSPC; a workplace where nothing was begun is taken away.

    Example::

        check_space(plan, {}, place, begun=False)
    """
    copies = sum(path.stat().st_size for path in plan.side_files.values())
    need = sum(file.size for file in plan.files) + copies + sum(map(len, texts.values()))
    taken = sum(path.stat().st_blocks * 512 for path in place.output.rglob("*"))
    if need - taken + _SPARE_BYTES > shutil.disk_usage(place.folder).free:
        if not begun:
            place.clear()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place.folder))


def fill(folder: Path, plan: MixPlan, texts: Mapping[str, bytes]) -> None:
    """Write the small files beside the weights, and flush all to the disk.

    Raises:
        OSError: As the system says.

    Example::

        fill(place.output, plan, {"README.md": card.encode()})
    """
    for name, source in plan.side_files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for name, text in texts.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
    for path in [*sorted(folder.rglob("*")), folder]:
        flush(path)


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
