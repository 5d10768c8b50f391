"""A judgement on disk: ``report.html``, ``report.md`` and ``report.json``, each whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kshot.report.judge.facts import JudgeReport
from kshot.report.judge.sentences import headline, warnings
from kshot.report.judge.tables import judge_tables
from kshot.report.markdown import escaped, table
from kshot.report.plain import to_plain
from kshot.report.shell import environment, policy, style
from kshot.report.wording import Scale
from kshot.report.write import ReportPaths, write_three

_FORMAT, _VERSION = "kshot-judge-report", 1


def write_judge_report(report: JudgeReport, folder: str | Path, *, name: str = "report") -> ReportPaths:
    """Writes the three files into ``folder``, which it makes. Equal reports give equal bytes.

    Raises:
        RunError: The folder cannot be made or written.

    Example::

        write_judge_report(report, "runs/judged").html
    """
    plain: dict[str, Any] = {"format": _FORMAT, "version": _VERSION, "headline": headline(report)}
    plain |= {"warnings": list(warnings(report)), **to_plain(report)}
    return write_three(folder, name, plain, judge_markdown(report), judge_page(report))


def judge_markdown(report: JudgeReport) -> str:
    """The report as Markdown; the first line is the title.

    Example::

        Path("report.md").write_text(judge_markdown(report))
    """
    parts = [[f"# {escaped(' against '.join(report.names))}", "", f"**{escaped(headline(report))}**"]]
    if found := warnings(report):
        parts.append([f"- {escaped(text)}" for text in found])
    for one in judge_tables(report):
        lead = [escaped(one.lead), ""] if one.lead else []
        parts.append([f"## {escaped(one.title)}", "", *lead, *table(one.header, one.rows)])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def judge_page(report: JudgeReport) -> str:
    """The report as one page without any script, that fetches nothing.

    Example::

        Path("report.html").write_text(judge_page(report))
    """
    from markupsafe import Markup

    tally = report.figures.tally
    names = ("win", "tie", "split", "unreadable", "lose")
    bars = [(name, count, 100 * count / tally.n) for name in names if (count := getattr(tally, name))]
    context = {
        "report": report, "headline": headline(report), "warnings": warnings(report), "bars": bars,
        "tables": judge_tables(report), "policy": policy(()),
        "style": Markup(style(("style.css", "judge/judge.css"))),  # noqa: S704 - made here, never from data
    }  # fmt: skip
    return environment(Scale()).get_template("judge/page.html.j2").render(context)
