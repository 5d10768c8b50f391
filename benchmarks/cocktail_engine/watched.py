"""A process with its wall time and the most memory of its own that it ever held; Linux alone."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 0.005  # between two looks at a process


@dataclass(frozen=True)
class Watched:
    """What a process took.

    Attributes:
        seconds: From its start to its end, Python's start included.
        processor: Seconds of all cores, user and system; other work on the machine hardly changes them.
        anonymous: The most anonymous memory (RssAnon) seen by polling, in MB of 10^6 bytes: pages of mapped
            files do not count, since the system drops them at will.
        output: What it printed.
        error: The end of what it printed as errors; empty if it ended well.
    """

    seconds: float
    processor: float
    anonymous: float
    output: str
    error: str


def watched(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Watched:
    """Run a command to its end, or kill it (SIGKILL) once ``stop`` says so."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began, spent = time.perf_counter(), _processor()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        most = 0
        while process.poll() is None:
            most = max(most, _anonymous(process.pid))
            if stop():
                process.kill()
                process.wait()
                break
            time.sleep(_SECONDS)
        seconds = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        error = err.read().strip()[-300:] if process.returncode else ""
        return Watched(
            seconds,
            _processor() - spent,
            most / 1e6,
            out.read(),
            error or ("killed" if process.returncode else ""),
        )


def _processor() -> float:
    """Of the processes that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _anonymous(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)


def settle(folders: Sequence[Path]) -> None:
    """Write back what is waiting and read the inputs once, so that every run begins alike."""
    os.sync()
    buffer = bytearray(1 << 22)
    for folder in folders:
        for path in sorted(folder.glob("*.safetensors")):
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass
