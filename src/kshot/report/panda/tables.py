"""A PANDA report as plain tables, one source for the page and the Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kshot.report.forest import Axis, Bar, axis_over
from kshot.report.panda.facts import AblationRows, Interval, PandaReport, SystemRow, VariantRow
from kshot.report.wording import ABSENT, Scale, count, duration, money, p_value

QUESTIONS = {
    "used": "Are the insights used?",
    "adds_to_examples": "Do they add to labelled examples?",
    "follows_blindly": "Are wrong insights followed?",
    "beside": "beside",
}
GROUPS = {
    "baseline": "baseline", "insights": "PANDA", "control": "control", "expert": "the expert itself",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PandaTable:
    """A heading, a sentence that says what to see, and a table; all plain text.

    Attributes:
        key: Of the section that it stands in.
        words: Positions of columns that hold words; the others hold figures.
        tones: For each row the class of its verdict: ``better``, ``worse``, ``tied``, ``unsure``,
            ``reference`` or ``other``.
        bars: For each row where its interval stands on ``axis``; empty: no picture.
        mark: The place of the dashed line.
    """

    key: str
    title: str
    lead: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    words: frozenset[int] = frozenset()
    tones: tuple[str, ...] = ()
    bars: tuple[Bar | None, ...] = ()
    axis: Axis | None = None
    mark: float | None = None


def panda_tables(report: PandaReport) -> Iterator[PandaTable]:
    """Every table that there are figures for, in the order of the page."""
    scale = scale_of(report)
    if report.claims:
        yield claims_table(report, scale)
    yield leaderboard_table(report, scale)
    for ablation in report.ablations:
        yield ablation_table(ablation, scale)
    if report.pool:
        yield PandaTable("pool", "The pool", "What was learned.", ("what", "value"), report.pool,
                         frozenset({1}))  # fmt: skip
    if report.pool_labels:
        rows = [(label, count(number)) for label, number in report.pool_labels.items()]
        yield PandaTable("pool", "Preferred answers", "How often each is preferred in the pool.",
                         ("answer", "insights"), rows)  # fmt: skip
    if report.cascade:
        yield cascade_table(report, scale)
    if report.guide and report.guide.rules:
        yield rules_table(report)
    if report.usage:
        yield usage_table(report)


def scale_of(report: PandaReport) -> Scale:
    """Percent if every value and bound of the leaderboard lies within 0 to 1."""
    found = [bound for row in report.systems for bound in (row.value, *row.interval)]
    return Scale(percent=all(0 <= value <= 1 for value in found if value == value))


def claims_table(report: PandaReport, scale: Scale) -> PandaTable:
    """The comparisons that the verdict rests on."""
    rows = [
        (
            QUESTIONS.get(row.question, row.question), f"{row.a} − {row.b}", scale.signed(row.difference),
            scale.interval(row.interval, signed=True), p_value(row.p), count(row.n),
            _found(row.shown, row.interval), scale.number(row.smallest_difference),
        )
        for row in report.claims
    ]  # fmt: skip
    header = ("question", "difference of", f"difference ({scale.points})", "95 % interval", "p", "n", "found",
              "could have shown")  # fmt: skip
    lead = (
        "The same items, number of insights and decoding; only what the insights say differs. A question is "
        "answered with yes where the whole 95 % interval lies above 0."
    )
    tones = tuple(
        "better" if row.shown else "worse" if row.interval[1] < 0 else "unsure" for row in report.claims
    )
    title = "Do the insights do the work?"
    return PandaTable("controls", title, lead, header, rows, frozenset({1, 6}), tones)


def leaderboard_table(report: PandaReport, scale: Scale) -> PandaTable:
    """Every system with its interval, and the paired difference to the reference."""
    more = list(dict.fromkeys(name for row in report.systems for name in row.more or {}))
    header = (
        "system", "what", f"{report.metric}, 95 % interval", *more,
        f"against {report.reference}, 95 % interval", "p (Holm)", "verdict", "invalid", "tokens per item",
        "calls", "money", "note",
    )  # fmt: skip
    rows = [(
        row.name, GROUPS[row.group], _with(scale.score(row.value), scale.interval(row.interval)),
        *(scale.number((row.more or {}).get(name)) for name in more),
        _with(scale.signed(row.difference), scale.interval(row.difference_interval, signed=True)),
        p_value(row.p_holm), row.verdict or ABSENT,
        count(row.invalid), _tokens(row), count(row.calls), money(row.usd), row.note,
    ) for row in report.systems]  # fmt: skip
    axis = axis_over([bound for row in report.systems for bound in (row.value, *row.interval)],
                     share=scale.percent)  # fmt: skip
    reference = next((row for row in report.systems if row.name == report.reference), None)
    lead = (
        f"Every system answered the same {report.n:,} items. The line is the 95 % interval; the dashed mark "
        f"is {report.reference}. A gain over random examples proves nothing: look at the expert's labels "
        "alone, and at the expert itself."
    )
    words = frozenset({1, len(header) - 6, len(header) - 1})
    return PandaTable(
        "leaderboard", "All systems on the same items", lead, header, rows, words,
        tuple(_tone(row, report.reference) for row in report.systems),
        tuple(place(row.value, row.interval, axis) for row in report.systems), axis,
        axis.place(reference.value) if reference else None,
    )  # fmt: skip


def ablation_table(ablation: AblationRows, scale: Scale) -> PandaTable:
    """The variants of one question, each against the first."""
    header = ("variant", "score, 95 % interval", "against the first, 95 % interval", "p (Holm)", "n",
              "invalid", "insights in the pool", "tokens per item", "note")  # fmt: skip
    rows = [_variant(row, scale) for row in ablation.variants]
    rows += [(name, *[ABSENT] * 7, f"not run: {why}") for name, why in (ablation.skipped or {}).items()]
    axis = axis_over([bound for row in ablation.variants for bound in (row.value, *row.interval)],
                     share=scale.percent)  # fmt: skip
    first = ablation.variants[0] if ablation.variants else None
    lead = "Each variant answered the same items; differences are paired, against the first one."
    blank = (None,) * len(ablation.skipped or {})
    return PandaTable(
        "ablations", ablation.title, lead, header, rows, frozenset({8}),
        tuple("reference" if at == 0 else _sign(row.difference_interval)
              for at, row in enumerate(ablation.variants)) + ("other",) * len(blank),
        (*(place(row.value, row.interval, axis) for row in ablation.variants), *blank), axis,
        axis.place(first.value) if first else None,
    )  # fmt: skip


def cascade_table(report: PandaReport, scale: Scale) -> PandaTable:
    """Ways of sharing the items between the LLM and the expert."""
    rows = [(row.name, scale.score(row.value), Scale().score(row.asked_share), scale.score(row.kept),
             scale.score(row.asked), count(row.calls), money(row.usd), row.note)
            for row in report.cascade]  # fmt: skip
    header = ("who decides", "score", "share asked of the expert", "score where the LLM decided",
              "score where the expert was asked", "calls", "money", "note")  # fmt: skip
    lead = report.cascade_sentence or "The expert is asked where the LLM's draws disagree."
    return PandaTable("cascade", "Cascade to the expert", lead, header, rows, frozenset({7}))


def rules_table(report: PandaReport) -> PandaTable:
    """The rules of the guide with what supports them."""
    rules = report.guide.rules if report.guide else ()
    rows = [(str(at), row.text, count(row.support), row.conflict or ABSENT, ", ".join(row.ids[:6]))
            for at, row in enumerate(rules, 1)]  # fmt: skip
    header = ("rule", "text", "insights that support it", "conflict", "ids (the first six)")
    return PandaTable("guide", "Rules of the guide", "Ranked by support.", header, rows, frozenset({1, 3, 4}))


def usage_table(report: PandaReport) -> PandaTable:
    """Calls, tokens and money by step, with their sum."""
    rows: list[tuple[str, ...]]
    rows = [(row.step, count(row.calls), count(row.cached), count(row.failed), count(row.prompt_tokens),
             count(row.completion_tokens), money(row.usd), duration(row.seconds))
            for row in report.usage]  # fmt: skip
    sums = [sum(getattr(row, name) for row in report.usage)
            for name in ("calls", "cached", "failed", "prompt_tokens", "completion_tokens")]  # fmt: skip
    spent = sum(row.usd for row in report.usage)
    rows.append(("in all", *map(count, sums), money(spent), ABSENT))
    header = ("step", "calls paid", "from the journal", "failed", "prompt tokens", "completion tokens",
              "money", "time")  # fmt: skip
    lead = "Replies from the journal cost nothing."
    return PandaTable("usage", "Calls, tokens, money", lead, header, rows)


def place(value: float, interval: Interval, axis: Axis) -> Bar | None:
    """Where a value and its interval stand; None where it is no number.

    >>> place(0.5, (0.4, 0.6), Axis(0.0, 1.0, ()))
    Bar(left=40.0, width=20.0, point=50.0)
    """
    if value != value:
        return None
    low, high = interval if all(bound == bound for bound in interval) else (value, value)
    left = axis.place(low)
    return Bar(left, round(axis.place(high) - left, 3), axis.place(value))


def _variant(row: VariantRow, scale: Scale) -> tuple[str, ...]:
    tokens = ABSENT if row.tokens_per_item is None else f"{row.tokens_per_item:,.0f}"
    return (
        row.name, _with(scale.score(row.value), scale.interval(row.interval)),
        _with(scale.signed(row.difference), scale.interval(row.difference_interval, signed=True)),
        p_value(row.p_holm), count(row.n), count(row.invalid), count(row.pool_size), tokens, row.note,
    )  # fmt: skip


def _with(value: str, interval: str) -> str:
    return value if interval == ABSENT else f"{value} {interval}"


def _tokens(row: SystemRow) -> str:
    return ABSENT if not (row.prompt_tokens or row.completion_tokens) else f"{row.tokens_per_item:,.0f}"


def _found(shown: bool, interval: Interval) -> str:
    return "yes" if shown else "the opposite" if interval[1] < 0 else "no effect shown"


def _sign(interval: Interval | None) -> str:
    if interval is None:
        return "other"
    return "better" if interval[0] > 0 else "worse" if interval[1] < 0 else "unsure"


def _tone(row: SystemRow, reference: str) -> str:
    if row.name == reference:
        return "reference"
    known = {"better": "better", "worse": "worse", "tied": "tied", "too few rows to tell": "unsure"}
    return known.get(row.verdict, "other")
