"""The tables of a judgement, once for page, Markdown and terminal."""

from __future__ import annotations

from dataclasses import dataclass

from kshot.measure.judge import Agreement
from kshot.measure.judge.records import OUTCOMES
from kshot.report.judge.facts import JudgeReport
from kshot.report.wording import ABSENT, Scale, money, p_value


@dataclass(frozen=True, slots=True)
class JudgeTable:
    """A title, a sentence, and cells."""

    title: str
    lead: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def judge_tables(report: JudgeReport) -> tuple[JudgeTable, ...]:
    """Counts, figures, agreement with people where there is a file, and what it cost.

    Example::

        for table in judge_tables(report):
            print(table.title, table.rows)
    """
    found = [_counts(report), _figures(report)]
    if report.agreement is not None:
        found += [_people(report.agreement), _agreement(report.agreement)]
    return (*found, _cost(report))


def _counts(report: JudgeReport) -> JudgeTable:
    tally = report.figures.tally
    scale = Scale()
    said = {
        "win": f"both orders prefer {report.names[0]}",
        "tie": f"both orders say tie ({tally.equal} of them equal answers, for which nobody was asked)",
        "lose": f"both orders prefer {report.names[1]}",
        "split": "the orders differ",
        "unreadable": "a verdict could not be read",
    }
    rows = tuple(
        (
            name,
            f"{getattr(tally, name):,}",
            scale.score(getattr(tally, name) / tally.n if tally.n else None),
            text,
        )
        for name, text in said.items()
    )
    lead = f"Each pair is judged twice, with the places swapped. {tally.n:,} pairs, joined by {report.by}"
    left = (
        f"; {report.only[0]:,} rows of A and {report.only[1]:,} of B have no partner"
        if any(report.only)
        else ""
    )
    return JudgeTable("Outcomes", f"{lead}{left}.", ("outcome", "pairs", "share", "meaning"), rows)


def _figures(report: JudgeReport) -> JudgeTable:
    found, share = report.figures, Scale()
    beat = None if found.beat_rate is None else found.beat_rate / 100
    beat_interval = (
        None if found.beat_interval is None else (found.beat_interval[0] / 100, found.beat_interval[1] / 100)
    )
    first, second, none = report.places
    rows = (
        ("beat rate", share.score(beat), share.interval(beat_interval), "wins of the decided pairs (Wilson)"),
        ("net score", share.signed(found.net_score), share.interval(found.net_interval, signed=True),
         "wins less losses, of all pairs, in points (bootstrap)"),
        ("p of the sign test", p_value(found.p), ABSENT, "wins against losses, two-sided, exact"),
        ("first place chosen", share.score(found.first_place), share.interval(found.first_interval),
         f"{first:,} first, {second:,} second, {none:,} tie; 50 % is fair (Wilson)"),
    )  # fmt: skip
    return JudgeTable("Figures", "Of the pairs above.", ("figure", "value", "95 % interval", "of what"), rows)


def _people(found: Agreement) -> JudgeTable:
    rows = tuple(
        (name, *(f"{count:,}" for count in found.counts[place])) for place, name in enumerate(OUTCOMES)
    )
    lead = f"{found.joined:,} pairs have both; {found.only_human:,} verdicts of people are on other pairs."
    return JudgeTable("Judge and people", lead, ("judge", "people: A", "people: tie", "people: B"), rows)


def _agreement(found: Agreement) -> JudgeTable:
    kappa = ABSENT if found.kappa is None else f"{found.kappa:.2f}"
    interval = ABSENT if found.interval is None else f"[{found.interval[0]:.2f}, {found.interval[1]:.2f}]"
    rows = (
        ("pairs compared", f"{found.compared:,}", ABSENT, "the judge says win, tie or lose"),
        ("same verdict", Scale().score(found.same), ABSENT, "of these"),
        ("Cohen's kappa", kappa, interval, "0 is what chance would give, 1 is full agreement (bootstrap)"),
    )
    return JudgeTable("Agreement", "", ("figure", "value", "95 % interval", "of what"), rows)


def _cost(report: JudgeReport) -> JudgeTable:
    calls, tokens, usd = report.cost
    rows = (
        ("judge", report.judge), ("requests", f"{calls:,}"), ("tokens", f"{tokens:,}"),
        ("money", money(usd) if usd else ABSENT), ("criteria", "; ".join(report.criteria) or ABSENT),
    )  # fmt: skip
    lead = "What was paid now; verdicts from the journal are free."
    return JudgeTable("Judge and cost", lead, ("what", "value"), rows)
