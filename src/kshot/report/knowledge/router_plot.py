"""The heat map of routers: how much of the gate weight each expert gets, layer by layer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kshot.report.knowledge.letters import letter
from kshot.report.knowledge.mixture import RouterFacts
from kshot.report.knowledge.visible import chart_text
from kshot.report.wording import Scale

_LAYER = re.compile(r"^(?P<before>.*?)\.?(?P<layer>\d+)\.(?P<after>.+)$")
_LABELLED_CELLS, _MOST_COLUMNS, _LONGEST = 48, 80, 36


@dataclass(frozen=True, slots=True)
class Grid:
    """Modules in rows and groups: layers downwards, kinds of module side by side.

    Attributes:
        cells: Row and group of a module, by its place.
    """

    rows: tuple[str, ...]
    groups: tuple[str, ...]
    cells: tuple[tuple[int, int], ...]


def grid(modules: Sequence[str], *, expert_count: int) -> Grid:
    """Where each module stands: ``model.layers.3.self_attn.q_proj`` in row 3 of the group ``q_proj``.

    Modules stand below one another where a name holds no layer number or groups would be too many.

    >>> grid(["layers.0.attn.q", "layers.0.attn.v", "layers.1.attn.q"], expert_count=4)
    Grid(rows=('0', '1'), groups=('q', 'v'), cells=((0, 0), (0, 1), (1, 0)))
    """
    found = [_LAYER.match(name) for name in modules]
    keys = [(int(match["layer"]), (match["before"], match["after"])) for match in found if match]
    columns = len({kind for _, kind in keys}) * (expert_count + 1)
    if len(keys) < len(modules) or len(set(keys)) < len(keys) or columns > _MOST_COLUMNS:
        return Grid(_tails(modules), ("",), tuple((place, 0) for place in range(len(modules))))
    layers = sorted({layer for layer, _ in keys})
    kinds = list(dict.fromkeys(kind for _, kind in keys))
    cells = tuple((layers.index(layer), kinds.index(kind)) for layer, kind in keys)
    return Grid(tuple(map(str, layers)), _shortest(kinds), cells)


def router_figure(facts: RouterFacts) -> dict[str, Any]:
    """Share of gate weight as darkness, a row a layer, a column an expert; empty without load."""
    place, width = grid(facts.modules, expert_count=len(facts.experts)), len(facts.experts) + 1
    finite = [share for row in facts.load for share in row if math.isfinite(share)]
    if not finite:
        return {}
    columns = width * len(place.groups) - 1
    shares: list[list[float | None]] = [[None] * columns for _ in place.rows]
    hovers = [[""] * columns for _ in place.rows]
    for module, (row, group) in enumerate(place.cells):
        for expert, share in enumerate(facts.load[module]):
            shares[row][group * width + expert] = share if math.isfinite(share) else None
            hovers[row][group * width + expert] = _hover(facts, module, expert)
    top = min(1.0, math.ceil(max(*finite, 2 / len(facts.experts)) * 10) / 10)
    trace = {
        "type": "heatmap", "z": shares, "zmin": 0, "zmax": top, "xgap": 1, "ygap": 1, "hoverongaps": False,
        "hovertext": hovers, "hoverinfo": "text", "colorscale": [[0, "--soft"], [1, "--deep"]],
        "colorbar": {"thickness": 10, "len": 1, "outlinewidth": 0, "tickformat": ".0%", "nticks": 6,
                     "title": {"text": "share of gate weight", "side": "right", "font": {"size": 12}}},
    }  # fmt: skip
    if len(finite) <= _LABELLED_CELLS:
        written = [["" if share is None else f"{100 * share:.0f}" for share in row] for row in shares]
        trace |= {"text": written, "texttemplate": "%{text}"}
    return {"data": [trace], "layout": _layout(facts, place)}


def figure_width(facts: RouterFacts) -> int:
    """Pixels that the map needs, so that few columns do not stretch."""
    place = grid(facts.modules, expert_count=len(facts.experts))
    cell = max(14, min(46, 900 // (len(place.groups) * len(facts.experts))))
    return _left(place) + 130 + cell * len(place.groups) * (len(facts.experts) + 1)


def _layout(facts: RouterFacts, place: Grid) -> dict[str, Any]:
    experts, groups = len(facts.experts), range(len(place.groups))
    step = 20 if len(place.rows) <= 40 else 14 if len(place.rows) <= 90 else 9
    every, lettered = math.ceil(13 / step), range(0, experts, math.ceil(experts / _MOST_COLUMNS))
    heads = [
        {
            "x": group * (experts + 1) + (experts - 1) / 2, "y": 1, "yref": "paper", "yanchor": "bottom",
            "yshift": 22, "text": chart_text(place.groups[group], kept=20), "showarrow": False,
            "font": {"size": 12, "color": "--muted"},
        }
        for group in groups
        if place.groups[group]
    ]  # fmt: skip
    quiet = {"showgrid": False, "ticks": "", "tickfont": {"size": 11}}
    return {
        "height": 90 + max(6, len(place.rows)) * step, "showlegend": False, "annotations": heads,
        "margin": {"l": _left(place), "r": 80, "t": 50, "b": 20},
        "xaxis": {**quiet, "side": "top", "tickangle": 0,
                  "tickvals": [group * (experts + 1) + expert for group in groups for expert in lettered],
                  "ticktext": [letter(expert) for _ in groups for expert in lettered]},
        "yaxis": {**quiet, "autorange": "reversed", "tickvals": list(range(0, len(place.rows), every)),
                  "ticktext": [chart_text(name, kept=_LONGEST) for name in place.rows[::every]],
                  **({} if place.groups == ("",) else {"title": {"text": "layer"}})},
    }  # fmt: skip


def _left(place: Grid) -> int:
    return (
        56
        if place.groups != ("",)
        else 20 + 7 * min(_LONGEST, max((len(name) for name in place.rows), default=0))
    )


def _hover(facts: RouterFacts, module: int, expert: int) -> str:
    share = facts.load[module][expert]
    name = f"<b>{letter(expert)} {chart_text(facts.experts[expert], kept=60)}</b>"
    where = chart_text(facts.modules[module], kept=80)
    if not math.isfinite(share):
        return f"{name}<br>{where}<br>has no weights there"
    lines = [name, where, f"{Scale().score(share)} of the gate weight"]
    if facts.chosen:
        lines.append(f"among the chosen for {Scale().score(facts.chosen[module][expert])} of the tokens")
    return "<br>".join(lines)


def _tails(modules: Sequence[str]) -> tuple[str, ...]:
    """The ends of names too long for the margin, which say more than their beginnings."""
    return tuple(name if len(name) <= _LONGEST else "…" + name[1 - _LONGEST :] for name in modules)


def _shortest(kinds: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The last part of each name where that tells them apart, else all behind the number, else all."""
    for shorten in (lambda kind: kind[1].rsplit(".", 1)[-1], lambda kind: kind[1], ".".join):
        names = tuple(shorten(kind) for kind in kinds)
        if len(set(names)) == len(names):
            break
    return names
