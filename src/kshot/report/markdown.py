"""``report.md``: the report as GitHub shows it, with every text from data made harmless."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kshot.report.cocktail.tables import cocktail_tables
from kshot.report.conclusion import conclusion
from kshot.report.knowledge.tables import knowledge_tables
from kshot.report.result import BankRow, RunReport, SystemResult
from kshot.report.wording import (
    ABSENT,
    Scale,
    count,
    duration,
    flat,
    money,
    nats,
    p_value,
    scale_of,
    size,
)

_SPECIAL = re.compile(r"([\\`*\[\]|~$]|(?<!\w)_|_(?!\w))")


def markdown(report: RunReport) -> str:
    """The whole report as Markdown; the first line is the headline."""
    scale = scale_of(report)
    parts = [
        [f"# {escaped(report.headline)}", "", *_summary(report)],
        ["## Leaderboard", "", *_leaderboard(report, scale)],
        ["## Bank", "", *_bank(report.bank, scale)] if report.bank else [],
        _knowledge(report, scale),
        _cocktail(report),
        ["## Findings", "", *_findings(report)],
        ["## Refused", "", *_refused(report)],
        ["## What left this machine", "", *_leaves(report)],
        ["## Provenance", "", *table(("what", "value"), flat(report.provenance))],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def escaped(text: str) -> str:
    r"""One line of plain text: nothing in it is Markdown or HTML any more.

    >>> escaped("a|b <i>\n*c* snake_case")
    'a\\|b &lt;i&gt; \\*c\\* snake_case'
    """
    folded = " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
    return _SPECIAL.sub(r"\\\1", folded)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A GitHub table; every cell is escaped. Columns after the first that hold figures stay as given."""
    lines = [[escaped(cell) for cell in line] for line in (header, *rows)]
    if len(lines) == 1:
        return ["None."]
    lines.insert(1, ["---"] * len(header))
    return ["| " + " | ".join(line) + " |" for line in lines]


def _summary(report: RunReport) -> list[str]:
    end, task = conclusion(report), report.task
    said = f"**{escaped(end.kicker)}: {escaped(end.title)}**"
    facts = [
        ("task", f"{task.name} ({task.kind})"), ("instruction", task.instruction or ABSENT),
        ("metric", task.metric), ("shots", f"{task.k} (seed {task.seed})"),
        ("rows judged", f"{task.n_test:,} ({task.evaluation})"), ("labels", ", ".join(task.labels) or ABSENT),
        ("base model", task.base_model or ABSENT), ("embedder", task.embedder or ABSENT),
        ("reference", task.reference),
    ]  # fmt: skip
    because = f", because {escaped(end.sentence)}" if end.sentence else ""
    return [said + because, "", *table(("task", "value"), facts)]


def _leaderboard(report: RunReport, scale: Scale) -> list[str]:
    if not report.systems:
        return ["No system could be measured."]
    header = (
        "system", "kind", "score", "95 % interval", report.against, "95 % interval", "p",
        "p (Holm)", "verdict", "n", "invalid", "seconds", "per row", "calls", "tokens", "money", "size",
        "selection score (on the shots, no evidence)",
    )  # fmt: skip
    return table(header, (_system(system, scale) for system in report.systems))


def _system(system: SystemResult, scale: Scale) -> Sequence[str]:
    return (
        system.name, system.kind, scale.score(system.value), scale.interval(system.interval),
        scale.signed(system.difference), scale.interval(system.difference_interval, signed=True),
        p_value(system.p), p_value(system.p_holm), system.verdict, count(system.n), count(system.invalid),
        duration(system.seconds), duration(system.latency), count(system.calls), count(system.tokens),
        money(system.usd), size(system.size_bytes), scale.score(system.selection_score),
    )  # fmt: skip


def _bank(bank: Sequence[BankRow], scale: Scale) -> list[str]:
    header = (
        "expert", "usable", "selection score (shots right)", "perplexity", "answer loss", "reasoning loss",
        "rank", "alpha", "targets", "size", "licence", "base", "findings",
        "test score (orientation only)", "verdict",
    )  # fmt: skip
    return table(header, (_expert(row, scale) for row in bank))


def _expert(row: BankRow, scale: Scale) -> Sequence[str]:
    return (
        row.name, "yes" if row.usable else "no", Scale().score(row.right), nats(row.perplexity),
        nats(row.answer_loss), nats(row.reasoning_loss), count(row.rank),
        ABSENT if row.alpha is None else f"{row.alpha:g}", ", ".join(row.targets), size(row.size_bytes),
        row.licence or ABSENT, row.base or ABSENT, "; ".join(row.findings), scale.score(row.test_value),
        row.verdict,
    )  # fmt: skip


def _knowledge(report: RunReport, scale: Scale) -> list[str]:
    if report.knowledge is None or report.knowledge.empty:
        return []
    lines = ["## Open knowledge (miniature)" if report.miniature else "## Open knowledge"]
    if report.knowledge.note:
        lines += ["", escaped(report.knowledge.note)]
    for part in knowledge_tables(report.knowledge, scale):
        lines += [
            "",
            f"### {escaped(part.title)}",
            "",
            escaped(part.lead),
            "",
            *table(part.header, part.rows),
        ]
    return lines


def _cocktail(report: RunReport) -> list[str]:
    if report.cocktail is None:
        return []
    lines = ["## Cocktail (miniature)" if report.miniature else "## Cocktail"]
    lines += ["", escaped(report.cocktail.note)] if report.cocktail.note else []
    for part in cocktail_tables(report.cocktail):
        head = ["", f"### {escaped(part.title)}", "", escaped(part.lead), ""]
        lines += [*head, *table(part.header, part.rows)]
    return lines


def _findings(report: RunReport) -> list[str]:
    rows = [(item.level, item.topic, item.sentence, item.where) for item in report.findings]
    return table(("level", "topic", "finding", "where"), rows)


def _refused(report: RunReport) -> list[str]:
    return table(("name", "reason"), [(item.name, item.reason) for item in report.refused])


def _leaves(report: RunReport) -> list[str]:
    return [f"- {escaped(item)}" for item in report.leaves] or ["Nothing left this machine."]
