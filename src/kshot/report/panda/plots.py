"""The pictures of a PANDA report: what the controls say, and ablations with a size on their axis."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from kshot.report.knowledge.visible import chart_text
from kshot.report.panda.facts import AblationRows, ClaimRow, PandaReport
from kshot.report.panda.tables import scale_of
from kshot.report.wording import Scale, p_value

Figure: TypeAlias = dict[str, Any]
_ROW, _FRAME = 32, 100
_CURVES = frozenset({"pool_size", "k", "weaker_expert"})
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def panda_figures(report: PandaReport) -> dict[str, Figure]:
    """Every picture that there are figures for, by the id of its place in the page."""
    scale = scale_of(report)
    drawn = {"plot-claims": claims_figure(report.claims, scale)} if report.claims else {}
    for at, ablation in enumerate(report.ablations):
        if ablation.question in _CURVES and len(ablation.variants) > 2:
            drawn[f"plot-ablation-{at}"] = curve_figure(ablation, scale)
    return drawn


def claims_figure(claims: tuple[ClaimRow, ...], scale: Scale) -> Figure:
    """One point a comparison with its interval; right of zero the first of the two is higher."""
    unit = 100 if scale.percent else 1
    shown = claims[::-1]
    colours = ["--better" if row.shown else "--worse" if row.interval[1] < 0 else "--unsure" for row in shown]
    zero = {"type": "line", "xref": "x", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1,
            "line": {"color": "--ink", "width": 1.5}, "layer": "below"}  # fmt: skip
    trace = {
        "type": "scatter", "mode": "markers", "x": [row.difference * unit for row in shown],
        "y": list(range(len(shown))), "hoverinfo": "text", "hovertext": [_hover(row, scale) for row in shown],
        "error_x": {"type": "data", "symmetric": False, "color": "--muted", "thickness": 2, "width": 5,
                    "array": [(row.interval[1] - row.difference) * unit for row in shown],
                    "arrayminus": [(row.difference - row.interval[0]) * unit for row in shown]},
        "marker": {"size": 11, "color": colours, "line": {"width": 1, "color": "--card"}},
    }  # fmt: skip
    names = [chart_text(f"{row.a} − {row.b}", kept=44) for row in shown]
    layout = {
        "height": _FRAME + _ROW * len(shown), "showlegend": False, "shapes": [zero],
        "xaxis": {"title": {"text": f"difference of the scores, {scale.points}, with 95 % interval"},
                  "zeroline": False},
        "yaxis": {"tickvals": list(range(len(shown))), "ticktext": names, "range": [-0.6, len(shown) - 0.4],
                  "showgrid": False, "zeroline": False, "automargin": True},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def curve_figure(ablation: AblationRows, scale: Scale) -> Figure:
    """The score over a size, by the first number in each variant's name, in the given order."""
    unit = 100 if scale.percent else 1
    rows = ablation.variants
    trace = {
        "type": "scatter", "mode": "lines+markers", "x": list(range(len(rows))),
        "y": [row.value * unit for row in rows], "hoverinfo": "text",
        "hovertext": [f"<b>{chart_text(row.name)}</b><br>{scale.score(row.value)} "
                      f"{scale.interval(row.interval)}" for row in rows],
        "line": {"color": "--accent", "width": 2},
        "error_y": {"type": "data", "symmetric": False, "color": "--accent", "thickness": 1.5, "width": 4,
                    "array": [(row.interval[1] - row.value) * unit for row in rows],
                    "arrayminus": [(row.value - row.interval[0]) * unit for row in rows]},
        "marker": {"size": 9, "color": "--accent", "line": {"width": 1, "color": "--card"}},
    }  # fmt: skip
    names = [found[0] if (found := _NUMBER.search(row.name)) else chart_text(row.name) for row in rows]
    layout = {
        "height": 320, "showlegend": False,
        "xaxis": {"title": {"text": chart_text(ablation.title, kept=80)}, "tickvals": list(range(len(rows))),
                  "ticktext": names, "range": [-0.3, len(rows) - 0.7]},
        "yaxis": {"title": {"text": "score, %" if scale.percent else "score"}},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def _hover(row: ClaimRow, scale: Scale) -> str:
    return (
        f"<b>{chart_text(row.a)} − {chart_text(row.b)}</b><br>{scale.signed(row.difference)} {scale.points}, "
        f"95 % interval {scale.interval(row.interval, signed=True)}<br>p {p_value(row.p)}, n {row.n:,}"
    )
