"""A summary of several tasks as plain tables, one source for its page and its Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kshot.report.forest import axis_over
from kshot.report.panda.summary import (
    PandaSummary,
    Scored,
    SummaryAblation,
    SummaryCell,
    TaskLine,
    VariantCell,
    mean,
)
from kshot.report.panda.tables import GROUPS, PandaTable, place
from kshot.report.wording import ABSENT, Scale, count, money, p_value

_STAR = " *"
_MARKED = "* marks p (Holm) below 0.05"


def summary_tables(summary: PandaSummary) -> Iterator[PandaTable]:
    """Every table that there are figures for, in the order of the page."""
    scale = scale_of(summary)
    if summary.missing:
        yield PandaTable("missing", "Not finished", "The same command goes on with these.",
                         ("task", "why"), list(summary.missing.items()), frozenset({1}))  # fmt: skip
    if summary.tasks:
        yield means_table(summary, scale)
        yield scores_table(summary, scale)
        yield differences_table(summary, scale)
    if summary.official:
        yield official_table(summary, scale)
    for ablation in summary.ablations:
        yield ablation_table(ablation, summary, scale)
    for task in summary.tasks:
        yield task_table(task, summary, scale)
    if summary.usage:
        yield _usage_table(summary)


def scale_of(summary: PandaSummary) -> Scale:
    """Percent if every value and bound lies within 0 to 1."""
    found = [bound for cell in summary.cells for bound in (cell.score.value, *cell.score.interval)]
    return Scale(percent=all(0 <= value <= 1 for value in found if value == value))


def means_table(summary: PandaSummary, scale: Scale) -> PandaTable:
    """Every system over all tasks that it was judged on."""
    rows: list[tuple[str, ...]] = []
    header: tuple[str, ...]
    for system in summary.systems:
        cells = summary.of_system(system)
        shifts = [one.difference for one in cells if one.difference is not None]
        signs = [one.verdict for one in cells]
        rows.append((
            system, count(len(cells)), scale.score(mean([one.score.value for one in cells])),
            scale.signed(mean(shifts)), f"{signs.count('better')} / {signs.count('worse')}",
            scale.score(_mean_of(cells, lambda one: one.accuracy)),
            Scale().score(mean([one.invalid / one.n for one in cells])),
            scale.score(_mean_of(cells, lambda one: one.macro_f1)),
        ))  # fmt: skip
    header = ("system", "tasks", f"mean {_named(summary.metric)}", f"mean against {summary.reference}",
              "better / worse on", "mean accuracy", "invalid", "mean macro-F1")  # fmt: skip
    if summary.metric == "macro_f1":  # it stands there already
        header, rows = header[:-1], [row[:-1] for row in rows]
    lead = (
        "The plain mean over tasks, each counting the same. Means over different numbers of tasks cannot be "
        "compared. Better and worse are counted after Holm's correction over the whole summary."
    )
    return PandaTable("means", "Means over tasks", lead, header, rows, frozenset({4}))


def scores_table(summary: PandaSummary, scale: Scale) -> PandaTable:
    """Tasks × systems: the score with its interval."""

    def cell(task: TaskLine, system: str) -> str:
        found = summary.cell(task.name, system)
        return ABSENT if found is None else _scored(found.score, scale)

    metric = _named(summary.metric) if summary.metric else "each task has its own metric"
    lead = f"The score ({metric}) with its 95 % interval."
    return _matrix("scores", "Scores: tasks by systems", lead, summary, cell)


def differences_table(summary: PandaSummary, scale: Scale) -> PandaTable:
    """Tasks × systems: the paired difference to the reference."""

    def cell(task: TaskLine, system: str) -> str:
        found = summary.cell(task.name, system)
        if found is None or found.difference is None:
            return ABSENT
        star = _STAR if found.p_holm is not None and found.p_holm < 0.05 else ""
        shift = scale.signed(found.difference)
        return f"{shift} {scale.interval(found.difference_interval, signed=True)}{star}"

    compared = sum(one.p is not None for one in summary.cells)
    lead = (
        f"The paired difference to {summary.reference} on the same items, in {scale.points}, with its 95 % "
        f"interval. {_MARKED}, corrected over all {compared:,} comparisons of this summary."
    )
    return _matrix("scores", f"Differences to {summary.reference}", lead, summary, cell)


def official_table(summary: PandaSummary, scale: Scale) -> PandaTable:
    """Systems × official tasks, with the mean of all where all are there."""
    rows = [
        (row.system, *(scale.score(row.values.get(name)) for name in summary.official_tasks),
         scale.score(row.mean))
        for row in summary.official
    ]  # fmt: skip
    lead = (
        "TweetEval's own scores: emoji, emotion, hate and offensive macro-F1; irony F1 of irony; sentiment "
        "macro recall; stance the mean F1 of against and favor over the rows of its five targets together. "
        "TE is the mean of the seven."
    )
    if summary.official_missing:
        lead += f" There is no TE: {', '.join(summary.official_missing)} missing."
    header = ("system", *summary.official_tasks, "TE")
    return PandaTable("official", "TweetEval's official scores", lead, header, rows)


def ablation_table(ablation: SummaryAblation, summary: PandaSummary, scale: Scale) -> PandaTable:
    """Tasks × variants of one question, and the mean of each variant."""
    known = {(one.task, one.variant): one for one in ablation.cells}
    names = [one.name for one in summary.single]
    rows: list[tuple[str, ...]] = [
        (name, *(_variant(known.get((name, variant)), scale) for variant in ablation.variants))
        for name in names
    ]
    means = []
    for variant in ablation.variants:
        cells = [one for one in ablation.cells if one.variant == variant]
        means.append(f"{scale.score(mean([one.value for one in cells]))} ({len(cells)} tasks)")
    rows.append(("mean", *means))
    compared = sum(one.p is not None for one in ablation.cells)
    lead = (
        "Each score, and in brackets its paired difference to the task's first variant with the 95 % "
        f"interval, in {scale.points}. {_MARKED}, corrected over all {compared:,} comparisons of this table."
    )
    tones = ("other",) * len(names) + ("reference",)
    return PandaTable("ablations", ablation.title, lead, ("task", *ablation.variants), rows, tones=tones)


def task_table(task: TaskLine, summary: PandaSummary, scale: Scale) -> PandaTable:
    """Every figure of one task."""
    cells = [one for one in summary.cells if one.task == task.name]
    rows = [(
        one.system, GROUPS[one.group], _scored(one.score, scale), _scored(one.macro_f1, scale),
        _scored(one.official, scale), _scored(one.accuracy, scale), Scale().score(one.invalid / one.n),
        count(one.n), scale.signed(one.difference), scale.interval(one.difference_interval, signed=True),
        p_value(one.p), p_value(one.p_holm), one.verdict,
    ) for one in cells]  # fmt: skip
    header = ("system", "what", f"{_named(task.metric)}, 95 % interval", "macro-F1, 95 % interval",
              f"{task.official or 'official score'}, 95 % interval", "accuracy, 95 % interval", "invalid",
              "n", f"against {summary.reference}", "95 % interval", "p", "p (Holm)", "verdict")  # fmt: skip
    drop = {3} if task.metric == "macro_f1" else set()
    drop |= set() if task.official and task.official != task.metric else {4}
    kept = [at for at in range(len(header)) if at not in drop]
    axis = axis_over([bound for one in cells for bound in (one.score.value, *one.score.interval)],
                     share=scale.percent)  # fmt: skip
    reference = summary.cell(task.name, summary.reference)
    return PandaTable(
        "tasks", task.name, task.headline, tuple(header[at] for at in kept),
        [tuple(row[at] for at in kept) for row in rows], frozenset({1, len(kept) - 1}),
        tuple(_tone(one, summary.reference) for one in cells),
        tuple(place(one.score.value, one.score.interval, axis) for one in cells), axis,
        axis.place(reference.score.value) if reference else None,
    )  # fmt: skip


def _matrix(
    key: str, title: str, lead: str, summary: PandaSummary, cell: Callable[[TaskLine, str], str]
) -> PandaTable:
    rows = [
        (task.name, count(task.n), *(cell(task, system) for system in summary.systems))
        for task in summary.tasks
    ]
    tones = tuple("reference" if task.pooled else "other" for task in summary.tasks)
    return PandaTable(key, title, lead, ("task", "n", *summary.systems), rows, tones=tones)


def _usage_table(summary: PandaSummary) -> PandaTable:
    rows = [(one.step, count(one.calls), count(one.cached), count(one.failed), count(one.prompt_tokens),
             count(one.completion_tokens), money(one.usd)) for one in summary.usage]  # fmt: skip
    header = ("step", "calls paid", "from the journal", "failed", "prompt tokens", "completion tokens",
              "money")  # fmt: skip
    lead = "Of all finished tasks together. Replies from the journal cost nothing."
    return PandaTable("usage", "Calls, tokens, money", lead, header, rows)


def _named(metric: str) -> str:
    return "macro-F1" if metric == "macro_f1" else metric or "score"


def _mean_of(cells: Sequence[SummaryCell], of: Callable[[SummaryCell], Scored | None]) -> float | None:
    """The mean where every cell has the value; else none, as it would be a mean of other tasks."""
    found = [scored.value for one in cells if (scored := of(one)) is not None]
    return mean(found) if len(found) == len(cells) else None


def _scored(found: Scored | None, scale: Scale) -> str:
    return ABSENT if found is None else f"{scale.score(found.value)} {scale.interval(found.interval)}"


def _variant(found: VariantCell | None, scale: Scale) -> str:
    if found is None:
        return ABSENT
    if found.difference is None:
        return f"{scale.score(found.value)} {scale.interval(found.interval)}"
    star = _STAR if found.p_holm is not None and found.p_holm < 0.05 else ""
    shift = f"{scale.signed(found.difference)} {scale.interval(found.difference_interval, signed=True)}"
    return f"{scale.score(found.value)} ({shift}){star}"


def _tone(one: SummaryCell, reference: str) -> str:
    if one.system == reference:
        return "reference"
    known = {"better": "better", "worse": "worse", "tied": "tied", "too few rows to tell": "unsure"}
    return known.get(one.verdict, "other")
