"""What several finished evaluations say together: cells, official scores, ablations by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kshot.data.task import Task
from kshot.data.tweeteval import PREFIX, STANCES
from kshot.measure.statistics import compare_predictions, holm, score_interval, verdict
from kshot.pipeline.panda.ablate import VariantOutcome
from kshot.pipeline.panda.ablations import SIZES
from kshot.pipeline.panda.conditions import NAMES, REFERENCE
from kshot.pipeline.panda.evaluation import Judged
from kshot.pipeline.panda.evidence import Outcome
from kshot.pipeline.panda.parts import MARGIN
from kshot.report.panda import (
    OfficialRow,
    PandaSummary,
    Scored,
    SummaryAblation,
    SummaryCell,
    TaskLine,
    UsageRow,
    VariantCell,
)

STANCE = "stance, all targets"
OFFICIAL = ("emoji", "emotion", "hate", "irony", "offensive", "sentiment", "stance")
_GENERAL = "One LLM: a general claim needs three LLMs or more."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One task's evaluation.

    Attributes:
        official: The data set's own metric, where it has one beside the task's.
        page: Where its report lies, relative to the summary.
        before: Whose pool ``transfer`` took, where that is the task before.
        cells: Every condition under every metric: the slow part, so made once (``finish``).
    """

    task: Task
    judged: Judged
    official: str = ""
    page: str = ""
    before: str = ""
    cells: tuple[SummaryCell, ...] = ()


def finish(task: Task, judged: Judged, *, official: str = "", page: str = "", before: str = "") -> Finished:
    """One task's evaluation with its figures, for ``summarise``.

    Example::

        finish(task, judge_pool(task, pool, Evaluation(), listener=silent), page="irony/panda.html")
    """
    one = Finished(task=task, judged=judged, official=official, page=page, before=before)
    return replace(one, cells=_cells(one))


def summarise(finished: Sequence[Finished], missing: Mapping[str, str]) -> PandaSummary:
    """The summary of the finished tasks; p values are Holm's over all of its comparisons.

    The five targets of TweetEval's stance are also judged as one, their rows together, where all are there.

    Example::

        summary = summarise([finish(task, judged)], {"irony": "not begun"})
    """
    cells = [cell for one in finished for cell in one.cells]
    lines = [_line(one) for one in finished]
    pooled = _pooled_stance(finished)
    if pooled:
        cells += pooled
        stances = [one for one in finished if one.task.name in STANCES]
        lines.append(_pooled_line(stances, pooled))
    present = {one.system for one in cells}
    official, lacking = _official(finished, cells, present)
    return PandaSummary(
        systems=tuple(name for name in NAMES if name in present),
        reference=REFERENCE,
        tasks=tuple(lines),
        cells=_corrected(cells),
        missing=dict(missing),
        official=official,
        official_tasks=tuple(name for name in OFFICIAL if any(name in row.values for row in official)),
        official_missing=lacking,
        ablations=_ablations(finished),
        simulated=any(one.judged.report.simulated for one in finished),
        miniature=any(one.judged.report.miniature for one in finished),
        facts=_facts(finished),
        usage=_usage(finished),
        notes=(_GENERAL,) if finished else (),
        leaves=tuple(dict.fromkeys(text for one in finished for text in one.judged.report.leaves)),
    )


def _line(one: Finished) -> TaskLine:
    report = one.judged.report
    return TaskLine(
        name=one.task.name, n=report.n, metric=report.metric, official=_official_metric(one),
        headline=report.headline, tone=report.tone, page=one.page,
        notes=tuple(f"{one.task.name}: {note.removeprefix(f'{one.task.name}: ')}" for note in one.task.notes),
    )  # fmt: skip


def _official_metric(one: Finished) -> str:
    metric = one.judged.report.metric
    return one.official or (metric if metric.startswith(PREFIX) else "")


def _cells(one: Finished) -> tuple[SummaryCell, ...]:
    """Every condition of one task."""
    evidence = one.judged.evidence
    scores = _Scores(evidence.gold, one.task.labels, one.task.settings.report.seed)
    return tuple(_cell(one.task.name, row, scores, _official_metric(one)) for row in evidence.outcomes)


@dataclass(frozen=True, slots=True)
class _Scores:
    """The right answers of some items, and how answers to them are scored."""

    gold: Sequence[str]
    labels: Sequence[str]
    seed: int

    def of(self, metric: str, answers: Sequence[str | None]) -> Scored | None:
        """The value and its interval; None where the metric needs labels and there are none."""
        if not metric or not self.labels:
            return None
        value, interval = score_interval(metric, answers, self.gold, labels=self.labels, seed=self.seed)
        return Scored(value=value, interval=interval)


def _cell(task: str, row: Outcome, scores: _Scores, official: str) -> SummaryCell:
    seen = row.comparison
    return SummaryCell(
        task=task, system=row.name, group=row.condition.group, n=len(row.answers), invalid=row.invalid,
        score=Scored(value=row.value, interval=row.interval), macro_f1=scores.of("macro_f1", row.answers),
        accuracy=scores.of("accuracy", row.answers), official=scores.of(official, row.answers),
        difference=seen.difference if seen else None, difference_interval=seen.interval if seen else None,
        p=row.raw_p,
    )  # fmt: skip


def _pooled_stance(finished: Sequence[Finished]) -> list[SummaryCell]:
    """The five targets as one list of rows, for every condition that all of them have."""
    found = [one for one in finished if one.task.name in STANCES and _official_metric(one)]
    if len(found) < len(STANCES) or len({one.judged.report.metric for one in found}) > 1:
        return []
    gold = [answer for one in found for answer in one.judged.evidence.gold]
    metric, labels, seed = (
        found[0].judged.report.metric, found[0].task.labels, found[0].task.settings.report.seed,
    )  # fmt: skip
    scores, cells = _Scores(gold, labels, seed), []
    plain = _together(found, REFERENCE)
    for name in NAMES:
        rows = _together(found, name)
        if rows is None or plain is None:
            continue
        answers, base = ([a for row in side for a in row.answers] for side in (rows, plain))
        value, interval = score_interval(metric, answers, gold, labels=labels, seed=seed)
        pooled = replace(
            rows[0], answers=tuple(answers), value=value, interval=interval, raw_p=None, comparison=None,
            invalid=sum(row.invalid for row in rows),
        )  # fmt: skip
        if name != REFERENCE:
            seen = compare_predictions(metric, answers, base, gold, labels=labels, margin=MARGIN, seed=seed)
            pooled = replace(pooled, comparison=seen, raw_p=seen.p)
        cells.append(_cell(STANCE, pooled, scores, f"{PREFIX}stance"))
    return cells


def _together(found: Sequence[Finished], name: str) -> list[Outcome] | None:
    rows = [one.judged.evidence.outcome(name) for one in found]
    kept = [row for row in rows if row is not None]
    return kept if len(kept) == len(rows) else None


def _pooled_line(stances: Sequence[Finished], cells: Sequence[SummaryCell]) -> TaskLine:
    return TaskLine(
        name=STANCE, n=cells[0].n, metric=stances[0].judged.report.metric, official=f"{PREFIX}stance",
        headline="The rows of the five targets judged as one, as TweetEval does.", pooled=True,
    )  # fmt: skip


def _official(
    finished: Sequence[Finished], cells: Sequence[SummaryCell], present: set[str]
) -> tuple[tuple[OfficialRow, ...], tuple[str, ...]]:
    """TweetEval's seven scores of each condition; and those of the seven that no condition has."""
    names = {one.task.name: _official_metric(one).removeprefix(PREFIX) for one in finished}
    names = {task: name for task, name in names.items() if name and task not in STANCES}
    names[STANCE] = "stance"
    rows = []
    for system in (name for name in NAMES if name in present):
        values = {
            names[one.task]: one.official.value
            for one in cells
            if one.system == system and one.task in names and one.official is not None
        }
        if values:
            full = all(name in values for name in OFFICIAL)
            te = sum(values[name] for name in OFFICIAL) / len(OFFICIAL) if full else None
            rows.append(OfficialRow(system=system, values=values, mean=te))
    known = {name for row in rows for name in row.values}
    lacking = tuple(name for name in OFFICIAL if name not in known)
    return tuple(rows), lacking if rows else ()


def _corrected(cells: Sequence[SummaryCell]) -> tuple[SummaryCell, ...]:
    """All cells with Holm's p over all of them, and the verdict that follows."""
    compared = [at for at, one in enumerate(cells) if one.p is not None]
    adjusted = dict(zip(compared, holm([cells[at].p or 0.0 for at in compared]), strict=True))
    found = []
    for at, one in enumerate(cells):
        if one.difference is None or one.difference_interval is None:
            found.append(replace(one, verdict="reference"))
            continue
        said = verdict(one.difference, one.difference_interval, adjusted[at], margin=MARGIN)
        found.append(replace(one, p_holm=adjusted[at], verdict=said))
    return tuple(found)


def _ablations(finished: Sequence[Finished]) -> tuple[SummaryAblation, ...]:
    """One table a question, in the order of the first task that answers it."""
    titles: dict[str, str] = {}
    cells: dict[str, list[VariantCell]] = {}
    for one in finished:
        for table in one.judged.ablations:
            titles.setdefault(table.question, table.title)
            found = [_variant_cell(one, row, table.question) for row in table.outcomes]
            cells.setdefault(table.question, []).extend(found)
    return tuple(
        SummaryAblation(
            question=question, title=title, cells=_adjusted(cells[question]),
            variants=_columns(cells[question]),
        )
        for question, title in titles.items()
        if cells[question]
    )  # fmt: skip


def _variant_cell(one: Finished, row: VariantOutcome, question: str) -> VariantCell:
    return VariantCell(
        task=one.task.name, variant=_column(one, row, question), name=row.variant.name, value=row.value,
        interval=row.interval, n=len(row.answers), difference=row.difference,
        difference_interval=row.difference_interval, p=row.p,
    )  # fmt: skip


def _column(one: Finished, row: VariantOutcome, question: str) -> str:
    """Words that mean the same for every task: pools have other sizes and neighbours there."""
    if question == "transfer" and row.variant.pool is not None and row.variant.pool == one.before:
        return "the pool of the task before"
    if question == "pool_size" and row.variant.size not in SIZES:
        return "the whole pool"
    return row.variant.name


def _columns(cells: Sequence[VariantCell]) -> tuple[str, ...]:
    """In the order of the task with most variants; those that it lacks come after."""
    by_task: dict[str, list[str]] = {}
    for one in cells:
        by_task.setdefault(one.task, []).append(one.variant)
    ordered = sorted(by_task.values(), key=len, reverse=True)
    return tuple(dict.fromkeys(name for names in ordered for name in names))


def _adjusted(cells: Sequence[VariantCell]) -> tuple[VariantCell, ...]:
    compared = [at for at, one in enumerate(cells) if one.p is not None]
    adjusted = dict(zip(compared, holm([cells[at].p or 0.0 for at in compared]), strict=True))
    return tuple(replace(one, p_holm=adjusted.get(at)) for at, one in enumerate(cells))


def _facts(finished: Sequence[Finished]) -> tuple[tuple[str, str], ...]:
    """What all tasks have in common, as their reports tell it, but the pool."""
    reports = [dict(one.judged.report.facts) for one in finished]
    shared = [(name, value) for name, value in (reports[0] if reports else {}).items() if name != "pool"]
    return tuple((name, value) for name, value in shared if all(r.get(name) == value for r in reports))


def _usage(finished: Sequence[Finished]) -> tuple[UsageRow, ...]:
    """By step, over all tasks."""
    found: dict[str, UsageRow] = {}
    for row in (row for one in finished for row in one.judged.report.usage):
        known = found.get(row.step)
        if known is None:
            found[row.step] = replace(row, seconds=None)
            continue
        summed = {
            name: getattr(known, name) + getattr(row, name)
            for name in ("calls", "cached", "failed", "prompt_tokens", "completion_tokens", "usd")
        }
        found[row.step] = replace(known, **summed)
    return tuple(found.values())
