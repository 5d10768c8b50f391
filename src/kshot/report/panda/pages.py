"""``panda.html``: a PANDA report as one file that fetches nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kshot.report.browse import script_json
from kshot.report.panda.facts import PandaReport
from kshot.report.panda.plots import panda_figures
from kshot.report.panda.tables import PandaTable, panda_tables
from kshot.report.panda.words import TERMS
from kshot.report.shell import environment, policy, scripts, style
from kshot.report.wording import Scale, flat

_SCRIPTS = ("page.js", "plots.js")
_SHEETS = ("style.css", "knowledge.css", "mix.css", "panda/panda.css")
_COLUMN_TERMS = {
    "95 % interval": "interval", "p (Holm)": "holm", "could have shown": "smallest", "invalid": "invalid",
    "difference of": "difference", "share asked of the expert": "cascade",
    "insights in the pool": "insight",
}  # fmt: skip


def panda_page(report: PandaReport) -> str:
    """The whole page; equal reports give equal text, and every text from data is escaped.

    Example::

        Path("panda.html").write_text(panda_page(report))
    """
    from markupsafe import Markup

    texts = scripts(_SCRIPTS)
    drawn = panda_figures(report)
    sections: dict[str, list[dict[str, Any]]] = {}
    for part in table_views(panda_tables(report)):
        sections.setdefault(part["key"], []).append(part)
    context = {
        "report": report, "sections": sections, "plots": drawn, "policy": policy(texts), "terms": TERMS,
        "provenance": list(flat(report.provenance or {})),
        # made here, never from data: these alone go into the page unescaped
        "style": Markup(style(_SHEETS)),  # noqa: S704
        "scripts": [Markup(script) for script in texts],  # noqa: S704
        "plots_json": Markup(script_json(drawn)),  # noqa: S704
    }  # fmt: skip
    return environment(Scale()).get_template("panda/page.html.j2").render(context)


def table_views(tables: Iterable[PandaTable]) -> Iterable[dict[str, Any]]:
    """Tables as the template wants them: each cell with the class of its column, pictures numbered."""
    ablations = 0
    for place, table in enumerate(tables):
        plot = ""
        if table.key == "controls":
            plot = "plot-claims"
        if table.key == "ablations":
            plot, ablations = f"plot-ablation-{ablations}", ablations + 1
        classes = [_column(at, name, table) for at, name in enumerate(table.header)]
        rows = [
            {
                "cells": list(zip(row, classes, strict=True)),
                "tone": table.tones[at] if table.tones else "",
                "bar": table.bars[at] if table.bars else None,
            }
            for at, row in enumerate(table.rows)
        ]
        yield {
            "id": f"t-{table.key}-{place}", "key": table.key, "title": table.title, "lead": table.lead,
            "heads": [(name, kind, _term(name))
                      for name, kind in zip(table.header, classes, strict=True)],
            "rows": rows, "plot": plot, "axis": table.axis, "mark": table.mark, "forest": bool(table.bars),
        }  # fmt: skip


def _term(name: str) -> str | None:
    return next((term for column, term in _COLUMN_TERMS.items() if name.endswith(column)), None)


def _column(at: int, name: str, table: PandaTable) -> str:
    if at == 0:
        return ""
    if name in ("note", "text", "value"):
        return "why"
    return "" if at in table.words else "num"
