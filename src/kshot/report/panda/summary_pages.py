"""``summary.html``, ``summary.md`` and ``summary.json`` of several PANDA evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kshot.report.markdown import escaped, table
from kshot.report.panda.pages import table_views
from kshot.report.panda.summary import PandaSummary, summary_to_json
from kshot.report.panda.summary_tables import summary_tables
from kshot.report.panda.words import TERMS
from kshot.report.shell import TEMPLATES, environment, policy, style
from kshot.report.wording import Scale
from kshot.report.write import ReportPaths, write_three

_SHEETS = ("style.css", "knowledge.css", "mix.css", "panda/panda.css")


def write_panda_summary(summary: PandaSummary, folder: str | Path, *, name: str = "summary") -> ReportPaths:
    """Writes ``summary.json``, ``summary.md`` and ``summary.html`` into ``folder``, which it makes.

    Raises:
        RunError: The folder cannot be made or written.

    Example::

        write_panda_summary(summary, "runs/tweets").html
    """
    return write_three(
        folder, name, summary_to_json(summary), summary_markdown(summary), summary_page(summary)
    )


def summary_page(summary: PandaSummary) -> str:
    """The whole page; equal summaries give equal text, and every text from data is escaped.

    Example::

        Path("summary.html").write_text(summary_page(summary))
    """
    from markupsafe import Markup

    texts = [(TEMPLATES / "page.js").read_text("utf-8")]  # no pictures that need plotly
    sections: dict[str, list[dict[str, Any]]] = {}
    for part in table_views(summary_tables(summary)):
        sections.setdefault(part["key"], []).append(part)
    context = {
        "summary": summary, "sections": sections, "policy": policy(texts), "terms": TERMS, "plots": {},
        # made here, never from data: these alone go into the page unescaped
        "style": Markup(style(_SHEETS)),  # noqa: S704
        "scripts": [Markup(script) for script in texts],  # noqa: S704
    }  # fmt: skip
    return environment(Scale()).get_template("panda/summary.html.j2").render(context)


def summary_markdown(summary: PandaSummary) -> str:
    """The whole summary as Markdown; the first line is the title.

    >>> told = PandaSummary(systems=(), reference="r", tasks=(), cells=(), missing={"irony": "not begun"})
    >>> summary_markdown(told).splitlines()[0]
    '# PANDA on 0 of 1 tasks'
    """
    head = [f"# {escaped(summary.title)}"]
    if summary.simulated:
        head += ["", "**Simulated model**: the LLM is a simulation; these figures say nothing of any model."]
    if summary.miniature:
        head += ["", "**Miniature**: an invented small world; these figures say nothing about real tasks."]
    if summary.facts:
        head += ["", *table(("what", "value"), summary.facts)]
    head += ["", *(f"- {_line(one.name, one.headline, one.page)}" for one in summary.tasks)]
    head += [f"- {escaped(f'{name}: not finished ({why})')}" for name, why in summary.missing.items()]
    notes = [*summary.notes, *(note for one in summary.tasks for note in one.notes)]
    head += ["", *(f"- {escaped(note)}" for note in notes)] if notes else []
    parts = [head]
    label = f" ({', '.join(summary.labels)})" if summary.labels else ""
    for part in summary_tables(summary):
        lines = [f"## {escaped(part.title)}{label}", "", escaped(part.lead), ""]
        parts.append([*lines, *table(part.header, part.rows)])
    leaves = [f"- {escaped(item)}" for item in summary.leaves] or ["Nothing left this machine."]
    parts.append(["## What left this machine", "", *leaves])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _line(name: str, headline: str, page: str) -> str:
    link = f" ([report]({page}))" if page else ""
    return f"**{escaped(name)}**: {escaped(headline)}{link}"
