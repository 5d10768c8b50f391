"""The three plots of the page as plain plotly figures; colours are names that the page's theme fills in."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from kshot.report.conclusion import chip
from kshot.report.labels import label_sides
from kshot.report.result import BankRow, RunReport, SystemResult
from kshot.report.wording import Scale, duration, nats, p_value, size

Figure: TypeAlias = dict[str, Any]
ROW_HEIGHT, FRAME_HEIGHT = 30, 96
_ROUND = [float(f"{unit}e{power}") for power in range(-3, 300) for unit in (1, 2, 5)]
_CLOCK = [0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 360_000.0]
_GROUPS = {
    "usable": ("circle", "--accent"),
    "usable, with findings": ("diamond-open", "--unsure"),
    "turned away": ("x-thin", "--worse"),
}


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
    shown = [s for s in report.main_systems if s.difference is not None and math.isfinite(s.difference)][::-1]
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
    best = min(shown, key=lambda row: (-(row.right or 0.0), bool(row.findings), row.perplexity, row.name))
    groups = {
        "usable": [row for row in shown if row.usable and not row.findings],
        "usable, with findings": [row for row in shown if row.usable and row.findings],
        "turned away": [row for row in shown if not row.usable],
    }
    traces = [_bank_trace(rows, name, best, scale) for name, rows in groups.items() if rows]
    top = max(100 * (row.right or 0.0) for row in shown)
    layout = {
        "height": 420, "showlegend": len(traces) > 1,
        "xaxis": {"title": {"text": "perplexity on the shots (lower is better)"}, "type": "log",
                  **_ticks(_ROUND, [row.perplexity or 1.0 for row in shown], "{:g}".format)},
        "yaxis": {"title": {"text": "selection score: shots right, %"},
                  "range": [-top * 0.08 - 1, top * 1.12 + 1]},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def cost_figure(report: RunReport, scale: Scale) -> Figure:
    """Score against the seconds it took, one point a system, oracles left out; empty below two points."""
    unit = 100 if scale.percent else 1
    shown = [
        s for s in report.main_systems if not s.oracle and _plottable(s.seconds) and math.isfinite(s.value)
    ]
    if len(shown) < 2:
        return {}
    bounds = [_arms(system.value, system.interval, unit) for system in shown]
    sides = label_sides([(math.log10(s.seconds), s.value, len(_short(s.name))) for s in shown])
    trace = {
        "type": "scatter", "mode": "markers+text", "cliponaxis": False, "x": [s.seconds for s in shown],
        "y": [system.value * unit for system in shown],
        "text": [_short(s.name) if side else "" for s, side in zip(shown, sides, strict=True)],
        "textposition": [side or "middle right" for side in sides],
        "textfont": {"size": 11, "color": "--ink"}, "hoverinfo": "text",
        "hovertext": [_cost_hover(system, scale) for system in shown],
        "error_y": {"type": "data", "symmetric": False, "array": [up for _, up in bounds], "width": 0,
                    "arrayminus": [down for down, _ in bounds], "color": "--muted", "thickness": 1},
        "marker": {"size": 12, "color": [f"--{chip(system)}" for system in shown],
                   "line": {"width": 1, "color": "--card"}},
    }  # fmt: skip
    layout = {
        "height": 420, "showlegend": False,
        "xaxis": {"title": {"text": "time in all, log scale"}, "type": "log",
                  **_ticks(_CLOCK, [system.seconds for system in shown], duration)},
        "yaxis": {"title": {"text": "score, %" if scale.percent else "score"}},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def _bank_trace(rows: Sequence[BankRow], name: str, best: BankRow, scale: Scale) -> Figure:
    symbol, colour = _GROUPS[name]
    outline = {"width": 1, "color": "--card"} if name == "usable" else {"width": 2, "color": colour}
    return {
        "type": "scatter", "mode": "markers+text", "name": name, "cliponaxis": False,
        "x": [row.perplexity for row in rows], "y": [100 * (row.right or 0.0) for row in rows],
        "text": [_short(row.name) if row is best else "" for row in rows], "textposition": "top center",
        "textfont": {"size": 12, "color": "--ink"},
        "hoverinfo": "text", "hovertext": [_bank_hover(row, scale) for row in rows],
        "marker": {"symbol": symbol, "size": 12, "opacity": 0.8, "color": colour, "line": outline},
    }  # fmt: skip


def _ticks(candidates: Sequence[float], values: Sequence[float], show: Callable[[float], str]) -> Figure:
    """Those candidates that lie around the values on a log axis, every second or third if there are many."""
    below = [place for place, tick in enumerate(candidates) if tick <= min(values)] or [0]
    above = [place for place, tick in enumerate(candidates) if tick >= max(values)] or [len(candidates) - 1]
    inner = candidates[below[-1] : above[0] + 1]
    kept = inner[:: max(1, math.ceil(len(inner) / 9))]
    return {"tickvals": list(kept), "ticktext": [show(tick) for tick in kept]}


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
        "marker": {"size": 11, "color": f"--{verdict}", "line": {"width": 1, "color": "--card"},
                   "symbol": "diamond" if verdict == "oracle" else "circle"},
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
