"""What of a half-written mix is safely on the disk, so that a process that died can be carried on.

::

    .NAME.kshot-mix/      beside the output folder NAME, until that appears
    ├── lock              held while a process writes; the system frees it when the process dies
    ├── journal           the digest of the mix, then one finished job a line
    └── output/           what becomes NAME
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from kshot.errors import ModelError


@final
@dataclass(frozen=True, slots=True)
class Workplace:
    """The folder in which one output is made; only ``workplace`` makes one."""

    folder: Path

    @property
    def output(self) -> Path:
        """What becomes the output folder."""
        return self.folder / "output"

    def begin(self, digest: str) -> set[int]:
        """The jobs that an earlier process finished for the same mix; without any, a fresh start.

        A last line that was cut off, or that the disk never got, does not count.
        """
        try:
            lines = (self.folder / "journal").read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            lines = []
        if lines and lines[0] == digest.encode() and self.output.is_dir():
            return {int(line) for line in lines[1:] if line.isdigit()}
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()
        self._append(f"{digest}\n", fresh=True)
        return set()

    def note(self, jobs: Iterable[int]) -> None:
        """Remember finished jobs; their bytes must be on the disk already."""
        self._append("".join(f"{job}\n" for job in jobs), fresh=False)

    def clear(self) -> None:
        """Take everything away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _append(self, text: str, *, fresh: bool) -> None:
        handle = os.open(
            self.folder / "journal", os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if fresh else os.O_APPEND), 0o644
        )
        try:
            os.write(handle, text.encode())
            os.fdatasync(handle)
        finally:
            os.close(handle)


@contextmanager
def workplace(out: Path) -> Iterator[Workplace]:
    """The workplace of an output folder, locked while the block runs; it stays until it is cleared.

    Raises:
        ModelError: Another process is writing the same output.
        OSError: As the system says.

    Example::

        with workplace(Path("mixed")) as place:
            done = place.begin(digest)
    """
    folder = out.parent / f".{out.name}.kshot-mix"
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # another process just finished and took the folder away
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_file(handle, folder / "lock"):
                continue
            yield Workplace(folder)
            return
        except BlockingIOError:
            raise ModelError(
                f"{out}: another process is writing it; wait for it, or give another folder"
            ) from None
        finally:
            os.close(handle)


def _is_file(handle: int, path: Path) -> bool:
    """Whether an open file still is the one at a path."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
