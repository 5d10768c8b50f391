"""``scienceworld.html``: tables of interactive tasks as one file that fetches nothing."""

from __future__ import annotations

from typing import Any

from kshot.report.agents.facts import AgentReport
from kshot.report.agents.tables import agent_tables
from kshot.report.agents.words import TERMS
from kshot.report.panda.pages import table_views
from kshot.report.shell import TEMPLATES, environment, policy, style
from kshot.report.wording import Scale, flat

_SHEETS = ("style.css", "knowledge.css", "mix.css", "panda/panda.css")


def agent_page(report: AgentReport) -> str:
    """The whole page; equal reports give equal text, and every text from data is escaped.

    Example::

        Path("scienceworld.html").write_text(agent_page(report))
    """
    from markupsafe import Markup

    texts = [(TEMPLATES / "page.js").read_text("utf-8")]  # no pictures that need plotly
    sections: dict[str, list[dict[str, Any]]] = {}
    for part in table_views(agent_tables(report)):
        sections.setdefault(part["key"], []).append(part)
    context = {
        "report": report, "sections": sections, "policy": policy(texts), "terms": TERMS, "plots": {},
        "provenance": list(flat(report.provenance or {})),
        # made here, never from data: these alone go into the page unescaped
        "style": Markup(style(_SHEETS)),  # noqa: S704
        "scripts": [Markup(script) for script in texts],  # noqa: S704
    }  # fmt: skip
    return environment(Scale(percent=False)).get_template("agents/page.html.j2").render(context)
