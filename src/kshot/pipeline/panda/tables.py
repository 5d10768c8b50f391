"""``kshot panda ablate`` for several tasks: each learned, judged and reported, then one summary of all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kshot.data.task import Task
from kshot.data.taskfile.settings import BudgetSection
from kshot.errors import BudgetError, InputError, KshotError
from kshot.pipeline.panda.ablate_job import learn_and_judge
from kshot.pipeline.panda.evaluation import Evaluation, Judged
from kshot.pipeline.panda.learn_job import LearnJob
from kshot.pipeline.panda.purse import Purse
from kshot.pipeline.panda.summarise import Finished, finish, summarise
from kshot.report.panda import PandaSummary, write_panda_report, write_panda_summary
from kshot.report.write import ReportPaths
from kshot.runs import Listener, slug

PAGE = "panda.html"
_NOT_BEGUN = "not begun"
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTask:
    """One task of a table.

    Attributes:
        official: The data set's own metric, shown beside the task's; empty: there is none.
    """

    task: Task
    learning: LearnJob = field(default_factory=LearnJob)
    official: str = ""


def ablate_tasks(
    tasks: Sequence[TableTask],
    out: Path,
    asked: Evaluation,
    *,
    limits: BudgetSection | None = None,
    listener: Listener,
) -> tuple[PandaSummary, ReportPaths]:
    """Each task's report in ``out/TASK/``, and ``summary.html``, ``.md`` and ``.json`` in ``out``.

    Tasks run one after the other. The summary is written anew after each, so that a stop leaves what is
    finished. A task that fails is named with the reason and the others go on; a rerun of the same call goes
    on for free, as all replies are in the journal. Without other pools ``transfer`` takes that of the task
    that was finished before.

    Args:
        tasks: Of different names.
        out: The folder of all reports.
        asked: What is judged of each; ``official`` is each task's own.
        limits: One budget for all tasks together; None: each task has its own.
        listener: Told of all steps; ``task`` at the beginning of each.

    Raises:
        InputError: There is no task, or two have one name.
        RunError: A report cannot be written.

    Example::

        found = [TableTask(task=Task.load(path)) for path in ("a.yaml", "b.yaml")]
        summary, paths = ablate_tasks(found, Path("runs/tables"), Evaluation(), listener=silent)
        print(summary.missing)
    """
    folders = _folders(tasks, out)
    shared = Purse(limits, listener) if limits is not None else None
    finished: list[Finished] = []
    missing = {one.task.name: _NOT_BEGUN for one in tasks}
    summary = None
    for at, one in enumerate(tasks):
        name = one.task.name
        listener("task", name=name, at=at + 1, of=len(tasks))
        purse = shared or Purse(one.task.settings.budget, listener)
        before = (finished[-1].task.name, folders[finished[-1].task.name] / "pool") if finished else None
        used_up = False
        try:
            judged = _judged(one, folders[name], asked, before, purse=purse)
            other = before[0] if before and not asked.pools else ""
            page = f"{folders[name].name}/{PAGE}"
            found = finish(one.task, judged, official=one.official, page=page, before=other)
            finished.append(found)
            del missing[name]
        except BudgetError as error:
            missing[name] = f"stopped by the budget: {error}"
            used_up = shared is not None
        except KshotError as error:
            missing[name] = str(error)
        if used_up:
            missing |= {rest.task.name: "not begun: the budget is used up" for rest in tasks[at + 1 :]}
        summary = summarise(finished, missing)
        paths = write_panda_summary(summary, out)
        if used_up:
            break
    if summary is None:
        raise InputError("there is no task to judge; name one or more")
    return summary, paths


def _judged(
    one: TableTask, folder: Path, asked: Evaluation, before: tuple[str, Path] | None, *, purse: Purse
) -> Judged:
    """One task learned, judged and reported."""
    pools: Mapping[str, Path] = asked.pools
    if not pools and before is not None:
        pools = dict([before])
    own = replace(asked, pools=pools, official=one.official)
    judged = learn_and_judge(one.task, folder, one.learning, own, purse=purse)
    write_panda_report(judged.report, folder)
    return judged


def _folders(tasks: Sequence[TableTask], out: Path) -> dict[str, Path]:
    """A folder for each task, by its name.

    Raises:
        InputError: Two tasks would share one.
    """
    folders: dict[str, Path] = {}
    for one in tasks:
        name = one.task.name
        folder = out / (name if _PLAIN.fullmatch(name) else slug(name))
        taken = next((other for other, place in folders.items() if place == folder), None)
        if taken is not None:
            raise InputError(f"two tasks are called {taken!r} and {name!r}; their reports need two names")
        folders[name] = folder
    return folders
