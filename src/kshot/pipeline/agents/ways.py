"""From episodes to rows: each way of acting, its scores, and its difference to the one it is set against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kshot.agents import evaluate_episodes
from kshot.agents.ablate import Cell, compared, mean_interval, mean_score, variation_scores
from kshot.agents.ablate import Scores as VariationScores
from kshot.agents.episode import NOTHING
from kshot.measure.statistics import holm
from kshot.report.agents import ScoreRow, Scores, TaskRows
from kshot.report.agents.facts import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One row of a table, over the tasks that have it.

    Attributes:
        against: Name of the row that it is compared with; empty: of none.
        tested: What the verdict calls it.
        cells: By task.
    """

    name: str
    group: Group = "variant"
    note: str = ""
    against: str = ""
    tested: str = ""
    cells: Mapping[str, Cell] = field(default_factory=dict)

    def scores(self, tasks: Iterable[str]) -> dict[str, dict[int, float]]:
        """Mean final score by task and variation."""
        return {task: variation_scores(self.cells[task].episodes) for task in tasks if task in self.cells}


def scores_of(
    question: str, title: str, ways: Sequence[Way], tasks: Sequence[str], *, seed: int = 0
) -> Scores:
    """One table a task, and one over all where there are several.

    Holm's correction is over all comparisons of the tables by task, and apart from it over those of the
    table of all tasks.

    Example::

        scores_of("conditions", "Conditions", ways, ["toy"]).first.rows
    """
    rows = [(task, way, _row(way, [task], ways, seed)) for task in tasks for way in ways if task in way.cells]
    corrected = _corrected([row for _, _, row in rows])
    by_task: dict[str, list[ScoreRow]] = {task: [] for task in tasks}
    for (task, _, _), row in zip(rows, corrected, strict=True):
        by_task[task].append(row)
    tables = tuple(TaskRows(task=task, rows=tuple(found)) for task, found in by_task.items())
    overall = None
    if len(tasks) > 1:
        whole = _corrected([_row(way, tasks, ways, seed) for way in ways])
        overall = TaskRows(task="", rows=tuple(whole))
    return Scores(question=question, title=title, tasks=tables, overall=overall)


def _row(way: Way, tasks: Sequence[str], ways: Sequence[Way], seed: int) -> ScoreRow:
    """One way on some tasks. Tasks of which nothing is there are in no mean."""
    cells = [way.cells[task] for task in tasks if task in way.cells]
    scores = way.scores(tasks)
    value = mean_score(scores)
    skipped = "; ".join(dict.fromkeys(cell.skipped for cell in cells if cell.skipped))
    note = "; ".join(part for part in (way.note, skipped) if part)
    missing = sum(cell.missing for cell in cells)
    if value is None:
        failed = sum(len(cell.episodes) for cell in cells)
        return ScoreRow(name=way.name, group=way.group, missing=missing, failed=failed, note=note)
    seen = [evaluate_episodes(cell.episodes) for cell in cells if scores.get(cell.task)]
    count = len(seen)
    if len(tasks) > 1 and count < len(tasks):
        note = f"{note}; {count} of {len(tasks)} tasks".removeprefix("; ")
    usage = sum((one.usage for one in seen), NOTHING)
    row = ScoreRow(
        name=way.name, group=way.group, score=value, interval=mean_interval(scores, seed=seed),
        best=sum(one.best for one in seen) / count, solved=sum(one.success_share for one in seen) / count,
        steps=sum(one.steps for one in seen) / count, n=sum(map(len, scores.values())), tasks=count,
        episodes=sum(one.episodes - one.failed for one in seen), failed=sum(one.failed for one in seen),
        missing=missing, asked=usage.asked, paid=usage.calls, prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens, usd=usage.usd, note=note,
        pool=max(cell.size for cell in cells),
    )  # fmt: skip
    other = next((one for one in ways if one.name == way.against), None)
    return _compared(row, scores, other.scores(tasks), way.against, seed) if other else row


def _compared(
    row: ScoreRow, scores: VariationScores, others: VariationScores, against: str, seed: int
) -> ScoreRow:
    found = compared(scores, others, seed=seed)
    if found is None:
        told = f"{row.note}; too few variations to compare".removeprefix("; ")
        return replace(row, against=against, note=told)
    return replace(
        row, against=against, difference=found.difference, difference_interval=found.interval, p=found.p,
        smallest=found.smallest, verdict=found.verdict,
    )  # fmt: skip


def _corrected(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Holm over the rows that were compared; a verdict needs the corrected p."""
    corrected = iter(holm([row.p for row in rows if row.p is not None]))
    found = []
    for row in rows:
        if row.p is None:
            found.append(row)
            continue
        p = next(corrected)
        is_lost = p >= 0.05 and row.verdict in ("better", "worse")
        found.append(replace(row, p_holm=p, verdict="too few rows to tell" if is_lost else row.verdict))
    return found
