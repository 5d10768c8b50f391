"""A report of interactive tasks as plain tables, one source for the page and the Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from kshot.report.agents.facts import AgentReport, Interval, ScoreRow, Scores, TaskRows
from kshot.report.forest import axis_over
from kshot.report.panda.facts import ClaimRow, UsageRow
from kshot.report.panda.tables import PandaTable, place
from kshot.report.wording import ABSENT, count, money, p_value

GROUPS = {
    "baseline": "baseline", "insights": "PANDA", "control": "control", "expert": "the expert itself",
    "variant": "variant",
}  # fmt: skip
QUESTIONS = {
    "used": "Are the insights used?",
    "adds_to_examples": "Do they add to bare preferences?",
    "follows_blindly": "Are wrong insights followed?",
}
SHOWN_AT = 0.05
_FOUND = {"better": "yes", "worse": "the opposite", "unsure": "no effect shown"}


def agent_tables(report: AgentReport) -> Iterator[PandaTable]:
    """Every table that there are figures for, in the order of the page."""
    if report.claims:
        yield claims_table(report)
    whole = "All tasks together" if report.conditions.overall else report.tasks[0]
    yield score_table("scores", whole, report.conditions.first)
    if report.conditions.overall:
        yield matrix_table("scores", report.conditions, "Score by task")
    for question in report.questions:
        yield score_table("questions", question.title, question.first)
        if question.overall:
            yield matrix_table("questions", question, f"{question.title}, by task")
    if report.conditions.overall:
        for task in report.conditions.tasks:
            yield score_table("tasks", task.task, task)
    if report.usage:
        yield usage_table(report.usage)


def claims_table(report: AgentReport) -> PandaTable:
    """The comparisons that the verdict rests on."""
    rows = [
        (
            QUESTIONS.get(row.question, row.question), f"{row.a} − {row.b}",
            points(row.difference, signed=True), bounds(row.interval, signed=True), p_value(row.p),
            count(row.n),
            _FOUND[_sign(row)],
            points(row.smallest_difference),
        )
        for row in report.claims
    ]  # fmt: skip
    header = ("question", "difference of", "difference (points)", "95 % interval", "p", "variations", "found",
              "could have shown")  # fmt: skip
    lead = (
        "The same test variations, rounds, number of insights and decoding; only what the insights say "
        "differs. Paired by variation, every task with the same weight. A question is answered with yes "
        "where the whole 95 % interval lies above 0 and p is below 5 %, which takes six variations or more."
    )
    tones = tuple(_sign(row) for row in report.claims)
    title = "Do the insights do the work?"
    return PandaTable("controls", title, lead, header, rows, frozenset({1, 6}), tones)


def score_table(key: str, title: str, table: TaskRows) -> PandaTable:
    """Every row with its interval, and the paired difference to the one that it is compared with."""
    axis = axis_over(
        [0.0, *(bound for row in table.rows for bound in (row.score or 0.0, *(row.interval or ())))]
    )
    reference = table.rows[0] if table.rows else None
    header = (
        "way of acting", "what", "score, 95 % interval", "difference, 95 % interval", "p (Holm)", "found",
        "could have shown", "best", "solved", "steps", "variations", "episodes", "requests", "tokens",
        "money", "note",
    )  # fmt: skip
    lead = (
        "Mean final score, 0 to 100, a lost episode by its last score before the loss. Differences are "
        "paired by variation"
    )
    others = {row.against for row in table.rows if row.against}
    lead += f", against {next(iter(others))}." if len(others) == 1 else ", against the row named in the note."
    bars = tuple(
        None if row.score is None else place(row.score, row.interval or (row.score, row.score), axis)
        for row in table.rows
    )
    marked = reference is not None and reference.score is not None and len(others) == 1
    return PandaTable(
        key, title, lead, header, [_cells(row, several=len(others) > 1) for row in table.rows],
        frozenset({1, 5, 15}), tuple(_tone(row) for row in table.rows), bars, axis,
        axis.place(reference.score) if marked and reference and reference.score is not None else None,
    )  # fmt: skip


def matrix_table(key: str, scores: Scores, title: str) -> PandaTable:
    """Tasks by ways of acting: the score, and the difference in brackets; a star where it is shown."""
    names = scores.names
    rows = [
        (task.task, *(ABSENT if (row := task.row(name)) is None else _entry(row) for name in names))
        for task in scores.tasks
    ]
    if scores.overall:
        cells = (scores.overall.row(name) for name in names)
        rows.append(("all tasks", *(ABSENT if row is None else _entry(row) for row in cells)))
    lead = (
        "Score, and the paired difference. A star: p (Holm, over all entries of its line's table) below 5 %."
    )
    return PandaTable(key, title, lead, ("task", *names), rows)


def usage_table(rows: tuple[UsageRow, ...]) -> PandaTable:
    """Calls, tokens and money of this run by step, with their sum."""
    shown: list[tuple[str, ...]]
    shown = [(row.step, count(row.calls), count(row.cached), count(row.failed), count(row.prompt_tokens),
              count(row.completion_tokens), money(row.usd)) for row in rows]  # fmt: skip
    sums = [sum(getattr(row, name) for row in rows)
            for name in ("calls", "cached", "failed", "prompt_tokens", "completion_tokens")]  # fmt: skip
    shown.append(("in all", *map(count, sums), money(sum(row.usd for row in rows))))
    header = (
        "step",
        "calls paid",
        "from the journal",
        "failed",
        "prompt tokens",
        "completion tokens",
        "money",
    )
    lead = "Of this run alone. Replies from the journal and episodes that were played before cost nothing."
    return PandaTable("usage", "Calls, tokens, money", lead, header, shown)


def points(value: float | None, *, signed: bool = False) -> str:
    """Points with one decimal; a dash where there are none.

    >>> points(27.25, signed=True), points(-0.04, signed=True), points(None)
    ('+27.2', '0.0', '–')
    """
    if value is None or value != value:
        return ABSENT
    text = f"{value:+.1f}" if signed else f"{value:.1f}"
    return "0.0" if not float(text) else text.replace("-", "−")


def bounds(interval: Interval | None, *, signed: bool = False) -> str:
    """An interval in brackets.

    >>> bounds((1.0, 22.5), signed=True)
    '[+1.0, +22.5]'
    """
    if interval is None:
        return ABSENT
    return f"[{points(interval[0], signed=signed)}, {points(interval[1], signed=signed)}]"


def _cells(row: ScoreRow, *, several: bool) -> tuple[str, ...]:
    against = f"against {row.against}" if several and row.against else ""
    missing = f"{row.missing:,} episodes are missing" if row.missing else ""
    failed = f"{row.failed:,} episodes failed and are in no mean" if row.failed else ""
    note = "; ".join(part for part in (row.note, against, missing, failed) if part)
    if row.score is None:
        return (row.name, GROUPS[row.group], *[ABSENT] * 13, note)
    tokens = row.prompt_tokens + row.completion_tokens
    return (
        row.name, GROUPS[row.group], f"{points(row.score)} {bounds(row.interval)}".removesuffix(f" {ABSENT}"),
        f"{points(row.difference, signed=True)} {bounds(row.difference_interval, signed=True)}"
        if row.difference is not None else ABSENT,
        p_value(row.p_holm), _found(row), points(row.smallest), points(row.best),
        ABSENT if row.solved is None else f"{100 * row.solved:.0f} %", points(row.steps), count(row.n),
        count(row.episodes), count(row.asked), count(tokens), money(row.usd), note,
    )  # fmt: skip


def _entry(row: ScoreRow) -> str:
    if row.score is None:
        return ABSENT
    if row.difference is None:
        return points(row.score)
    star = " *" if row.p_holm is not None and row.p_holm < SHOWN_AT else ""
    return f"{points(row.score)} ({points(row.difference, signed=True)}){star}"


def _found(row: ScoreRow) -> str:
    if row.difference is None:
        return ABSENT
    known = {"better": "higher", "worse": "lower", "tied": "tied"}
    return known.get(row.verdict, "no effect shown")


def _tone(row: ScoreRow) -> str:
    if not row.against:
        return "reference" if row.score is not None and row.group != "expert" else "other"
    return {"better": "better", "worse": "worse", "tied": "tied"}.get(row.verdict, "unsure")


def _sign(row: ClaimRow) -> str:
    if row.shown:
        return "better"
    return "worse" if row.interval[1] < 0 and row.p < SHOWN_AT else "unsure"
