"""Who holds a claim, and whether that process still lives."""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Owner:
    """A Journal object of one process.

    Attributes:
        name: Unique.
        place: A hash of what a process number means something in: host, boot and process namespace.
        pid: The process.
        started: When the process began, in ticks since the boot; 0 where the system does not tell. A number
            that the system gave to another process later is told apart by it.
    """

    name: str
    place: str
    pid: int
    started: int


def this_process(name: str | None = None) -> Owner:
    """A new owner, of this process.

    >>> this_process().name != this_process().name
    True
    """
    pid = os.getpid()
    return Owner(f"{name or 'kshot'}-{uuid.uuid4().hex[:12]}", here(), pid, _state(pid)[1])


def here() -> str:
    """The place of this process; after a restart of the machine it is another."""
    parts = [socket.gethostname()]
    try:
        parts.append((PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
        parts.append(str((PROC / "self/ns/pid").readlink()))
    except OSError:  # no Linux: the host's name is all there is
        pass
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def is_dead(owner: Owner, *, seen_from: str) -> bool:
    """Whether the owner's process surely has ended; False where that cannot be told from here.

    >>> is_dead(this_process(), seen_from=here())
    False
    """
    if owner.place != seen_from or os.name != "posix":
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass  # it lives, as somebody else's
    state, started = _state(owner.pid)
    return state in ("Z", "X") or (0 not in (started, owner.started) and started != owner.started)


def _state(pid: int) -> tuple[str, int]:
    """The letter of its state, and when it began; ("", 0) where the system does not tell."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", 0
    fields = text[text.rindex(")") + 1 :].split()  # the name before it may hold blanks and brackets
    return fields[0], int(fields[19])
