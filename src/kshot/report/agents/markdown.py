"""A report of interactive tasks as Markdown, every text from data made harmless."""

from __future__ import annotations

from kshot.report.agents.facts import AgentReport
from kshot.report.agents.tables import agent_tables
from kshot.report.markdown import escaped, table
from kshot.report.wording import flat


def agent_markdown(report: AgentReport) -> str:
    """The whole report as Markdown; the first line is the title.

    Example::

        Path("scienceworld.md").write_text(agent_markdown(report))
    """
    label = f" ({', '.join(report.labels)})" if report.labels else ""
    parts = [[f"# {escaped(report.title)}", "", *_summary(report)]]
    for part in agent_tables(report):
        lines = [f"## {escaped(part.title)}{label}", "", escaped(part.lead), ""]
        parts.append([*lines, *table(part.header, part.rows)])
    leaves = [f"- {escaped(item)}" for item in report.leaves] or ["Nothing left this machine."]
    parts.append(["## What left this machine", "", *leaves])
    if report.provenance:
        parts.append(["## Provenance", "", *table(("what", "value"), flat(report.provenance))])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _summary(report: AgentReport) -> list[str]:
    lines = [f"**{escaped(report.headline)}**"]
    if report.simulated:
        lines += ["", "**Simulated model**: the LLM is a simulation; these figures say nothing of any model."]
    if report.missing:
        lines += ["", "**Not finished**", "", *(f"- {escaped(text)}" for text in report.missing)]
    if report.because:
        lines += ["", *(f"- {escaped(text)}" for text in report.because)]
    if report.verdicts:
        told = (f"- **{escaped(task)}**: {escaped(text)}" for task, text in report.verdicts.items())
        lines += ["", *told]
    if report.facts:
        lines += ["", *table(("what", "value"), report.facts)]
    if report.notes:
        lines += ["", *(f"- {escaped(text)}" for text in report.notes)]
    return lines
