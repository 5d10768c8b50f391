"""How much memory a process and its children took at most."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


def tree(process_id: int) -> list[int]:
    """A process and all below it, where the system lists them (Linux); else an empty list.

    Example::

        tree(os.getpid())
    """
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*/stat"):
        try:
            # the name may hold blanks and brackets; the parent is the second field behind it
            parent = int(entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):  # it has ended meanwhile
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    if not (_PROC / str(process_id)).is_dir():
        return []
    found = [process_id]
    for member in found:
        found.extend(sorted(children.get(member, [])))
    return found


def peak_bytes(process_id: int) -> int:
    """Sum of the largest resident sizes of a process and all below it: at least what they took at once.

    Returns:
        Bytes; 0 where the system does not tell. Pages that processes share count for each.

    Example::

        peak_bytes(os.getpid()) / 1e6
    """
    total = 0
    for member in tree(process_id):
        try:
            status = (_PROC / str(member) / "status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        lines = [line for line in status.split("\n") if line.startswith("VmHWM:")]
        total += sum(int(line.split()[1]) * 1024 for line in lines)
    return total
