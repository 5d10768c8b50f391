"""The tree as an outline: for the terminal as text, for the page as entries that open and close."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kshot.report.explore.facts import TaskFacts
from kshot.report.knowledge.visible import visible
from kshot.report.wording import Scale, count


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the outline.

    Attributes:
        below: Rows of the task and of all that is below it.
        yield_below: Kept of the rows that came for them; None where none came.
        tasks_below: How many tasks are below it.
        has_children: Whether the next entry is its first child.
        closes: How many open lists end after it.
        last: For each level from 1 down to its own, whether the task there is the last of its parent.
    """

    task: TaskFacts
    below: int
    yield_below: float | None
    tasks_below: int
    has_children: bool
    closes: int
    last: tuple[bool, ...]


def outline(tasks: Sequence[TaskFacts]) -> Iterator[Entry]:
    """The tasks in preorder with what their place in the tree says.

    >>> tasks = [TaskFacts(id="r", name="r"), TaskFacts(id="a", name="a", parent="r", depth=1, rows=2)]
    >>> [(entry.task.name, entry.below, entry.closes) for entry in outline(tasks)]
    [('r', 2, 0), ('a', 2, 1)]
    """
    rows, sizes = {task.id: task.rows for task in tasks}, {task.id: 0 for task in tasks}
    kept = {task.id: task.rows - task.attached for task in tasks}
    came = {task.id: task.rows_delivered if task.row_calls else 0 for task in tasks}
    children: dict[str, list[TaskFacts]] = {task.id: [] for task in tasks}
    for task in reversed(tasks):  # below a parent everything is summed before the parent is
        if task.parent is not None:
            for counted in (rows, kept, came):
                counted[task.parent] += counted[task.id]
            sizes[task.parent] += sizes[task.id] + 1
    for task in tasks:
        if task.parent is not None:
            children[task.parent].append(task)
    waiting: list[tuple[TaskFacts, tuple[bool, ...]]] = [(task, ()) for task in tasks[:1]]
    while waiting:
        task, last = waiting.pop()
        below = children[task.id]
        share = kept[task.id] / came[task.id] if came[task.id] else None
        ends = 0 if below else _ended(last)
        yield Entry(task, rows[task.id], share, sizes[task.id], bool(below), ends, last)
        waiting.extend((child, (*last, at == 0)) for at, child in enumerate(reversed(below)))


def _ended(last: tuple[bool, ...]) -> int:
    ended = 0
    for is_last in reversed(last):
        if not is_last:
            break
        ended += 1
    return ended


def outline_text(tasks: Sequence[TaskFacts], *, kept: int = 60) -> str:
    """The tree for a terminal: a line a task with its rows, yield, refusals and state.

    Names longer than ``kept`` characters are cut; what would hide or turn text stands as its code point.

    >>> print(outline_text([
    ...     TaskFacts(id="r", name="rewriting", closed="breadth reached"),
    ...     TaskFacts(id="a", name="paraphrase", parent="r", depth=1, rows=9, rows_delivered=12, row_calls=2,
    ...               refused_rows={"overlap": 3}, full="count reached"),
    ... ]))
    rewriting · 1 task below · 9 rows below · no row · closed: breadth reached
    └─ paraphrase · 9 rows · yield 75.0 % · 3 refused (overlap 3) · full: count reached
    """
    lines = []
    for entry in outline(tasks):
        stem = "".join("   " if is_last else "│  " for is_last in entry.last[:-1])
        branch = ("└─ " if entry.last[-1] else "├─ ") if entry.last else ""
        name = visible(" ".join(entry.task.name.split()), kept=kept)
        lines.append(" · ".join([f"{stem}{branch}{name}", *told(entry)]))
    return "\n".join(lines)


def told(entry: Entry) -> list[str]:
    """Counts, yield, refusals and state of one task, a phrase each.

    >>> told(Entry(TaskFacts(id="a", name="a"), 0, None, 0, False, 0, ()))
    ['no row']
    """
    task, found = entry.task, []
    if entry.has_children:
        found += [_many(entry.tasks_below, "task") + " below", _many(entry.below, "row") + " below"]
    found.append(_many(task.rows, "row") if task.rows else "no row")
    if task.attached:
        found.append(f"{count(task.attached)} attached")
    if task.rows_yield is not None:
        found.append(f"yield {Scale().score(task.rows_yield)}")
    for number, what in ((task.refused_names, "names refused"), (task.refused_rows, "refused")):
        if number:
            found.append(f"{count(sum(number.values()))} {what} ({rules(number)})")
    if task.estimate is not None:
        doubt = "" if task.is_telling else ", a guess: few were met again"
        found.append(f"about {task.estimate:.0f} subtasks in all by a blind probe{doubt}")
    if task.closed:
        found.append(f"closed: {visible(task.closed)}")
    if task.full:
        found.append(f"full: {visible(task.full)}")
    return found


def rules(counts: dict[str, int]) -> str:
    """Rules with their counts, most frequent first, ties by name.

    >>> rules({"repeat": 1, "overlap": 3})
    'overlap 3, repeat 1'
    """
    order = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{visible(rule)} {count(number)}" for rule, number in order)


def _many(number: int, word: str) -> str:
    return f"{count(number)} {word}" + ("" if number == 1 else "s")
