"""Where a verb finds its task and puts its files."""

from __future__ import annotations

from pathlib import Path


def check_place(out: Path) -> None:
    """Before anything is asked, whether a file can stand there."""
    from kshot.errors import InputError

    try:
        if out.is_dir():
            raise InputError(f"--out: {str(out)!r} is a folder; give a file to write")
        if not out.parent.exists():
            raise InputError(f"{out.parent}: there is no such folder; make it, or choose another --out")
        if not out.parent.is_dir():
            raise InputError(f"{out.parent}: this is a file, and no folder; choose another --out")
    except OSError as error:
        raise InputError(f"--out: no file can be called {str(out)!r} ({error.strerror})") from None


def task_path(task: str) -> Path:
    """A task file, or that of ``miniature:NAME``."""
    if task.startswith("miniature:"):
        from kshot import miniature

        return miniature.task_file(task.removeprefix("miniature:"))
    return Path(task)
