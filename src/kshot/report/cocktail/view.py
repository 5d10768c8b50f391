"""What the page's templates show of mixes: tables with marked rows, and the picture of the weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kshot.report.cocktail.facts import CocktailFacts
from kshot.report.cocktail.plots import Figure, weights_figure
from kshot.report.cocktail.tables import MixTable, cocktail_tables

_WORDS = {"member", "what", "name", "why", "verdict", "recommended", "allowed"}  # columns of words
_TERMS = {
    "weight": "mixweight",
    "95 % interval": "mixinterval",
    "cross-fit loss (shots not seen)": "crossfit",
    "uniform soup": "uniformsoup",
}


def cocktail_view(facts: CocktailFacts) -> dict[str, Any]:
    """Tables in the order of the page, each cell with the class of its column."""
    return {"note": facts.note, "tables": tables_view(cocktail_tables(facts))}


def cocktail_figures(facts: CocktailFacts) -> dict[str, Figure]:
    """The pictures, by the id of their place in the page."""
    return {"plot-weights": weights_figure(facts.main)}


def tables_view(tables: Iterable[MixTable]) -> list[dict[str, Any]]:
    """Tables as the template wants them; the place of a table that comes twice is numbered."""
    found: list[dict[str, Any]] = []
    for place, table in enumerate(tables):
        classes = ["" if at == 0 else "why" if name == "why" else "" if name in _WORDS else "num"
                   for at, name in enumerate(table.header)]  # fmt: skip
        heads = [(name, kind, _TERMS.get(name)) for name, kind in zip(table.header, classes, strict=True)]
        rows = [
            (at in table.marked, list(zip(row, classes, strict=True))) for at, row in enumerate(table.rows)
        ]
        found.append({"id": f"m-{table.key}-{place}", "key": table.key, "title": table.title,
                      "lead": table.lead, "heads": heads, "rows": rows})  # fmt: skip
    return found
