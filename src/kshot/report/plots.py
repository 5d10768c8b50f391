"""The three plots of the page as plain plotly figures; colours are names that the page's theme fills in."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from kshot.report.conclusion import chip
from kshot.report.result import BankRow, RunReport, SystemResult
from kshot.report.wording import Scale, duration, nats, p_value, size

Figure: TypeAlias = dict[str, Any]
ROW_HEIGHT, FRAME_HEIGHT = 30, 96


def figures(report: RunReport, scale: Scale) -> dict[str, Figure]:
    """Every plot that the report has figures for, by the id of its place in the page."""
    drawn = {
        "plot-difference": difference_figure(report, scale),
        "plot-bank": bank_figure(report.bank, scale),
        "plot-cost": cost_figure(report, scale),
    }
    return {place: figure for place, figure in drawn.items() if figure}


def difference_figure(report: RunReport, scale: Scale) -> Figure:
    """Difference to the reference with its interval, the margin as a band; empty without differences."""
    unit = 100 if scale.percent else 1
    shown = [s for s in report.systems if s.difference is not None and math.isfinite(s.difference)][::-1]
    if not shown:
        return {}
    traces = []
    for verdict in dict.fromkeys(chip(system) for system in shown):
        places = [place for place, system in enumerate(shown) if chip(system) == verdict]
        traces.append(_difference_trace([shown[place] for place in places], places, scale, verdict))
    band = {
        "type": "rect", "xref": "x", "yref": "paper", "x0": -report.task.margin * unit, "y0": 0, "y1": 1,
        "x1": report.task.margin * unit, "fillcolor": "--band", "line": {"width": 0}, "layer": "below",
    }  # fmt: skip
    zero = {
        "type": "line", "xref": "x", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1,
        "line": {"color": "--ink", "width": 1.5}, "layer": "below",
    }  # fmt: skip
    title = f"difference to {_safe(report.task.reference)}, in {scale.points}"
    layout = {
        "height": FRAME_HEIGHT + ROW_HEIGHT * len(shown), "shapes": [band, zero], "showlegend": False,
        "xaxis": {"title": {"text": title}, "zeroline": False},
        "yaxis": {
            "tickvals": list(range(len(shown))), "ticktext": [_short(system.name) for system in shown],
            "range": [-0.6, len(shown) - 0.4], "showgrid": False, "zeroline": False, "automargin": True,
        },
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def bank_figure(bank: Sequence[BankRow], scale: Scale) -> Figure:
    """Selection score against perplexity on the shots, one point an expert; empty without such figures."""
    shown = [row for row in bank if row.right is not None and _plottable(row.perplexity)]
    if not shown:
        return {}
    best = sorted(shown, key=lambda row: (-(row.right or 0.0), row.perplexity, row.name))[:3]
    traces = []
    for usable, name, symbol, colour in ((True, "usable", "circle", "--accent"),
                                         (False, "turned away", "x-thin", "--worse")):  # fmt: skip
        rows = [row for row in shown if row.usable is usable]
        traces.append({
            "type": "scatter", "mode": "markers+text", "name": name,
            "x": [row.perplexity for row in rows], "y": [100 * (row.right or 0.0) for row in rows],
            "text": [_short(row.name) if usable and row in best else "" for row in rows],
            "textposition": "bottom center", "textfont": {"size": 11, "color": "--ink"}, "cliponaxis": False,
            "hoverinfo": "text", "hovertext": [_bank_hover(row, scale) for row in rows],
            "marker": {"symbol": symbol, "size": 12, "opacity": 0.85, "color": colour,
                       "line": {"width": 2 if not usable else 1, "color": colour if not usable else "--card"}},
        })  # fmt: skip
    layout = {
        "height": 420, "showlegend": len({row.usable for row in shown}) > 1,
        "xaxis": {"title": {"text": "perplexity on the shots (lower is better)"}, "type": "log", "dtick": "D2"},
        "yaxis": {"title": {"text": "selection score: shots right, %"}, "range": [-8, 108]},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def cost_figure(report: RunReport, scale: Scale) -> Figure:
    """Score against the seconds it took, one point a system, oracles left out; empty below two points."""
    unit = 100 if scale.percent else 1
    shown = [s for s in report.systems if not s.oracle and _plottable(s.seconds) and math.isfinite(s.value)]
    if len(shown) < 2:
        return {}
    bounds = [_arms(system.value, system.interval, unit) for system in shown]
    trace = {
        "type": "scatter", "mode": "markers+text", "cliponaxis": False, "x": [s.seconds for s in shown],
        "y": [system.value * unit for system in shown], "text": [_short(system.name) for system in shown],
        "textposition": "middle right", "textfont": {"size": 11, "color": "--ink"}, "hoverinfo": "text",
        "hovertext": [_cost_hover(system, scale) for system in shown],
        "error_y": {"type": "data", "symmetric": False, "array": [up for _, up in bounds], "width": 0,
                    "arrayminus": [down for down, _ in bounds], "color": "--muted", "thickness": 1},
        "marker": {"size": 12, "color": [f"--{chip(system)}" for system in shown],
                   "line": {"width": 1, "color": "--card"}},
    }  # fmt: skip
    layout = {
        "height": 420, "showlegend": False,
        "xaxis": {"title": {"text": "seconds in all, log scale"}, "type": "log", "dtick": 1},
        "yaxis": {"title": {"text": "score, %" if scale.percent else "score"}},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def _difference_trace(systems: Sequence[SystemResult], places: Sequence[int], scale: Scale,
                      verdict: str) -> Figure:  # fmt: skip
    unit = 100 if scale.percent else 1
    arms = [_arms(system.difference or 0.0, system.difference_interval, unit) for system in systems]
    return {
        "type": "scatter", "mode": "markers", "name": verdict, "y": list(places),
        "x": [(system.difference or 0.0) * unit for system in systems], "hoverinfo": "text",
        "hovertext": [_difference_hover(system, scale) for system in systems],
        "error_x": {"type": "data", "symmetric": False, "array": [up for _, up in arms], "width": 5,
                    "arrayminus": [down for down, _ in arms], "color": f"--{verdict}", "thickness": 2},
        "marker": {"size": 11, "color": f"--{verdict}", "symbol": "diamond" if verdict == "oracle" else "circle",
                   "line": {"width": 1, "color": "--card"}},
    }  # fmt: skip


def _arms(value: float, interval: tuple[float, float] | None, unit: int) -> tuple[float, float]:
    """How far an interval reaches below and above its value."""
    if interval is None or not all(math.isfinite(bound) for bound in interval):
        return 0.0, 0.0
    return (value - interval[0]) * unit, (interval[1] - value) * unit


def _plottable(value: float | None) -> bool:
    """Whether a log scale can show it."""
    return value is not None and math.isfinite(value) and value > 0


def _safe(text: str) -> str:
    """Plotly reads a few HTML tags in every text: show them instead."""
    return html.escape(" ".join(text.split()), quote=False)


def _short(text: str, kept: int = 28) -> str:
    folded = " ".join(text.split())
    return _safe(folded if len(folded) <= kept else folded[: kept - 1] + "…")


def _difference_hover(system: SystemResult, scale: Scale) -> str:
    interval = scale.interval(system.difference_interval, signed=True)
    lines = [
        f"<b>{_short(system.name, 60)}</b>",
        f"{scale.signed(system.difference)} {scale.points}, 95 % interval {interval}",
        f"p (Holm) {p_value(system.p_holm)}, n {system.n:,}",
        _safe(system.verdict),
    ]
    return "<br>".join(lines)


def _bank_hover(row: BankRow, scale: Scale) -> str:
    lines = [
        f"<b>{_short(row.name, 60)}</b>",
        f"selection score {Scale().score(row.right)}, perplexity {nats(row.perplexity)}",
        f"rank {row.rank or '–'}, {size(row.size_bytes)}",
    ]
    if row.test_value is not None:
        lines.append(f"on the test rows {scale.score(row.test_value)} (orientation only)")
    return "<br>".join(lines + [_short(finding, 80) for finding in row.findings[:3]])


def _cost_hover(system: SystemResult, scale: Scale) -> str:
    return (
        f"<b>{_short(system.name, 60)}</b><br>{scale.score(system.value)} {scale.interval(system.interval)}"
        f"<br>{duration(system.seconds)} in all, {duration(system.latency)} a row"
    )
