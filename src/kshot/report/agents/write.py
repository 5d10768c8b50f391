"""A report of interactive tasks on disk: page, Markdown and JSON, each whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kshot.errors import DataError
from kshot.report.agents.facts import AgentReport
from kshot.report.agents.markdown import agent_markdown
from kshot.report.agents.pages import agent_page
from kshot.report.plain import from_plain, to_plain
from kshot.report.write import ReportPaths, write_three

_FORMAT, _VERSION = "kshot-agent-report", 1


def write_agent_report(report: AgentReport, folder: str | Path, *, name: str = "scienceworld") -> ReportPaths:
    """Writes ``NAME.json``, ``NAME.md`` and ``NAME.html`` into ``folder``, which it makes.

    All three are made before the first is written. Equal reports give equal bytes.

    Raises:
        RunError: The folder cannot be made or written.

    Example::

        write_agent_report(report, "tables").html
    """
    return write_three(folder, name, agent_report_to_json(report), agent_markdown(report), agent_page(report))


def agent_report_to_json(report: AgentReport) -> dict[str, Any]:
    """The report as JSON values, with the name and version of the format."""
    plain: dict[str, Any] = to_plain(report)
    return {"format": _FORMAT, "version": _VERSION, **plain}


def agent_report_from_json(plain: Mapping[str, Any]) -> AgentReport:
    """The report that ``agent_report_to_json`` wrote.

    Raises:
        DataError: It is no such report, or of another version.

    >>> from kshot.report.agents.facts import Scores, TaskRows
    >>> empty = Scores(question="conditions", title="t", tasks=(TaskRows(task="toy", rows=()),))
    >>> told = AgentReport(tasks=("toy",), policy="react", model="m", headline="h", conditions=empty)
    >>> agent_report_from_json(agent_report_to_json(told)) == told
    True
    """
    if plain.get("format") != _FORMAT or plain.get("version") != _VERSION:
        found = f"{plain.get('format')!r}, version {plain.get('version')!r}"
        raise DataError(f"agent report: found {found}; expected {_FORMAT!r}, version {_VERSION}")
    report: AgentReport = from_plain(AgentReport, plain, where="agent report")
    return report
