"""A PANDA report as Markdown: the same tables as the page, every text from data made harmless."""

from __future__ import annotations

from collections.abc import Sequence

from kshot.report.markdown import escaped, table
from kshot.report.panda.facts import PandaReport, QueryRow, ShownInsight
from kshot.report.panda.tables import panda_tables
from kshot.report.wording import flat


def panda_markdown(report: PandaReport) -> str:
    """The whole report as Markdown; the first line is the title."""
    parts = [[f"# {escaped(report.title)}", "", *_summary(report)]]
    for part in panda_tables(report):
        lines = [f"## {escaped(part.title)}{_label(report)}", "", escaped(part.lead), ""]
        parts.append([*lines, *table(part.header, part.rows)])
    if report.queries:
        parts.append(["## What was retrieved", "", *_queries(report.queries)])
    if report.guide:
        said = f"{report.guide.tokens:,} tokens. {escaped(report.guide.note)}".strip()
        quoted = [f"> {escaped(line)}" for line in report.guide.text.splitlines() or ["(empty)"]]
        parts.append(["## Guide", "", said, "", *quoted])
    leaves = [f"- {escaped(item)}" for item in report.leaves] or ["Nothing left this machine."]
    parts.append(["## What left this machine", "", *leaves])
    if report.provenance:
        parts.append(["## Provenance", "", *table(("what", "value"), flat(report.provenance))])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _summary(report: PandaReport) -> list[str]:
    lines = [f"**{escaped(report.headline)}**"]
    if report.simulated:
        lines += ["", "**Simulated model**: the LLM is a simulation; these figures say nothing of any model."]
    if report.miniature:
        lines += ["", "**Miniature**: an invented small world; these figures say nothing about real tasks."]
    if report.because:
        lines += ["", *(f"- {escaped(text)}" for text in report.because)]
    if report.facts:
        lines += ["", *table(("what", "value"), report.facts)]
    if report.notes:
        lines += ["", *(f"- {escaped(text)}" for text in report.notes)]
    return lines


def _label(report: PandaReport) -> str:
    return f" ({', '.join(report.labels)})" if report.labels else ""


def _queries(queries: Sequence[QueryRow]) -> list[str]:
    lines: list[str] = []
    for row in queries:
        said = [("right", row.gold), ("with insights", row.answer), ("without", row.without)]
        told = "; ".join(f"{name}: {escaped(text) if text is not None else 'invalid'}" for name, text in said)
        lines += [f"- {escaped(row.query)} ({told})"]
        lines += [f"    - {one.score:.3f} {_insight(one)}" for one in (*row.chosen, *row.left_out)]
    return lines


def _insight(one: ShownInsight) -> str:
    label = f" → {escaped(one.label)}" if one.label else ""
    text = f": {escaped(one.text)}" if one.text else ""
    reason = f" (left out: {escaped(one.reason)})" if one.reason else ""
    return f"{escaped(one.key)}{label}{text}{reason}"
