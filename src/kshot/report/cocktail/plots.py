"""The pictures of a mix: weights with their intervals, and target against general score by alpha."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from kshot.report.cocktail.facts import MemberRow, MixFacts
from kshot.report.knowledge.visible import chart_text
from kshot.report.wording import Scale, nats

Figure: TypeAlias = dict[str, Any]
_ROW, _FRAME = 34, 110


def weights_figure(facts: MixFacts) -> Figure:
    """One point a member with the interval of its weight; the uniform weight as a line."""
    rows = sorted(facts.members, key=lambda row: row.weight)
    even = 100 * facts.uniform
    line = {"type": "line", "xref": "x", "yref": "paper", "x0": even, "x1": even, "y0": 0, "y1": 1,
            "line": {"color": "--muted", "width": 1.5, "dash": "dash"}, "layer": "below"}  # fmt: skip
    said = {"x": even, "y": 1, "xref": "x", "yref": "paper", "text": "uniform", "showarrow": False,
            "yanchor": "bottom", "font": {"size": 12, "color": "--muted"}}  # fmt: skip
    top = max(100 * max(row.weight, (row.interval or (0.0, 0.0))[1]) for row in rows)
    trace = {
        "type": "scatter", "mode": "markers", "x": [100 * row.weight for row in rows],
        "y": list(range(len(rows))), "hoverinfo": "text", "hovertext": [_hover(row) for row in rows],
        "error_x": {"type": "data", "symmetric": False, "color": "--accent", "thickness": 2, "width": 5,
                    "array": [100 * _arm(row, 1) for row in rows],
                    "arrayminus": [100 * _arm(row, 0) for row in rows]},
        "marker": {"size": 11, "color": "--accent", "line": {"width": 1, "color": "--card"}},
    }  # fmt: skip
    layout = {
        "height": _FRAME + _ROW * len(rows), "showlegend": False, "shapes": [line], "annotations": [said],
        "xaxis": {"title": {"text": "weight, %, with its 95 % interval over draws of the shots"},
                  "range": [-0.02 * top - 0.5, max(top, even) * 1.06 + 1], "zeroline": False},
        "yaxis": {"tickvals": list(range(len(rows))), "ticktext": [chart_text(row.name) for row in rows],
                  "range": [-0.6, len(rows) - 0.4], "showgrid": False, "zeroline": False, "automargin": True},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def alpha_figure(data: Mapping[str, Any]) -> Figure:
    """Target and general mean by alpha with one standard error, the recommended alpha marked."""
    alphas = [float(alpha) for alpha in data["alphas"]]
    traces = [
        _curve(alphas, data["target"], "target", "--accent", "circle"),
        _curve(alphas, data["general"], "general", "--unsure", "diamond"),
    ]
    chosen = data.get("chosen")
    shapes: list[Figure] = []
    notes: list[Figure] = []
    if chosen is not None:
        shapes.append(
            {"type": "line", "xref": "x", "yref": "paper", "x0": chosen, "x1": chosen, "y0": 0, "y1": 1,
             "line": {"color": "--ink", "width": 1.5, "dash": "dash"}, "layer": "below"}
        )  # fmt: skip
        notes.append(
            {"x": chosen, "y": 1, "xref": "x", "yref": "paper", "showarrow": False, "yanchor": "bottom",
             "text": f"recommended: {float(chosen):g}", "font": {"size": 12, "color": "--ink"}}
        )  # fmt: skip
    better = "higher is better" if data.get("higher_is_better") else "lower is better"
    layout = {
        "height": 460, "showlegend": True, "shapes": shapes, "annotations": notes,
        "legend": {"orientation": "h", "x": 0, "y": 1.14}, "margin": {"t": 60},
        "xaxis": {"title": {"text": "alpha: share of the fine-tuned model (0: base alone)"},
                  "tickvals": alphas, "ticktext": [f"{alpha:g}" for alpha in alphas]},
        "yaxis": {"title": {"text": better}} | ({"tickformat": ".0%"} if shares_only(data) else {}),
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def shares_only(data: Mapping[str, Any]) -> bool:
    """Whether both curves are scores from 0 to 1, which read better as percent.

    >>> shares_only({"higher_is_better": True, "target": {"mean": [0.5]}, "general": {"mean": [1]}})
    True
    """
    means = [mean for side in ("target", "general") for mean in data[side]["mean"] if mean is not None]
    return bool(data.get("higher_is_better")) and all(0 <= mean <= 1 for mean in means)


def _curve(alphas: Sequence[float], side: Mapping[str, Any], what: str, colour: str, symbol: str) -> Figure:
    means = [None if mean is None else float(mean) for mean in side["mean"]]
    errors = [0.0 if error is None else float(error) for error in side.get("error") or [None] * len(means)]
    name = str(side.get("name") or what)
    return {
        "type": "scatter", "mode": "lines+markers", "name": chart_text(name, kept=60), "x": list(alphas),
        "y": means, "line": {"color": colour, "width": 2},
        "error_y": {"type": "data", "array": errors, "color": colour, "thickness": 1.5, "width": 4},
        "marker": {"size": 9, "color": colour, "symbol": symbol, "line": {"width": 1, "color": "--card"}},
    }  # fmt: skip


def _arm(row: MemberRow, side: int) -> float:
    return 0.0 if row.interval is None else max(0.0, abs(row.interval[side] - row.weight))


def _hover(row: MemberRow) -> str:
    share = Scale()
    lines = [
        f"<b>{chart_text(row.name, kept=60)}</b>",
        f"weight {share.score(row.weight)} {share.interval(row.interval)}",
        f"loss on the shots by itself {nats(row.loss)}",
    ]
    return "<br>".join(lines)
