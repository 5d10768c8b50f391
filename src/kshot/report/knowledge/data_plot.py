"""The map of data: shots, kept rows and dropped rows in two dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kshot.report.knowledge.choice import DataFacts, DataPoint, Fate
from kshot.report.knowledge.visible import chart_text

# fate: symbol, colour, size, opacity; drawn in this order, so that shots lie on top
_LOOKS: dict[Fate, tuple[str, str, int, float]] = {
    "not chosen": ("circle", "--muted", 5, 0.35),
    "kept": ("circle", "--accent", 7, 0.75),
    "near-duplicate": ("square-open", "--unsure", 7, 0.9),
    "guard": ("x-thin", "--worse", 8, 1.0),
    "shot": ("star", "--ink", 14, 1.0),
}
_CALLED = {"guard": "removed by the guard", "shot": "shots", "near-duplicate": "near-duplicates"}


def data_figure(facts: DataFacts) -> dict[str, Any]:
    """One point a row, hollow or crossed where it was dropped; empty without points."""
    points = [point for point in facts.points if math.isfinite(point.x) and math.isfinite(point.y)]
    traces = [
        _trace([point for point in points if point.fate == fate], fate, facts.counts.get(fate))
        for fate in _LOOKS
        if any(point.fate == fate for point in points)
    ]
    if not traces:
        return {}
    axis = {"showticklabels": False, "ticks": "", "zeroline": False, "showgrid": False}
    layout = {
        "height": 520, "showlegend": True, "margin": {"l": 20, "r": 20, "b": 16},
        "legend": {"traceorder": "reversed", "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest", "xaxis": axis, "yaxis": axis,
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _trace(points: Sequence[DataPoint], fate: Fate, count: int | None) -> dict[str, Any]:
    symbol, colour, size, opacity = _LOOKS[fate]
    width = {"near-duplicate": 1.3, "guard": 2.0, "not chosen": 0.0}.get(fate, 1.0)
    outline = {"width": width, "color": colour if fate in ("near-duplicate", "guard") else "--card"}
    number = f"{len(points):,}" if count in (None, len(points)) else f"{len(points):,} of {count:,}"
    return {
        "type": "scatter", "mode": "markers", "name": f"{_CALLED.get(fate, fate)} ({number})",
        "x": [point.x for point in points], "y": [point.y for point in points],
        "hoverinfo": "text", "hovertext": [_hover(point) for point in points],
        "marker": {"symbol": symbol, "size": size, "color": colour, "opacity": opacity, "line": outline},
    }  # fmt: skip


def _hover(point: DataPoint) -> str:
    known = point.score is not None and math.isfinite(point.score)
    score = f", score {point.score:.3f}" if known else ""
    return f"<b>{_CALLED.get(point.fate, point.fate)}</b>{score}<br>{chart_text(point.text, kept=110)}"
