"""``report.html``: one file that needs nothing else, neither network nor server."""

from __future__ import annotations

from typing import Any

from kshot.report import wording
from kshot.report.browse import rows_json, script_json
from kshot.report.cocktail.view import cocktail_figures, cocktail_view
from kshot.report.cocktail.words import TERMS as MIX_TERMS
from kshot.report.conclusion import conclusion
from kshot.report.definitions import definitions
from kshot.report.forest import bar, leaderboard_axis
from kshot.report.knowledge.figures import knowledge_figures
from kshot.report.knowledge.view import knowledge_view
from kshot.report.knowledge.words import TERMS
from kshot.report.plots import figures
from kshot.report.result import RunReport
from kshot.report.shell import TEMPLATES, environment, policy, scripts, style

__all__ = ["SCRIPTS", "TEMPLATES", "html_page"]
SCRIPTS = ("page.js", "plots.js", "examples.js")


def html_page(report: RunReport) -> str:
    """The whole page. Equal reports give equal text.

    Every text from data is escaped, and the page's content security policy runs only the scripts written
    here, by their hashes, and fetches nothing: even markup that slipped through would stay dead.
    """
    scale = wording.scale_of(report)
    return environment(scale).get_template("page.html.j2").render(_context(report, scale))


def _context(report: RunReport, scale: wording.Scale) -> dict[str, Any]:
    from markupsafe import Markup

    texts = scripts(SCRIPTS)
    axis = leaderboard_axis(report, scale)
    known = report.knowledge if report.knowledge and not report.knowledge.empty else None
    mixes = report.cocktail
    drawn = figures(report, scale) | (knowledge_figures(known) if known else {})
    drawn |= cocktail_figures(mixes) if mixes else {}
    reference, chosen = report.system(report.task.reference), report.system(report.recommended)
    duel = [system for system in dict.fromkeys((chosen, reference)) if system is not None]
    sheets = ["style.css"] + (["knowledge.css"] if known or mixes else []) + (["mix.css"] if mixes else [])
    return {
        "report": report, "task": report.task, "scale": scale, "end": conclusion(report), "axis": axis,
        "reference": reference, "chosen": chosen, "duel": duel,
        "bars": {system.name: bar(system, axis) for system in report.systems},
        "terms": definitions(report.task) | (TERMS if known else {}) | (MIX_TERMS if mixes else {}),
        "knowledge": knowledge_view(known, scale) if known else None,
        "cocktail": cocktail_view(mixes) if mixes else None,
        "provenance": list(wording.flat(report.provenance)),
        "plots": drawn, "policy": policy(texts),
        # made here, never from data: these alone go into the page unescaped
        "style": Markup(style(sheets)),  # noqa: S704
        "scripts": [Markup(script) for script in texts],  # noqa: S704
        "plots_json": Markup(script_json(drawn)),  # noqa: S704
        "rows_json": Markup(rows_json(report)),  # noqa: S704
    }  # fmt: skip
