"""The pictures of an exploration: the tree as a sunburst, evenness, overlap, yield, and the map of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from kshot.measure.coverage import DatasetCoverage
from kshot.report.explore.facts import ExploreFacts, MapPoint
from kshot.report.explore.gather import spread
from kshot.report.explore.outline import outline, told
from kshot.report.knowledge.visible import chart_text

Figure: TypeAlias = dict[str, Any]
COLOURS = ("--accent", "--unsure", "--oracle", "--tied", "--worse", "--better", "--muted")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star")
MOST_POINTS, MOST_GROUPS, RANKS = 2_000, 12, 200
_BELOW = {"orientation": "h", "y": -0.22, "yanchor": "top"}  # room for many names on a phone
_BAND_COLOURS = ("--worse", "--unsure", "--tied", "--accent")
_BANDS = [[(at + side) / 4, colour] for at, colour in enumerate(_BAND_COLOURS) for side in (0, 1)]


def explore_figures(facts: ExploreFacts) -> dict[str, Figure]:
    """Every picture that there are figures for, by the id of its place in the page."""
    drawn: dict[str, Figure] = {}
    if len(facts.tasks) > 1:
        drawn["plot-tree"] = tree_figure(facts)
    if len(facts.yields) > 1:
        drawn["plot-yield"] = yield_figure(facts)
    if any(one.counts for one in facts.datasets):
        drawn["plot-pairs"] = pairs_figure(facts.datasets)
    if any(one.overlap for one in facts.datasets):
        drawn["plot-overlap"] = overlap_figure(facts.datasets)
    if facts.map:
        drawn["plot-map"] = map_figure(facts.map)
    return drawn


def tree_figure(facts: ExploreFacts) -> Figure:
    """Tasks as sectors: size by rows, colour by the share of rows kept there and below."""
    entries = list(outline(facts.tasks))
    least = max(1.0, facts.row_count / len(entries) / 10)  # so that an empty task can be seen
    hover = ["<br>".join([f"<b>{chart_text(entry.task.name, kept=80)}</b>",
                          *(chart_text(one, kept=120) for one in told(entry))])
             for entry in entries]  # fmt: skip
    trace = {
        "type": "sunburst", "ids": [entry.task.id for entry in entries],
        "labels": [chart_text(entry.task.name, kept=24) for entry in entries],
        "parents": [entry.task.parent or "" for entry in entries],
        "values": [entry.task.rows if entry.has_children else max(least, entry.task.rows)
                   for entry in entries],
        "branchvalues": "remainder", "sort": False, "hoverinfo": "text", "hovertext": hover, "maxdepth": 3,
        "insidetextorientation": "radial", "leaf": {"opacity": 1},
        "marker": {"colors": [entry.yield_below for entry in entries], "cmin": 0, "cmax": 1,
                   "colorscale": _BANDS, "showscale": True,
                   "line": {"width": 1 if len(entries) <= 300 else 0.3, "color": "--card"},
                   "colorbar": {"orientation": "h", "y": -0.04, "yanchor": "top", "len": 0.6,
                                "thickness": 10, "tickformat": ".0%", "dtick": 0.25, "outlinewidth": 0}},
        "insidetextfont": {"color": "--card"},
    }  # fmt: skip
    return {"data": [trace], "layout": {"height": 600, "margin": {"l": 8, "r": 8, "t": 8, "b": 56}}}


def yield_figure(facts: ExploreFacts) -> Figure:
    """Kept rows over calls, and the share that was kept lately."""
    calls = [point.calls for point in facts.yields]
    traces = [
        {"type": "scatter", "mode": "lines", "name": "rows kept", "x": calls, "line": {"color": "--accent"},
         "y": [point.kept for point in facts.yields]},
        {"type": "scatter", "mode": "lines", "name": "kept of those that came lately", "x": calls,
         "line": {"color": "--unsure", "dash": "dot"}, "yaxis": "y2",
         "y": [None if point.share is None else 100 * point.share for point in facts.yields]},
    ]  # fmt: skip
    layout = {
        "height": 340, "xaxis": {"title": {"text": "calls for rows"}}, "margin": {"r": 60},
        "yaxis": {"title": {"text": "rows kept"}, "rangemode": "tozero", "automargin": True},
        "yaxis2": {"overlaying": "y", "side": "right", "range": [0, 105], "ticksuffix": " %",
                   "tickmode": "array", "tickvals": [0, 25, 50, 75, 100],
                   "showgrid": False, "zeroline": False},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def pairs_figure(datasets: Sequence[DatasetCoverage]) -> Figure:
    """Rank-abundance: share of the parsed instructions that each pair has, by rank; flat is even."""
    traces = []
    for at, one in enumerate(datasets):
        total = sum(one.counts)
        ranks = _ranks(len(one.counts))
        if not total:
            continue
        traces.append({
            "type": "scatter", "mode": "lines", "name": chart_text(one.name),
            "x": ranks, "y": [round(100 * one.counts[rank - 1] / total, 5) for rank in ranks],
            "line": {"color": COLOURS[at % len(COLOURS)], "width": 2.5, "dash": _dash(at)},
        })  # fmt: skip
    layout = {
        "height": 420, "legend": _BELOW,
        "xaxis": {"type": "log", "title": {"text": "verb-noun pair, by rank (log scale)"}, "dtick": 1},
        "yaxis": {"type": "log", "title": {"text": "share of the instructions, % (log scale)"}, "dtick": 1},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def overlap_figure(datasets: Sequence[DatasetCoverage]) -> Figure:
    """How near the nearest other instruction is: share of the instructions by its F, in tenths."""
    traces = [
        {"type": "bar", "name": chart_text(one.name), "x": [f"{at / 10:.1f}" for at in range(10)],
         "y": [round(100 * share, 3) for share in one.overlap.nearest_tenths],
         "marker": {"color": COLOURS[at % len(COLOURS)]}}
        for at, one in enumerate(datasets) if one.overlap is not None
    ]  # fmt: skip
    layout = {
        "height": 380, "legend": _BELOW, "barmode": "group", "bargap": 0.25,
        "xaxis": {"type": "category", "title": {"text": "ROUGE-L F with the nearest other one, from"}},
        "yaxis": {"title": {"text": "instructions, %"}, "rangemode": "tozero"},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def map_figure(points: Sequence[MapPoint]) -> Figure:
    """Rows in the plane; near ones say similar things. Large groups first, small ones are ``others``."""
    sizes: dict[str, int] = {}
    for point in points:
        sizes[point.group] = sizes.get(point.group, 0) + 1
    first = sorted(sizes, key=lambda name: -sizes[name])[:MOST_GROUPS]  # stable: ties by first appearance
    traces = []
    shown = spread(sorted(points, key=lambda point: point.group), MOST_POINTS)  # of each group its share
    for at, name in enumerate([*first, ""]):
        own = [point for point in shown if (point.group if point.group in first else "") == name]
        if own:
            traces.append({
                "type": "scatter", "mode": "markers",  # no WebGL: not every browser has it
                "name": chart_text(name) or f"{len(sizes) - len(first)} others",
                "x": [round(point.x, 4) for point in own], "y": [round(point.y, 4) for point in own],
                "hoverinfo": "text",
                "hovertext": [f"<b>{chart_text(point.group)}</b><br>{chart_text(point.text, kept=90)}"
                              for point in own],
                "marker": {"size": 6, "opacity": 0.75, "symbol": SYMBOLS[at // len(COLOURS) % len(SYMBOLS)],
                           "color": COLOURS[at % len(COLOURS)]},
            })  # fmt: skip
    layout = {"height": 520, "xaxis": {"showticklabels": False}, "yaxis": {"showticklabels": False},
              "legend": {"orientation": "h", "y": -0.08}, "margin": {"l": 20, "r": 20, "b": 20}}  # fmt: skip
    return {"data": traces, "layout": layout}


def _ranks(most: int) -> list[int]:
    """Ranks from 1 to ``most``, all of the first, then evenly on the log scale."""
    wanted = {round(most ** (at / (RANKS - 1))) for at in range(RANKS)} if most else set()
    return sorted(wanted | set(range(1, min(most, 30) + 1)))


def _dash(at: int) -> str:
    return ("solid", "dash", "dot", "dashdot")[at % 4]
