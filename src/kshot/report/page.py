"""``report.html``: one file that needs nothing else, neither network nor server."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from kshot.report import wording
from kshot.report.browse import rows_json, script_json
from kshot.report.conclusion import chip, conclusion
from kshot.report.definitions import definitions
from kshot.report.forest import bar, leaderboard_axis
from kshot.report.knowledge.facts import OpenKnowledge
from kshot.report.knowledge.figures import knowledge_figures
from kshot.report.knowledge.view import knowledge_view
from kshot.report.knowledge.visible import visible
from kshot.report.knowledge.words import TERMS
from kshot.report.plots import figures
from kshot.report.result import RunReport

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("page.js", "plots.js", "examples.js")


def html_page(report: RunReport) -> str:
    """The whole page. Equal reports give equal text.

    Every text from data is escaped, and the page's content security policy runs only the scripts written
    here, by their hashes, and fetches nothing: even markup that slipped through would stay dead.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    scale = wording.scale_of(report)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "score": scale.score, "number": scale.number, "signed": scale.signed, "bounds": scale.interval,
        "share": wording.Scale().score, "p": wording.p_value, "duration": wording.duration,
        "size": wording.size, "count": wording.count, "money": wording.money, "nats": wording.nats,
        "chip": chip, "visible": visible,
    }  # fmt: skip
    return environment.get_template("page.html.j2").render(_context(report, scale))


def _context(report: RunReport, scale: wording.Scale) -> dict[str, Any]:
    from markupsafe import Markup

    scripts = [_plotly(), *((TEMPLATES / name).read_text("utf-8") for name in SCRIPTS)]
    axis = leaderboard_axis(report, scale)
    known = report.knowledge if report.knowledge and not report.knowledge.empty else None
    drawn = figures(report, scale) | (knowledge_figures(known) if known else {})
    reference, chosen = report.system(report.task.reference), report.system(report.recommended)
    duel = [system for system in dict.fromkeys((chosen, reference)) if system is not None]
    return {
        "report": report, "task": report.task, "scale": scale, "end": conclusion(report), "axis": axis,
        "reference": reference, "chosen": chosen, "duel": duel,
        "bars": {system.name: bar(system, axis) for system in report.systems},
        "terms": definitions(report.task) | (TERMS if known else {}),
        "knowledge": knowledge_view(known, scale) if known else None,
        "provenance": list(wording.flat(report.provenance)),
        "plots": drawn, "policy": _policy(scripts),
        # made here, never from data: these alone go into the page unescaped
        "style": Markup(_style(known)),  # noqa: S704
        "scripts": [Markup(script) for script in scripts],  # noqa: S704
        "plots_json": Markup(script_json(drawn)),  # noqa: S704
        "rows_json": Markup(rows_json(report)),  # noqa: S704
    }  # fmt: skip


def _style(known: OpenKnowledge | None) -> str:
    sheets = ("style.css", "knowledge.css") if known else ("style.css",)
    return "".join((TEMPLATES / name).read_text("utf-8") for name in sheets)


def _policy(scripts: list[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r\n", "\n").replace("\r", "\n")
