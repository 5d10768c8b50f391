"""Where a verb finds its task and puts its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kshot.data.task import Task


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


def load_task(task: str, *, k: int | None = None, seed: int | None = None) -> Task:
    """The task of a task file, of ``miniature:NAME``, or of ``tweeteval:FOLDER/TASK``."""
    from kshot.data.task import Task
    from kshot.errors import InputError

    if not task.startswith("tweeteval:"):
        return Task.load(task_path(task), k=k, seed=seed)
    from kshot.data.tweeteval import read_tweeteval, tweeteval_task, tweeteval_tasks

    found = tweeteval_tasks(task)
    if len(found) > 1:
        names = ", ".join(name for _, name in found)
        raise InputError(f"{task}: there are {len(found)} tasks ({names}); give tweeteval:FOLDER/TASK")
    return tweeteval_task(read_tweeteval(*found[0]), k=k, seed=seed)


def task_path(task: str) -> Path:
    """A task file, or that of ``miniature:NAME``."""
    if task.startswith("miniature:"):
        from kshot import miniature

        return miniature.task_file(task.removeprefix("miniature:"))
    return Path(task)
