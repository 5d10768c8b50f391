"""Where a verb finds its task and puts its files."""

from __future__ import annotations

from pathlib import Path


def check_place(out: Path, *, option: str = "--out") -> None:
    """Before anything is asked, whether a file can stand there; ``option`` is what messages call it."""
    from kshot.errors import InputError

    try:
        if out.is_dir():
            raise InputError(f"{option}: {str(out)!r} is a folder; give a file to write")
        if not out.parent.exists():
            raise InputError(f"{out.parent}: there is no such folder; make it, or choose another {option}")
        if not out.parent.is_dir():
            raise InputError(f"{out.parent}: this is a file, and no folder; choose another {option}")
    except OSError as error:
        raise InputError(f"{option}: no file can be called {str(out)!r} ({error.strerror})") from None


def task_path(task: str) -> Path:
    """A task file, or that of ``miniature:NAME``."""
    if task.startswith("miniature:"):
        from kshot import miniature

        return miniature.task_file(task.removeprefix("miniature:"))
    return Path(task)
